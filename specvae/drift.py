"""Drift: whether a scene is still what the model was fitted on, before anyone trusts its map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import ModelError
from specvae.spectra import ScoredWindow

__all__ = ["Drift", "DriftAccumulator", "DriftReference", "lattice_step"]

GRID = np.r_[0.0005, 0.002, 0.01, np.linspace(0.025, 0.975, 39), 0.99, 0.998, 0.9995]
"""Shares of training pixels below each quantile of the reference."""
SAMPLE = 250_000
"""As many pixels of a scene are compared, about."""
FEWEST = 50
"""Fewer pixels give no verdict but caution."""
EXTREME = 1e-2
"""Share of normal pixels above the cut whose excess is watched."""

OUTSIDE = (0.05, 0.30)
"""Share of pixels beyond the training range (its 0.05 to 99.95 %) in the worst band: caution, do-not-use."""
DISTANCE = (0.30, 0.60)
"""Largest distance between the cumulative distributions of the worst band."""
SCORE_DISTANCE = (0.20, 0.45)
"""The same of the score."""
EXCESS = (0.10, 0.35)
"""Share of pixels above the cut of EXTREME: beyond what anomalies explain."""


def lattice_step(rows: int, cols: int, sample: int = SAMPLE) -> int:
    """Every how many rows and columns a pixel is compared, so that about ``sample`` are; a property of the scene alone."""
    return max(1, int(np.ceil(np.sqrt(rows * cols / sample))))


@dataclass(frozen=True, eq=False)
class DriftReference:
    """What the training spectra and the held-out scores were."""

    bands: NDArray[np.float32]
    """``(bands, len(GRID))``: quantiles of the training spectra, physical units."""
    scores: NDArray[np.float32]
    """``(len(GRID),)``: quantiles of the held-out scores, nats; empty where none were held out."""

    @classmethod
    def fit(cls, spectra: NDArray[np.floating], scores: NDArray[np.floating]) -> DriftReference:
        """From ``(bands, n)`` training spectra, n > 0, and ``(m,)`` held-out normal scores."""
        thin = np.asarray(spectra[:, :: max(1, spectra.shape[1] // SAMPLE)], np.float64)
        return cls(np.quantile(thin, GRID, axis=1).T.astype(np.float32), _quantiles(scores))

    def with_scores(self, scores: NDArray[np.floating]) -> DriftReference:
        """The same bands with the scores of another calibration."""
        return DriftReference(self.bands, _quantiles(scores))

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """``bands`` and ``scores``, for the model file."""
        return {"bands": self.bands, "scores": self.scores}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> DriftReference:
        """The inverse of :meth:`to_arrays`; raises ModelError on other shapes."""
        bands, scores = np.asarray(arrays["bands"], np.float32), np.asarray(arrays["scores"], np.float32)
        if bands.ndim != 2 or bands.shape[1] != GRID.size or scores.shape not in ((0,), GRID.shape):
            raise ModelError(f"the model's drift reference has shapes {bands.shape} and {scores.shape}; refit")
        return cls(bands, scores)


def _quantiles(scores: NDArray[np.floating]) -> NDArray[np.float32]:
    if not scores.size:
        return np.empty(0, np.float32)
    return np.asarray(np.quantile(np.asarray(scores, np.float64), GRID), np.float32)


@dataclass(frozen=True)
class BandDrift:
    """How one band moved."""

    band: str
    outside: float
    """Share of pixels beyond the training range (0.05 to 99.95 %)."""
    distance: float
    """Largest distance between the cumulative distributions, at the quantiles of the reference."""
    shift: float
    """The scene's median as a share of training pixels below it, less one half: -0.5 to 0.5."""


@dataclass(frozen=True)
class Drift:
    """The verdict, its reasons and its numbers."""

    verdict: str
    """``ok``, ``caution`` or ``do-not-use``."""
    reasons: tuple[str, ...]
    """In words; one of them where all is well."""
    pixels: int
    """Compared."""
    score_distance: float | None
    """As for bands."""
    score_shift: float | None
    """As for bands."""
    extreme_share: float | None
    """Share of pixels above the cut that 1 % of normal pixels exceed."""
    bands: tuple[BandDrift, ...]

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


class DriftAccumulator:
    """Counts between the quantiles of the reference, over pixels on a lattice of the scene's own coordinates."""

    def __init__(
        self, reference: DriftReference, labels: tuple[str, ...], step: int = 1, notes: tuple[str, ...] = ()
    ) -> None:
        """``labels`` names the bands; ``step`` is :func:`lattice_step`; each of ``notes`` makes for caution."""
        if len(labels) != len(reference.bands):
            raise ValueError(f"{len(labels)} band labels for {len(reference.bands)} bands")
        self._reference = reference
        self._labels = labels
        self._step = step
        self._notes = notes
        self._bands = np.zeros((len(labels), GRID.size + 1), dtype=np.int64)
        self._score = np.zeros(GRID.size + 1, dtype=np.int64)
        self._scored = 0
        self._extreme = 0

    def update(self, scored: ScoredWindow) -> None:
        """Compares the lattice pixels of one window."""
        cube, score = scored.cube, scored.parts.score
        at = (
            slice(-cube.window.row % self._step, None, self._step),
            slice(-cube.window.col % self._step, None, self._step),
        )
        spectra = cube.values[:, at[0], at[1]][:, cube.valid[at]]
        self.add_spectra(spectra)
        same_grid = score.shape == cube.reason.shape
        self.add_scores(score[at] if same_grid else score)

    def add_spectra(self, spectra: NDArray[np.floating]) -> None:
        """Valid spectra ``(bands, n)``."""
        for counts, quantiles, values in zip(self._bands, self._reference.bands, spectra, strict=True):
            counts += _between(values, quantiles)

    def add_scores(self, scores: NDArray[np.floating]) -> None:
        """Scores of any shape, NaN left out."""
        finite = scores[np.isfinite(scores)]
        self._scored += finite.size
        if self._reference.scores.size:
            self._score += _between(finite, self._reference.scores)
            self._extreme += int(np.count_nonzero(finite > self._reference.scores[GRID.searchsorted(1 - EXTREME)]))

    def merge(self, other: DriftAccumulator) -> None:
        """Takes the counts of ``other`` in."""
        self._bands += other._bands
        self._score += other._score
        self._scored += other._scored
        self._extreme += other._extreme

    def finish(self) -> Drift:
        """The verdict on what was compared so far."""
        bands = tuple(
            BandDrift(label, *_moved(counts, quantiles))
            for label, counts, quantiles in zip(self._labels, self._bands, self._reference.bands, strict=True)
        )
        if self._scored < FEWEST:
            reason = f"only {self._scored} pixels could be compared with the fit, {FEWEST} needed for a verdict"
            return Drift("caution", (reason, *self._notes), self._scored, None, None, None, bands)
        if not self._reference.scores.size:
            notes = ("the model holds no held-out scores to compare with", *self._notes)
            return _judge(Drift("ok", (), self._scored, None, None, None, bands), notes)
        _, distance, shift = _moved(self._score, self._reference.scores)
        share = self._extreme / self._scored
        return _judge(Drift("ok", (), self._scored, distance, shift, share, bands), self._notes)


def _between(values: NDArray[np.floating], quantiles: NDArray[np.float32]) -> NDArray[np.int64]:
    """``(len(GRID) + 1,)``: how many values lie between the quantiles; a tie goes half to each side in the mean.

    Where many training values are equal (a band with fill or few levels), all their quantiles are; values that tie
    with them are counted at the middle of the run, or they would look as if they had moved to its end.
    """
    values = np.asarray(values, np.float32)
    left, right = (np.searchsorted(quantiles, values, side=side) for side in ("left", "right"))
    return np.bincount((left + right) // 2, minlength=GRID.size + 1)


def _moved(counts: NDArray[np.int64], quantiles: NDArray[np.float32]) -> tuple[float, float, float]:
    """Share outside, distance of the cumulative distributions, and shift of the median, from counts between quantiles."""
    total = int(counts.sum())
    if not total:
        return 0.0, 0.0, 0.0
    outside = float(counts[0] + counts[-1]) / total if quantiles[0] < quantiles[-1] else 0.0
    cumulative = np.cumsum(counts[:-1]) / total
    distinct = np.r_[True, np.diff(quantiles) > 0] & np.r_[np.diff(quantiles) > 0, True]
    distance = float(np.max(np.abs(cumulative - GRID)[distinct])) if distinct.any() else 0.0
    median = float(np.interp(0.5, np.r_[0.0, cumulative, 1.0], np.r_[0.0, GRID, 1.0]))
    return outside, distance, median - 0.5


def _judge(found: Drift, notes: tuple[str, ...]) -> Drift:
    """Its verdict by the worst of the signs; notes make for caution."""
    reasons, worst = list(notes), 1 if notes else 0
    for value, (caution, refuse), words in _signs(found):
        level = 2 if value >= refuse else 1 if value >= caution else 0
        worst = max(worst, level)
        if level:
            reasons.append(words)
    verdict = ("ok", "caution", "do-not-use")[worst]
    return replace(
        found, verdict=verdict, reasons=tuple(reasons) or ("bands and scores are distributed as in the fit",)
    )


def _signs(found: Drift) -> list[tuple[float, tuple[float, float], str]]:
    """What is watched: value, limits of caution and do-not-use, and words."""
    widest = max(found.bands, key=lambda band: band.outside)
    farthest = max(found.bands, key=lambda band: band.distance)
    direction = "higher" if farthest.shift > 0 else "lower"
    signs = [
        (
            widest.outside,
            OUTSIDE,
            f"{widest.outside:.0%} of the pixels lie outside the training range of {widest.band}",
        ),
        (
            farthest.distance,
            DISTANCE,
            f"{farthest.band} has {direction} values than in training (its distribution moved by {farthest.distance:.2f})",
        ),
    ]
    if found.score_distance is not None and found.score_shift is not None and found.extreme_share is not None:
        word = "higher" if found.score_shift > 0 else "lower"
        bulk = f"the bulk of the scores is {word} than held-out normal scores (moved by {found.score_distance:.2f})"
        many = f"{found.extreme_share:.0%} of the pixels score above the cut that 1% of normal pixels exceed"
        signs += [
            (found.score_distance, SCORE_DISTANCE, bulk),
            (found.extreme_share, EXCESS, f"{many}: more than anomalies explain"),
        ]
    return signs
