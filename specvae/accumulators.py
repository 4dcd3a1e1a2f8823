"""Whatever is gathered over windows: update with a scored window, merge with another shard's, finish to a value.

The same accumulators serve windows of one scene, processes of one machine and workers of a cluster. Their order of
updates does not change their result. Other nouns have theirs in their own files: components, drift, metrics.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Invalid, ScoredWindow

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
        self.reasons += np.bincount(piece.cube.reason.ravel(), minlength=len(Invalid))

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


@dataclass(frozen=True)
class Sample:
    """Some pixels of a scene, with all that is known of them."""

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    values: NDArray[np.float32]
    """``(bands, n)``"""
    score: NDArray[np.float32]


@dataclass
class SampleOfPixels:
    """The valid pixels on a lattice of the scene: every ``step``-th row and column."""

    step: int
    pieces: list[Sample] = field(default_factory=list)

    def update(self, piece: ScoredWindow) -> None:
        """Take the lattice's pixels of one window."""
        w = piece.window
        rows = np.arange(-w.row % self.step, w.rows, self.step)
        cols = np.arange(-w.col % self.step, w.cols, self.step)
        r, c = (a.ravel() for a in np.meshgrid(rows, cols, indexing="ij"))
        good = piece.cube.reason[r, c] == Invalid.VALID
        r, c = r[good], c[good]
        self.pieces.append(Sample(r + w.row, c + w.col, piece.cube.values[:, r, c], piece.parts.score[r, c]))

    def merge(self, other: SampleOfPixels) -> None:
        """Take in another's pixels."""
        self.pieces += other.pieces

    def finish(self) -> Sample:
        """All of them, in row-major order of the scene."""
        rows = np.concatenate([p.rows for p in self.pieces]) if self.pieces else np.zeros(0, np.int64)
        cols = np.concatenate([p.cols for p in self.pieces]) if self.pieces else np.zeros(0, np.int64)
        order = np.lexsort((cols, rows))
        if not self.pieces:
            return Sample(rows, cols, np.zeros((0, 0), np.float32), np.zeros(0, np.float32))
        values = np.concatenate([p.values for p in self.pieces], axis=1)[:, order]
        return Sample(rows[order], cols[order], values, np.concatenate([p.score for p in self.pieces])[order])


@dataclass
class Overview:
    """A picture of the scene at one in ``step`` pixels: the highest score, whether any is anomalous, three bands.

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
        self.anomalous = np.zeros(shape, bool)
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
        self.score[place] = _block_max(piece.parts.score, k, np.float32(np.nan))
        self.anomalous[place] = _block_max(piece.anomalous, k, False)
        shown = piece.cube.values[list(self.rgb), ::k, ::k].astype(np.float32)
        self.composite[(slice(None), *place)] = np.where(piece.cube.valid[::k, ::k], shown, np.float32(np.nan))

    def merge(self, other: Overview) -> None:
        """Take in another's windows."""
        fresh = np.isnan(self.score)
        self.score = np.where(fresh, other.score, self.score)
        self.anomalous |= other.anomalous
        self.composite = np.where(np.isnan(self.composite), other.composite, self.composite)

    def finish(self) -> Overview:
        """Itself."""
        return self


def _block_max(array: NDArray[Any], step: int, fill: Any) -> NDArray[Any]:
    """Maximum over ``step x step`` blocks, NaN ignored; the last ones may be smaller."""
    if step == 1:
        return array
    rows, cols = -(-array.shape[0] // step) * step, -(-array.shape[1] // step) * step
    whole = np.full((rows, cols), fill, array.dtype)
    whole[: array.shape[0], : array.shape[1]] = array
    blocks = whole.reshape(rows // step, step, cols // step, step)
    if array.dtype.kind == "f":
        return np.asarray(np.fmax.reduce(np.fmax.reduce(blocks, axis=3), axis=1))
    return np.asarray(blocks.any(axis=(1, 3)))
