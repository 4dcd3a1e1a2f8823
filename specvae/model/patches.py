"""Patches: squares of pixels as one spectrum of channels x rows x cols values, and where they begin.

A patch is anchored to multiples of its side in the pixels of the CRS, not of the scene, so that a crop changes none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Window

__all__ = ["Lattice", "band_means", "by_band", "to_patches", "to_pixels"]

TIE = 1e-6
"""Corners that lie half-way between pixels of the CRS, as in Landsat's grids, are rounded up, whatever their last bits."""


@dataclass(frozen=True)
class Lattice:
    """Where the patches of a scene lie."""

    side: int
    """Pixels."""
    row: int
    """Scene row of the first patch's corner, 0 or less."""
    col: int
    rows: int
    """Patches; the last ones may hang over the scene's border."""
    cols: int

    @classmethod
    def over(cls, shape: tuple[int, int], side: int, corner: tuple[float, float] = (0.0, 0.0)) -> Lattice:
        """Patches that cover a scene of ``shape`` (rows, cols) whose ``corner`` (row, col) lies there in the CRS's pixels.

        Examples
        --------
        >>> Lattice.over((100, 64), 16, corner=(20.0, 32.0))
        Lattice(side=16, row=-4, col=0, rows=7, cols=4)
        """
        # The remainder in Python is never negative, so the first patch begins at or above the scene's corner.
        row, col = (-(math.floor(at + 0.5 + TIE) % side) for at in corner)
        return cls(side, row, col, -(-(shape[0] - row) // side), -(-(shape[1] - col) // side))

    def pixels(self, window: Window) -> Window:
        """The pixels under a window of patches, in scene coordinates, possibly beyond the scene."""
        n = self.side
        return Window(self.row + window.row * n, self.col + window.col * n, window.rows * n, window.cols * n)


def to_patches(values: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """``(bands, rows * side, cols * side) -> (bands * side * side, rows, cols)``, each band's pixels row by row."""
    bands, rows, cols = values.shape
    cut = values.reshape(bands, rows // side, side, cols // side, side).transpose(0, 2, 4, 1, 3)
    return np.ascontiguousarray(cut.reshape(bands * side * side, rows // side, cols // side), np.float32)


def to_pixels(values: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """The way back: ``(bands * side * side, rows, cols) -> (bands, rows * side, cols * side)``."""
    many, rows, cols = values.shape
    cut = values.reshape(many // side**2, side, side, rows, cols).transpose(0, 3, 1, 4, 2)
    return np.ascontiguousarray(cut.reshape(many // side**2, rows * side, cols * side), np.float32)


def by_band(values: NDArray[np.floating], side: int) -> NDArray[np.floating]:
    """``(bands * side * side, ...) -> (bands, side * side, ...)``, a view: to sum or average over a patch's pixels."""
    return values.reshape(len(values) // side**2, side**2, *values.shape[1:])


def band_means(values: NDArray[np.float32], side: int | None) -> NDArray[np.float32]:
    """``(bands * side * side, ...)`` patches -> ``(bands, ...)`` means; spectra as they are."""
    return values if side is None else np.asarray(by_band(values, side).mean(axis=1), np.float32)
