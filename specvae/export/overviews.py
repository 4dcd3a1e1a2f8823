"""Overviews of maps that keep what is anomalous: of each four pixels the one with the highest score.

GDAL has no resampling of overviews that keeps a single anomalous pixel: averages dilute it, and the nearest pixel is
another one in three of four cases. So overviews are pooled here: each pixel of an overview is the one of its four that
has the highest first band, all bands taken from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Window

__all__ = ["begins_and_ends_in_fours", "pooled"]


def pooled(block: NDArray[Any], nodata: float) -> NDArray[Any]:
    """``(bands, rows, cols)`` -> half the size, rounded up: of each 2 x 2 the pixel with the highest first band."""
    bands, rows, cols = block.shape
    if bands == 1:
        return _highest(block[0], nodata)[None]
    tall, wide = -(-rows // 2), -(-cols // 2)
    padded = np.full((bands, 2 * tall, 2 * wide), nodata, block.dtype)
    padded[:, :rows, :cols] = block
    squares = padded.reshape(bands, tall, 2, wide, 2).transpose(0, 1, 3, 2, 4).reshape(bands, tall, wide, 4)
    # All bands come from the pixel that wins by its score: the terms of a pixel of the overview add up to its score,
    # which the highest of each band by itself would not.
    score = squares[0].astype(np.float32)
    key = np.where(np.isnan(score) | (score == nodata), -np.inf, score)
    return np.take_along_axis(squares, key.argmax(axis=-1)[None, :, :, None], axis=-1)[..., 0]


def _highest(band: NDArray[Any], nodata: float) -> NDArray[Any]:
    """``(rows, cols)`` -> half the size: of each 2 x 2 the highest value that is not nodata."""
    if np.isnan(nodata):
        return _pairs(_pairs(band).T).T
    if band.dtype.kind == "u" and nodata == np.iinfo(band.dtype).max:
        # One more, and nodata, the highest unsigned number, overflows to 0, the lowest: no mask has to be made.
        one = band.dtype.type(1)
        return np.asarray(_pairs(_pairs(band + one).T).T - one)
    best = _pairs(_pairs(np.where(band == nodata, np.float32(np.nan), band)).T).T
    return np.asarray(np.where(np.isnan(best), nodata, best), band.dtype)


def _pairs(values: NDArray[Any]) -> NDArray[Any]:
    """Half the rows, rounded up: of each two values the higher, of a number and NaN the number."""
    best = values[::2].copy()
    np.fmax(best[: len(values) // 2], values[1::2], out=best[: len(values) // 2])
    return best


def begins_and_ends_in_fours(window: Window, size: tuple[int, int]) -> bool:
    """Whether a window of a raster of this size begins and ends where a pixel of its overview does."""
    ends = ((window.row + window.rows, size[0]), (window.col + window.cols, size[1]))
    return window.row % 2 == window.col % 2 == 0 and all(end % 2 == 0 or end == last for end, last in ends)
