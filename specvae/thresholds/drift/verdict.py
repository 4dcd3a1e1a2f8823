"""The verdict on a scene: ok, caution or do-not-use, by the worst of the signs of drift."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from specvae.thresholds.drift.reference import BULK, DriftReference

__all__ = [
    "EXCESS",
    "GAIN",
    "HIGHER",
    "LOWER",
    "OFFSET",
    "BandDrift",
    "Drift",
    "DriftSummary",
    "Sign",
    "judge",
    "worst_of",
]

OUTSIDE = (0.05, 0.30)
"""Share of pixels beyond the training range in the worst band: caution, do-not-use."""
DISTANCE = (0.40, 0.65)
"""Largest distance between the cumulative distributions of the worst band."""
HIGHER = (0.30, 0.50)
"""Distance between the distributions of the scores, where the scene's are higher."""
LOWER = (0.50, 2.0)
"""Distance where they are lower: the model is surprised less than by its own held-out data, which is no refusal."""
EXCESS = (0.10, 0.30)
"""Share of pixels above the cut that 1 % of normal ones exceed: more than anomalies explain."""
GAIN = (0.07, 0.13)
"""Absolute logarithm of a factor that all quantiles of all bands share."""
OFFSET = (0.15, 0.30)
"""Absolute addend that all quantiles of all bands share, over the median band's interquartile range."""


class BandDriftSummary(TypedDict):
    """How one band moved, as JSON values; the fields of :class:`BandDrift` say what each is."""

    band: str
    outside: float
    distance: float
    shift: float


class DriftSummary(TypedDict):
    """The ``drift`` section of report.json; the fields of :class:`Drift` say what each is."""

    verdict: str
    reasons: list[str]
    pixels: int
    score_distance: float | None
    score_shift: float | None
    extreme_share: float | None
    gain: float | None
    offset: float | None
    surprise: float | None
    fault: str | None
    bands: list[BandDriftSummary]


@dataclass(frozen=True)
class BandDrift:
    """How one band moved."""

    band: str
    outside: float
    """Share of pixels beyond the training range and its margin."""
    distance: float
    """Largest distance between the cumulative distributions, at the quantiles of the reference."""
    shift: float
    """The scene's median as a share of training pixels below it, less one half: -0.5 to 0.5."""


@dataclass(frozen=True)
class Drift:
    """The verdict on a scene with its reasons and its numbers."""

    verdict: str
    """``ok``, ``caution`` or ``do-not-use``."""
    reasons: tuple[str, ...]
    """Each sign of drift in words; one sentence where there is none."""
    pixels: int
    """Number of pixels that were compared."""
    score_distance: float | None
    """Distance as in :class:`BandDrift`, below 0 where the scene's scores are lower than held-out normal ones."""
    score_shift: float | None
    """Shift of the median as in :class:`BandDrift`."""
    extreme_share: float | None
    """Share of pixels above the cut that 1 % of normal pixels exceed."""
    gain: float | None
    """Factor from the training's quantiles to the scene's, where all bands share one; else None."""
    offset: float | None
    """Addend from the training's quantiles to the scene's, physical units, where all bands share one; else None."""
    bands: tuple[BandDrift, ...]
    surprise: float | None = None
    """How much more improbable the median pixel is than training pixels like it, nats; None where kinds are not known."""
    fault: str | None = None
    """The known fault that the scene looks to have: ``gain``, ``offset``, ``haze``, ``swap``, ``shift`` or ``stripes``."""

    def summary(self) -> DriftSummary:
        """Every field by its name, as JSON values: the ``drift`` section of report.json."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "pixels": self.pixels,
            "score_distance": self.score_distance,
            "score_shift": self.score_shift,
            "extreme_share": self.extreme_share,
            "gain": self.gain,
            "offset": self.offset,
            "surprise": self.surprise,
            "fault": self.fault,
            "bands": [
                {"band": moved.band, "outside": moved.outside, "distance": moved.distance, "shift": moved.shift}
                for moved in self.bands
            ],
        }


Sign = tuple[float, tuple[float, float], str]
"""A value, its limits of caution and do-not-use, and the words for it."""


def judge(drift: Drift, reference: DriftReference, notes: tuple[str, ...]) -> Drift:
    """``drift`` with its verdict, by the worst of the signs, and their words; each of ``notes`` makes for caution."""
    signs = [*_band_signs(drift), *_radiometry_signs(drift, reference), *_score_signs(drift)]
    return worst_of(drift, signs, notes, "bands and scores are distributed as in the fit")


def worst_of(drift: Drift, signs: list[Sign], notes: tuple[str, ...], otherwise: str) -> Drift:
    """``drift`` with the verdict of the worst of the signs, and the words of all that count."""
    reasons, worst = list(notes), 1 if notes else 0
    for value, (caution, refuse), words in signs:
        level = 2 if value >= refuse else 1 if value >= caution else 0
        worst = max(worst, level)
        if level:
            reasons.append(words)
    verdict = ("ok", "caution", "do-not-use")[worst]
    return replace(drift, verdict=verdict, reasons=tuple(reasons) or (otherwise,))


def _band_signs(drift: Drift) -> list[Sign]:
    """The bands that moved most: out of the training range, and in their distribution."""
    widest = max(drift.bands, key=lambda band: band.outside)
    farthest = max(drift.bands, key=lambda band: band.distance)
    direction = "higher" if farthest.shift > 0 else "lower"
    moved = (
        f"{farthest.band} has {direction} values than in training (its distribution moved by {farthest.distance:.2f})"
    )
    outside = f"{widest.outside:.0%} of the spectra lie outside the training range of {widest.band}"
    return [(widest.outside, OUTSIDE, outside), (farthest.distance, DISTANCE, moved)]


def _radiometry_signs(drift: Drift, reference: DriftReference) -> list[Sign]:
    """A gain or an offset that all bands share."""
    signs = []
    if drift.gain is not None:
        words = f"all bands are {drift.gain:.2f} times their training values alike, which may be another gain or processing level"
        # In the logarithm, twice as bright and half as bright are equally far from the fit.
        signs.append((abs(float(np.log(drift.gain))), GAIN, words))
    if drift.offset is not None:
        # The unit of OFFSET: half of the range from the 10 % to the 90 % quantile is about the interquartile range.
        spread = float(np.median(reference.bands[:, BULK[-1]] - reference.bands[:, BULK[0]])) / 2
        words = f"all bands are moved by {drift.offset:+.4g} alike, which may be another offset or processing level"
        signs.append((abs(drift.offset) / spread, OFFSET, words))
    return signs


def _score_signs(drift: Drift) -> list[Sign]:
    """The bulk of the scores, and how many are extreme."""
    if drift.score_distance is None or drift.extreme_share is None:
        return []
    distance = drift.score_distance
    word, limits = ("higher", HIGHER) if distance > 0 else ("lower", LOWER)
    bulk = f"the bulk of the scores is {word} than held-out normal scores (moved by {abs(distance):.2f})"
    many = f"{drift.extreme_share:.0%} of the scores are above the cut that 1% of normal ones exceed"
    return [(abs(distance), limits, bulk), (drift.extreme_share, EXCESS, f"{many}: more than anomalies explain")]
