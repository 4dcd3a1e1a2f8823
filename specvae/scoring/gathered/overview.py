"""An overview: a picture of the scene at one in several pixels, gathered over windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import ScoredWindow

__all__ = ["Overview"]

LARGEST_STEP = 64


@dataclass
class Overview:
    """Accumulator of a picture of the scene at one in ``step`` pixels.

    Of each square of ``step`` by ``step`` pixels it holds the highest score, so that single pixels stay visible, its KL
    term, whether any is anomalous, and three bands of the first pixel. Windows start at multiples of ``step``, so that no
    square lies in two of them.
    """

    rows: int
    """Rows of the scene."""
    cols: int
    """Columns of the scene."""
    step: int
    """Side of a square, pixels."""
    rgb: tuple[int, int, int]
    """0-based bands shown as red, green and blue."""
    before_rgb: tuple[int, int, int] | None = None
    """The same of the earlier date's bands; None for a scene of one date."""

    def __post_init__(self) -> None:
        shape = (-(-self.rows // self.step), -(-self.cols // self.step))
        self.score = np.full(shape, np.nan, np.float32)
        self.kl = np.full(shape, np.nan, np.float32)
        self.anomalous = np.zeros(shape, bool)
        # A scene of patches is shown in its own pixels instead, several a patch, once all of it was scored.
        self.composite = np.full((3, *shape), np.nan, np.float32)
        self.before = None if self.before_rgb is None else self.composite.copy()

    @staticmethod
    def step_for(rows: int, cols: int, pixels: int) -> int:
        """The smallest power of two up to 64 that brings the scene to about ``pixels``."""
        step = 1
        while step < LARGEST_STEP and rows * cols / step**2 > pixels:
            step *= 2
        return step

    def update(self, piece: ScoredWindow) -> None:
        """Draw one window, whose offsets are multiples of the step."""
        window, step = piece.window, self.step
        rows = slice(window.row // step, -(-(window.row + window.rows) // step))
        cols = slice(window.col // step, -(-(window.col + window.cols) // step))
        self.score[rows, cols], self.kl[rows, cols] = _highest(piece.parts.score, piece.parts.kl, step)
        self.anomalous[rows, cols] = _any(piece.anomalous, step)
        valid = piece.cube.valid[::step, ::step]

        def shown(values: NDArray[np.float32], bands: tuple[int, int, int]) -> NDArray[np.float32]:
            return np.where(valid, values[list(bands), ::step, ::step].astype(np.float32), np.float32(np.nan))

        self.composite[:, rows, cols] = shown(piece.cube.values, self.rgb)
        if self.before is not None and self.before_rgb is not None and piece.before is not None:
            self.before[:, rows, cols] = shown(piece.before, self.before_rgb)

    def merge(self, other: Overview) -> None:
        """Take in another's windows."""
        fresh = np.isnan(self.score)
        self.score = np.where(fresh, other.score, self.score)
        self.kl = np.where(fresh, other.kl, self.kl)
        self.anomalous |= other.anomalous
        self.composite = np.where(np.isnan(self.composite), other.composite, self.composite)
        if self.before is not None and other.before is not None:
            self.before = np.where(np.isnan(self.before), other.before, self.before)

    def finish(self) -> Overview:
        """The overview itself."""
        return self


def _highest(
    score: NDArray[np.float32], beside: NDArray[np.float32], step: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The highest score of each ``step x step`` square, NaN only where all are, and the value of ``beside`` there.

    Where several pixels of a square score as high, the highest of their values.
    """
    if step == 1:
        return score, beside
    rows, cols = score.shape
    if rows % step or cols % step:
        beyond = ((0, -rows % step), (0, -cols % step))
        score, beside = (np.pad(a, beyond, constant_values=np.nan) for a in (score, beside))
    best = _block_max(score, step)
    # NaN equals nothing: a square without a score has no best pixel, and its other value stays NaN too.
    is_best = score.reshape(len(best), step, -1) == np.repeat(best, step, axis=1)[:, None, :]
    return best, _block_max(np.where(is_best.reshape(score.shape), beside, np.float32(np.nan)), step)


def _block_max(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """The highest number of each ``step x step`` square: first over its rows, which numpy does many columns at once."""
    # fmax, since maximum would let one NaN hide all the numbers of a square.
    tall: NDArray[np.float32] = np.fmax.reduce(values.reshape(-1, step, values.shape[1]), axis=1)
    best = tall[:, ::step].copy()
    for col in range(1, step):
        np.fmax(best, tall[:, col::step], out=best)
    return best


def _any(flags: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Whether any of each ``step x step`` square is set."""
    rows, cols = -(-flags.shape[0] // step), -(-flags.shape[1] // step)
    padded = np.zeros((rows * step, cols * step), bool)
    padded[: flags.shape[0], : flags.shape[1]] = flags
    return np.asarray(padded.reshape(rows, step, cols, step).any(axis=(1, 3)))
