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
"""Share of pixels beyond the training range in the worst band: caution, do-not-use."""
DISTANCE = (0.40, 0.65)
"""Largest distance between the cumulative distributions of the worst band."""
HIGHER = (0.30, 0.50)
"""The same of the score where the scene's is higher."""
LOWER = (0.50, 2.0)
"""The same where it is lower: the model is surprised less than by its own held-out data, which is never a refusal."""
EXCESS = (0.10, 0.30)
"""Share of pixels above the cut of EXTREME: beyond what anomalies explain."""
GAIN = (0.07, 0.13)
"""Absolute logarithm of a factor that all quantiles of all bands share."""
OFFSET = (0.15, 0.30)
"""The same for an addend, over the median band's interquartile range."""
ALIKE = 0.35
"""Median deviation of the quantiles' changes from their common one, over it, below which it is a change of radiometry."""
MARGIN = 0.10
"""The training range is from the 0.05 to the 99.95 % quantile and so much of it more on each side."""
BULK = np.nonzero((GRID > 0.09) & (GRID < 0.91))[0]


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
    """Share of pixels beyond the training range and its margin."""
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
    """As for bands, below 0 where the scene's scores are lower than held-out normal ones."""
    score_shift: float | None
    """As for bands."""
    extreme_share: float | None
    """Share of pixels above the cut that 1 % of normal pixels exceed."""
    gain: float | None
    """Factor of the scene's quantiles over the training's, where it is alike for all bands; else None."""
    offset: float | None
    """Addend, physical units, likewise."""
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
        self._outside = np.zeros(len(labels), dtype=np.int64)
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
        for band, (quantiles, values) in enumerate(zip(self._reference.bands, spectra, strict=True)):
            self._bands[band] += _between(values, quantiles)
            margin = MARGIN * (quantiles[-1] - quantiles[0])
            beyond = (values < quantiles[0] - margin) | (values > quantiles[-1] + margin)
            self._outside[band] += np.count_nonzero(beyond)

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
        self._outside += other._outside
        self._score += other._score
        self._scored += other._scored
        self._extreme += other._extreme

    def finish(self) -> Drift:
        """The verdict on what was compared so far."""
        bands = tuple(
            BandDrift(label, int(outside) / max(int(counts.sum()), 1), *_moved(counts, quantiles))
            for label, outside, counts, quantiles in zip(
                self._labels, self._outside, self._bands, self._reference.bands, strict=True
            )
        )
        if self._scored < FEWEST:
            reason = f"only {self._scored} pixels could be compared with the fit, {FEWEST} needed for a verdict"
            return Drift("caution", (reason, *self._notes), self._scored, None, None, None, None, None, bands)
        gain, offset = _radiometry(self._bands, self._reference.bands)
        found = Drift("ok", (), self._scored, None, None, None, gain, offset, bands)
        notes = self._notes
        if self._reference.scores.size:
            distance, shift = _moved(self._score, self._reference.scores)
            sided = distance if shift >= 0 else -distance
            found = replace(found, score_distance=sided, score_shift=shift, extreme_share=self._extreme / self._scored)
        else:
            notes = ("the model holds no held-out scores to compare with", *notes)
        return _judge(found, self._reference, notes)


def _radiometry(counts: NDArray[np.int64], quantiles: NDArray[np.float32]) -> tuple[float | None, float | None]:
    """A factor, or an addend, that the bulk quantiles of all bands share; None where they move each in its own way.

    What grows, burns or is built moves bands and quantiles differently; another gain or offset moves them alike.
    """
    told = [_bulk(c, q.astype(np.float64)) for c, q in zip(counts, quantiles, strict=True)]
    before = np.concatenate([pair[0] for pair in told])
    after = np.concatenate([pair[1] for pair in told])
    spread = np.median([q[BULK[-1]] - q[BULK[0]] for q in quantiles]) / 2
    if before.size < BULK.size or spread <= 0:
        return None, None
    positive = (before > 0) & (after > 0)
    gain = None
    if positive.mean() > 0.9:
        common = _alike(np.log(after[positive] / before[positive]), GAIN[0])
        gain = None if common is None else float(np.exp(common))
    return gain, _alike((after - before), OFFSET[0] * float(spread))


def _bulk(counts: NDArray[np.int64], quantiles: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Quantiles of the training and of the scene at the same shares, those that lie within the reference."""
    cumulative = np.cumsum(counts[:-1]) / max(int(counts.sum()), 1)
    shares = GRID[BULK]
    inside = (shares > cumulative[0]) & (shares < cumulative[-1])
    rising = np.r_[True, np.diff(cumulative) > 0]
    scene = np.interp(shares[inside], cumulative[rising], quantiles[rising])
    return quantiles[BULK][inside], scene


def _alike(changes: NDArray[np.float64], least: float) -> float | None:
    """Their median, where it is at least ``least`` and they agree on it."""
    common = float(np.median(changes))
    if abs(common) < least or float(np.median(np.abs(changes - common))) > ALIKE * abs(common):
        return None
    return common


def _between(values: NDArray[np.floating], quantiles: NDArray[np.float32]) -> NDArray[np.int64]:
    """``(len(GRID) + 1,)``: how many values lie between the quantiles; a tie goes half to each side in the mean.

    Where many training values are equal (a band with fill or few levels), all their quantiles are; values that tie
    with them are counted at the middle of the run, or they would look as if they had moved to its end.
    """
    values = np.asarray(values, np.float32)
    left, right = (np.searchsorted(quantiles, values, side=side) for side in ("left", "right"))
    return np.bincount((left + right) // 2, minlength=GRID.size + 1)


def _moved(counts: NDArray[np.int64], quantiles: NDArray[np.float32]) -> tuple[float, float]:
    """Distance of the cumulative distributions, and shift of the median, from counts between quantiles."""
    total = int(counts.sum())
    if not total:
        return 0.0, 0.0
    cumulative = np.cumsum(counts[:-1]) / total
    distinct = np.r_[True, np.diff(quantiles) > 0] & np.r_[np.diff(quantiles) > 0, True]
    distance = float(np.max(np.abs(cumulative - GRID)[distinct])) if distinct.any() else 0.0
    median = float(np.interp(0.5, np.r_[0.0, cumulative, 1.0], np.r_[0.0, GRID, 1.0]))
    return distance, median - 0.5


def _judge(found: Drift, reference: DriftReference, notes: tuple[str, ...]) -> Drift:
    """Its verdict by the worst of the signs; notes make for caution."""
    reasons, worst = list(notes), 1 if notes else 0
    for value, (caution, refuse), words in (
        *_band_signs(found),
        *_radiometry_signs(found, reference),
        *_score_signs(found),
    ):
        level = 2 if value >= refuse else 1 if value >= caution else 0
        worst = max(worst, level)
        if level:
            reasons.append(words)
    verdict = ("ok", "caution", "do-not-use")[worst]
    return replace(
        found, verdict=verdict, reasons=tuple(reasons) or ("bands and scores are distributed as in the fit",)
    )


Sign = tuple[float, tuple[float, float], str]
"""A value, its limits of caution and do-not-use, and the words for it."""


def _band_signs(found: Drift) -> list[Sign]:
    widest = max(found.bands, key=lambda band: band.outside)
    farthest = max(found.bands, key=lambda band: band.distance)
    direction = "higher" if farthest.shift > 0 else "lower"
    moved = (
        f"{farthest.band} has {direction} values than in training (its distribution moved by {farthest.distance:.2f})"
    )
    outside = f"{widest.outside:.0%} of the pixels lie outside the training range of {widest.band}"
    return [(widest.outside, OUTSIDE, outside), (farthest.distance, DISTANCE, moved)]


def _radiometry_signs(found: Drift, reference: DriftReference) -> list[Sign]:
    signs = []
    if found.gain is not None:
        words = f"all bands are {found.gain:.2f} times their training values alike: another gain or processing level"
        signs.append((abs(float(np.log(found.gain))), GAIN, words))
    if found.offset is not None:
        spread = float(np.median(reference.bands[:, BULK[-1]] - reference.bands[:, BULK[0]])) / 2
        words = f"all bands are moved by {found.offset:+.4g} alike: another offset or processing level"
        signs.append((abs(found.offset) / spread, OFFSET, words))
    return signs


def _score_signs(found: Drift) -> list[Sign]:
    if found.score_distance is None or found.extreme_share is None:
        return []
    distance = found.score_distance
    word, limits = ("higher", HIGHER) if distance > 0 else ("lower", LOWER)
    bulk = f"the bulk of the scores is {word} than held-out normal scores (moved by {abs(distance):.2f})"
    many = f"{found.extreme_share:.0%} of the pixels score above the cut that 1% of normal pixels exceed"
    return [(abs(distance), limits, bulk), (found.extreme_share, EXCESS, f"{many}: more than anomalies explain")]
