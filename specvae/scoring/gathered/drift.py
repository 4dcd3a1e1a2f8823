"""The drift of a scene: counts of its pixels between the quantiles of the reference, over all windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import ScoredWindow
from specvae.thresholds.drift.comparison import FEWEST_COMPARED
from specvae.thresholds.drift.ground_verdict import judge_by_ground
from specvae.thresholds.drift.reference import BULK, GRID, DriftReference
from specvae.thresholds.drift.squares import SIDE, SquareSample
from specvae.thresholds.drift.verdict import GAIN, OFFSET, BandDrift, Drift, judge

__all__ = ["DriftAccumulator"]

FEWEST = 50
"""Pixels under which the verdict is caution, whatever they are."""
EXTREME = 1e-2
"""Share of normal pixels above the cut that counts extreme scores."""
ALIKE = 0.35
"""Quantiles change alike where the median deviation from their common change is at most this share of it."""
MARGIN = 0.10
"""The training range extends beyond the 0.05 and the 99.95 % quantile by this share of their distance."""


class DriftAccumulator:
    """Accumulator of :class:`Drift`: counts between the quantiles of the reference, of pixels on a lattice of the scene.

    The lattice is in the scene's own coordinates, so that the same pixels are compared however windows divide it. Counts
    between fixed quantiles add up over windows, which the scene's own quantiles would not.
    """

    def __init__(
        self,
        reference: DriftReference,
        labels: tuple[str, ...],
        step: int = 1,
        notes: tuple[str, ...] = (),
        shape: tuple[int, int] = (SIDE, SIDE),
        wavelengths: tuple[float, ...] | None = None,
    ) -> None:
        """Compare with ``reference`` every ``step``-th row and column (:func:`lattice_step`) of the bands ``labels``.

        Each of ``notes`` is a reason for caution whatever the pixels are. ``shape``: rows and columns of the scene, one
        row of a table. ``wavelengths`` of the bands, where known, say in which of them haze shows most.
        """
        if len(labels) != len(reference.bands):
            raise ValueError(f"{len(labels)} band labels for {len(reference.bands)} bands")
        self._reference = reference
        self._labels = labels
        self._step = step
        self._notes = notes
        self._squares = SquareSample(shape)
        self._order = _order(wavelengths)
        self._bands = np.zeros((len(labels), GRID.size + 1), dtype=np.int64)
        self._outside = np.zeros(len(labels), dtype=np.int64)
        self._score = np.zeros(GRID.size + 1, dtype=np.int64)
        self._scored = 0
        self._extreme = 0

    def update(self, piece: ScoredWindow) -> None:
        """Count the lattice's pixels of one window."""
        cube, score = piece.cube, piece.parts.score
        # The window's first row and column that lie on the lattice of the scene.
        at = (
            slice(-cube.window.row % self._step, None, self._step),
            slice(-cube.window.col % self._step, None, self._step),
        )
        spectra = cube.values[:, at[0], at[1]][:, cube.valid[at]]
        self.add_spectra(spectra)
        # A patch model has one score for many pixels; the lattice of pixels
        # means nothing to its map, so all its scores count.
        same_grid = score.shape == cube.reason.shape
        self.add_scores(score[at] if same_grid else score)
        if self._reference.ground is not None and same_grid:
            self._squares.add(cube.values, cube.valid, score, cube.window.row, cube.window.col)

    def add_spectra(self, spectra: NDArray[np.floating]) -> None:
        """Count valid spectra ``(bands, n)``, physical units."""
        for band, (quantiles, values) in enumerate(zip(self._reference.bands, spectra, strict=True)):
            ordered = np.sort(np.asarray(values, np.float32))
            self._bands[band] += _between(ordered, quantiles)
            margin = MARGIN * (quantiles[-1] - quantiles[0])
            above = ordered.size - np.searchsorted(ordered, quantiles[-1] + margin, side="right")
            self._outside[band] += np.searchsorted(ordered, quantiles[0] - margin, side="left") + above

    def add_scores(self, scores: NDArray[np.floating]) -> None:
        """Count scores of any shape, nats; NaN is left out."""
        finite = scores[np.isfinite(scores)]
        self._scored += finite.size
        if self._reference.scores.size:
            self._score += _between(np.sort(np.asarray(finite, np.float32)), self._reference.scores)
            self._extreme += int(np.count_nonzero(finite > self._reference.scores[GRID.searchsorted(1 - EXTREME)]))

    def merge(self, other: DriftAccumulator) -> None:
        """Add another's counts."""
        self._bands += other._bands
        self._outside += other._outside
        self._score += other._score
        self._scored += other._scored
        self._extreme += other._extreme
        self._squares.merge(other._squares)

    def finish(self) -> Drift:
        """The verdict on what was counted so far."""
        bands = tuple(
            BandDrift(label, int(outside) / max(int(counts.sum()), 1), *_moved(counts, quantiles))
            for label, outside, counts, quantiles in zip(
                self._labels, self._outside, self._bands, self._reference.bands, strict=True
            )
        )
        if self._scored < FEWEST:
            reason = f"only {self._scored} spectra could be compared with the fit, {FEWEST} needed for a verdict"
            return Drift("caution", (reason, *self._notes), self._scored, None, None, None, None, None, bands)
        gain, offset = _radiometry(self._bands, self._reference.bands)
        ground, squares = self._reference.ground, self._squares.squares()
        if ground is not None and squares is not None and squares.pixels.spectra.shape[1] >= FEWEST_COMPARED:
            compared = ground.compare(squares, order=self._order, gain=gain, offset=offset)
            bare = Drift("ok", (), self._scored, None, None, None, None, None, bands)
            return judge_by_ground(bare, ground, compared, self._notes)
        drift = Drift("ok", (), self._scored, None, None, None, gain, offset, bands)
        if not self._reference.scores.size:
            note = "the model holds no held-out scores to compare with"
            return judge(drift, self._reference, (note, *self._notes))
        distance, shift = _moved(self._score, self._reference.scores)
        signed = distance if shift >= 0 else -distance
        drift = replace(drift, score_distance=signed, score_shift=shift, extreme_share=self._extreme / self._scored)
        return judge(drift, self._reference, self._notes)


def _order(wavelengths: tuple[float, ...] | None) -> NDArray[np.float64] | None:
    """How far each band lies from the shortest wavelength, 0 to 1; None where wavelengths are not known."""
    if wavelengths is None:
        return None
    inverse = 1 / np.asarray(wavelengths, np.float64)
    # Haze scatters light as a power of its frequency: on that scale visible bands are not crowded at one end.
    return np.asarray((inverse.max() - inverse) / max(float(np.ptp(inverse)), 1e-12))


def _radiometry(counts: NDArray[np.int64], quantiles: NDArray[np.float32]) -> tuple[float | None, float | None]:
    """A factor, or an addend, that the bulk quantiles of all bands share; None where they move each in its own way.

    What grows, burns or is built moves bands and quantiles differently; another gain or offset moves them alike.
    """
    pairs = [_bulk(c, q.astype(np.float64)) for c, q in zip(counts, quantiles, strict=True)]
    before = np.concatenate([pair[0] for pair in pairs])
    after = np.concatenate([pair[1] for pair in pairs])
    spread = np.median([q[BULK[-1]] - q[BULK[0]] for q in quantiles]) / 2
    # Fewer quantiles than one band has, or a reference that is constant, say nothing of a change that bands share.
    if before.size < BULK.size or spread <= 0:
        return None, None
    positive = (before > 0) & (after > 0)
    gain = None
    # Ratios need positive numbers on both sides. Indices and differences have others, and no gain is asked of those.
    if positive.mean() > 0.9:
        common = _common(np.log(after[positive] / before[positive]), GAIN[0])
        gain = None if common is None else float(np.exp(common))
    return gain, _common((after - before), OFFSET[0] * float(spread))


def _bulk(counts: NDArray[np.int64], quantiles: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bulk quantiles of the training and of the scene at the same shares, where the scene's lie within the reference."""
    cumulative = np.cumsum(counts[:-1]) / max(int(counts.sum()), 1)
    shares = GRID[BULK]
    inside = (shares > cumulative[0]) & (shares < cumulative[-1])
    rising = np.r_[True, np.diff(cumulative) > 0]  # between quantiles without a pixel the inverse is not defined
    scene = np.interp(shares[inside], cumulative[rising], quantiles[rising])
    return quantiles[BULK][inside], scene


def _common(changes: NDArray[np.float64], least: float) -> float | None:
    """The median of changes, where it is at least ``least`` and they agree on it; else None."""
    common = float(np.median(changes))
    if abs(common) < least or float(np.median(np.abs(changes - common))) > ALIKE * abs(common):
        return None
    return common


def _between(ordered: NDArray[np.float32], quantiles: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many values lie between each two quantiles, ``(len(GRID) + 1,)``; ties count at the middle of equal quantiles.

    ``ordered`` are the values, ascending. Where many training values are equal (a band with fill or few levels), so are
    their quantiles. Values that tie with a run of them are counted at its middle; at its end they would look as if they
    had moved.
    """
    # A few quantiles are searched among the sorted values, for sorting takes a fraction of the time in which every value
    # is searched among the quantiles.
    distinct = np.unique(quantiles)
    below, upto = (np.searchsorted(ordered, distinct, side=side) for side in ("left", "right"))
    first, last = (np.searchsorted(quantiles, distinct, side=side) for side in ("left", "right"))
    counts = np.zeros(GRID.size + 1, np.int64)
    np.add.at(counts, (first + last) // 2, upto - below)
    np.add.at(counts, np.r_[0, last], np.r_[below, ordered.size] - np.r_[0, upto])
    return counts


def _moved(counts: NDArray[np.int64], quantiles: NDArray[np.float32]) -> tuple[float, float]:
    """Largest distance of the cumulative distributions, and shift of the median, from counts between quantiles.

    The distance is looked at only where a quantile differs from both its neighbours: within a run of equal ones the
    reference itself has no single share.
    """
    total = int(counts.sum())
    if not total:
        return 0.0, 0.0
    cumulative = np.cumsum(counts[:-1]) / total
    # At the two ends of the grid there is only one neighbour to differ from.
    distinct = np.r_[True, np.diff(quantiles) > 0] & np.r_[np.diff(quantiles) > 0, True]
    distance = float(np.max(np.abs(cumulative - GRID)[distinct])) if distinct.any() else 0.0
    median = float(np.interp(0.5, np.r_[0.0, cumulative, 1.0], np.r_[0.0, GRID, 1.0]))
    return distance, median - 0.5
