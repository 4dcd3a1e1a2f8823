"""Pixels gathered over windows: their counts by reason, and a sample of them with all that is known."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Cube, Explanation, Invalid, ScoredWindow

__all__ = ["PixelCounts", "PixelSection", "Sample", "SampleOfPixels"]


class PixelSection(TypedDict):
    """The ``pixels`` section of report.json."""

    total: int
    valid: int
    anomalous: int
    invalid_by_reason: dict[str, int]


@dataclass
class PixelCounts:
    """Accumulator of the numbers of all, valid and anomalous pixels, and of invalid ones by reason."""

    total: int = 0
    """Pixels of all windows."""
    anomalous: int = 0
    """Pixels above the threshold."""
    reasons: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Invalid), np.int64))
    """``(len(Invalid),)``: pixels by reason, the valid ones first."""

    def update(self, piece: ScoredWindow) -> None:
        """Count one window."""
        self.total += piece.window.size
        self.anomalous += int(piece.anomalous.sum())
        remaining = piece.window.size
        for kind in Invalid:  # most windows have one or two; counting equals takes a fraction of a histogram's time
            if remaining:
                here = int(np.count_nonzero(piece.cube.reason == kind))
                self.reasons[kind] += here
                remaining -= here

    def merge(self, other: PixelCounts) -> None:
        """Add another's counts."""
        self.total += other.total
        self.anomalous += other.anomalous
        self.reasons = self.reasons + other.reasons

    @property
    def valid(self) -> int:
        """Number of valid pixels so far."""
        return int(self.reasons[Invalid.VALID])

    def finish(self) -> PixelSection:
        """The counts so far."""
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
    """``(n,)``: rows of the scene."""
    cols: NDArray[np.int64]
    """``(n,)``: columns of the scene."""
    values: NDArray[np.float32]
    """``(bands, n)``: their spectra, physical units."""
    expected: NDArray[np.float32]
    """``(bands, n)``: what was expected of them; NaN where not asked for."""
    contribution: NDArray[np.float32]
    """``(bands, n)``: nats of each band, which add up to the score; NaN where not asked for."""
    score: NDArray[np.float32]
    """``(n,)``: their scores, nats."""
    kl: NDArray[np.float32]
    """``(n,)``: their KL terms, nats."""


@dataclass
class SampleOfPixels:
    """Accumulator of :class:`Sample`: the valid pixels on a lattice of the scene, every ``step``-th row and column."""

    step: int
    """Spacing of the lattice, pixels."""
    pieces: list[Sample] = field(default_factory=list)
    """The sample of each window so far."""

    @staticmethod
    def step_for(rows: int, cols: int, pixels: int) -> int:
        """The smallest spacing that leaves at most about ``pixels``; 1 where all fit."""
        return max(1, int(np.ceil(np.sqrt(rows * cols / max(1, pixels))))) if rows * cols > pixels else 1

    def at(self, cube: Cube) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns, within the window, of the lattice's valid pixels."""
        window = cube.window
        # Counted from the scene's first row, so that the same pixels are sampled however the windows divide it.
        rows = np.arange(-window.row % self.step, window.rows, self.step)
        cols = np.arange(-window.col % self.step, window.cols, self.step)
        rows, cols = (places.ravel() for places in np.meshgrid(rows, cols, indexing="ij"))
        valid = cube.reason[rows, cols] == Invalid.VALID
        return rows[valid], cols[valid]

    def update(self, piece: ScoredWindow, why: Explanation | None = None) -> None:
        """Take the lattice's pixels of one window; ``why`` belongs to those that :meth:`at` gives."""
        window, parts = piece.window, piece.parts
        rows, cols = self.at(piece.cube)
        values = piece.cube.spectra(rows, cols)
        unknown = np.full_like(values, np.nan)
        expected, contribution = (unknown, unknown) if why is None else (why.expected, why.contribution)
        places, terms = (rows + window.row, cols + window.col), (parts.score[rows, cols], parts.kl[rows, cols])
        self.pieces.append(Sample(*places, values, expected, contribution, *terms))

    def merge(self, other: SampleOfPixels) -> None:
        """Take in another's pixels."""
        self.pieces += other.pieces

    def finish(self) -> Sample:
        """The pixels of all windows so far, in row-major order of the scene."""
        if not self.pieces:
            places, spectra, terms = np.zeros(0, np.int64), np.zeros((0, 0), np.float32), np.zeros(0, np.float32)
            return Sample(places, places, spectra, spectra, spectra, terms, terms)
        columns = [np.concatenate([getattr(p, f.name) for p in self.pieces], axis=-1) for f in fields(Sample)]
        # Windows and shards end in any order; the sample must not show it.
        order = np.lexsort((columns[1], columns[0]))
        return Sample(*(column[..., order] for column in columns))
