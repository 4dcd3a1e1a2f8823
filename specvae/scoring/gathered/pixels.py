"""Whatever is gathered over windows: update with a scored window, merge with another shard's, finish to a value.

The same accumulators serve windows of one scene, processes of one machine and workers of a cluster. Their order of
updates does not change their result. Other nouns have theirs in their own files: components, drift, metrics.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Cube, Invalid, ScoredWindow

__all__ = ["Accumulator", "Overview", "PixelCounts", "Sample", "SampleOfPixels"]


class Accumulator(Protocol):
    """What every accumulator does."""

    def update(self, piece: ScoredWindow) -> None:
        """Take in one window."""

    def merge(self, other: Any) -> None:
        """Take in what another of the same kind gathered elsewhere."""

    def finish(self) -> Any:
        """The value."""


@dataclass
class PixelCounts:
    """Pixels in all, valid, anomalous, and invalid by reason; and the summed score of the valid ones."""

    total: int = 0
    anomalous: int = 0
    reasons: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Invalid), np.int64))

    def update(self, piece: ScoredWindow) -> None:
        """Count one window."""
        self.total += piece.window.size
        self.anomalous += int(piece.anomalous.sum())
        left = piece.window.size
        for kind in Invalid:  # most windows have one or two; a count of equals is a fraction of a histogram's cost
            if left:
                here = int(np.count_nonzero(piece.cube.reason == kind))
                self.reasons[kind] += here
                left -= here

    def merge(self, other: PixelCounts) -> None:
        """Add another's counts."""
        self.total += other.total
        self.anomalous += other.anomalous
        self.reasons = self.reasons + other.reasons

    @property
    def valid(self) -> int:
        """Valid pixels so far."""
        return int(self.reasons[Invalid.VALID])

    def finish(self) -> dict[str, Any]:
        """The ``pixels`` section of report.json."""
        return {
            "total": self.total,
            "valid": self.valid,
            "anomalous": self.anomalous,
            "invalid_by_reason": {kind.label: int(self.reasons[kind]) for kind in Invalid if kind != Invalid.VALID},
        }


@dataclass(frozen=True, eq=False)
class Sample:
    """Some pixels of a scene, with all that is known of them."""

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    values: NDArray[np.float32]
    """``(bands, n)``"""
    expected: NDArray[np.float32]
    """``(bands, n)``: their reconstructions; NaN where not asked for."""
    score: NDArray[np.float32]
    kl: NDArray[np.float32]


@dataclass
class SampleOfPixels:
    """The valid pixels on a lattice of the scene: every ``step``-th row and column."""

    step: int
    pieces: list[Sample] = field(default_factory=list)

    @staticmethod
    def step_for(rows: int, cols: int, pixels: int) -> int:
        """The smallest spacing that leaves at most about ``pixels``; 1 where all fit."""
        return max(1, int(np.ceil(np.sqrt(rows * cols / max(1, pixels))))) if rows * cols > pixels else 1

    def at(self, cube: Cube) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns, within the window, of the lattice's valid pixels."""
        w = cube.window
        rows = np.arange(-w.row % self.step, w.rows, self.step)
        cols = np.arange(-w.col % self.step, w.cols, self.step)
        r, c = (a.ravel() for a in np.meshgrid(rows, cols, indexing="ij"))
        good = cube.reason[r, c] == Invalid.VALID
        return r[good], c[good]

    def update(self, piece: ScoredWindow, expected: NDArray[np.float32] | None = None) -> None:
        """Take the lattice's pixels of one window; ``expected`` ``(bands, n)`` belongs to those that :meth:`at` gives."""
        w = piece.window
        r, c = self.at(piece.cube)
        values = piece.cube.values[:, r, c]
        told = np.full_like(values, np.nan) if expected is None else expected
        self.pieces.append(Sample(r + w.row, c + w.col, values, told, piece.parts.score[r, c], piece.parts.kl[r, c]))

    def merge(self, other: SampleOfPixels) -> None:
        """Take in another's pixels."""
        self.pieces += other.pieces

    def finish(self) -> Sample:
        """All of them, in row-major order of the scene."""
        if not self.pieces:
            none, bare, short = np.zeros(0, np.int64), np.zeros((0, 0), np.float32), np.zeros(0, np.float32)
            return Sample(none, none, bare, bare, short, short)
        whole = [np.concatenate([getattr(p, f.name) for p in self.pieces], axis=-1) for f in fields(Sample)]
        order = np.lexsort((whole[1], whole[0]))
        return Sample(*(a[..., order] for a in whole))


@dataclass
class Overview:
    """A picture of the scene at one in ``step`` pixels: the highest score, its KL, whether any is anomalous, three bands.

    ``step`` divides 64, so that no overview pixel straddles two windows.
    """

    rows: int
    cols: int
    step: int
    rgb: tuple[int, int, int]
    """0-based bands shown as red, green and blue."""

    def __post_init__(self) -> None:
        shape = (-(-self.rows // self.step), -(-self.cols // self.step))
        self.score = np.full(shape, np.nan, np.float32)
        self.kl = np.full(shape, np.nan, np.float32)
        self.anomalous = np.zeros(shape, bool)
        # A scene of patches is shown in its own pixels instead, several a patch, once all of it was scored.
        self.composite = np.full((3, *shape), np.nan, np.float32)

    @staticmethod
    def step_for(rows: int, cols: int, pixels: int) -> int:
        """The smallest power of two up to 64 that brings the scene to about ``pixels``."""
        step = 1
        while step < 64 and rows * cols / step**2 > pixels:
            step *= 2
        return step

    def update(self, piece: ScoredWindow) -> None:
        """Draw one window, whose offsets are multiples of the step."""
        w, k = piece.window, self.step
        place = (slice(w.row // k, -(-(w.row + w.rows) // k)), slice(w.col // k, -(-(w.col + w.cols) // k)))
        self.score[place], self.kl[place] = _highest(piece.parts.score, piece.parts.kl, k)
        self.anomalous[place] = _any(piece.anomalous, k)
        shown = piece.cube.values[list(self.rgb), ::k, ::k].astype(np.float32)
        self.composite[(slice(None), *place)] = np.where(piece.cube.valid[::k, ::k], shown, np.float32(np.nan))

    def merge(self, other: Overview) -> None:
        """Take in another's windows."""
        fresh = np.isnan(self.score)
        self.score = np.where(fresh, other.score, self.score)
        self.kl = np.where(fresh, other.kl, self.kl)
        self.anomalous |= other.anomalous
        self.composite = np.where(np.isnan(self.composite), other.composite, self.composite)

    def finish(self) -> Overview:
        """Itself."""
        return self


def _highest(
    score: NDArray[np.float32], beside: NDArray[np.float32], step: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each ``step x step`` block the highest score, NaN only where all are, and what stands beside it.

    Where several pixels of a block score as high, the highest of what stands beside them.
    """
    if step == 1:
        return score, beside
    rows, cols = score.shape
    if rows % step or cols % step:
        beyond = ((0, -rows % step), (0, -cols % step))
        score, beside = (np.pad(a, beyond, constant_values=np.nan) for a in (score, beside))
    best = _block_max(score, step)
    is_best = score.reshape(len(best), step, -1) == np.repeat(best, step, axis=1)[:, None, :]
    return best, _block_max(np.where(is_best.reshape(score.shape), beside, np.float32(np.nan)), step)


def _block_max(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Of each ``step x step`` block the highest that is a number: first down the columns, which is quick."""
    tall: NDArray[np.float32] = np.fmax.reduce(values.reshape(-1, step, values.shape[1]), axis=1)
    best = tall[:, ::step].copy()
    for col in range(1, step):
        np.fmax(best, tall[:, col::step], out=best)
    return best


def _any(flags: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Whether any of each ``step x step`` block is set."""
    rows, cols = -(-flags.shape[0] // step), -(-flags.shape[1] // step)
    whole = np.zeros((rows * step, cols * step), bool)
    whole[: flags.shape[0], : flags.shape[1]] = flags
    return np.asarray(whole.reshape(rows, step, cols, step).any(axis=(1, 3)))
