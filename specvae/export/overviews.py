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
    if len(block) == 1:
        return _highest(block[0], nodata)[None]
    # Each pixel of two columns and then of two rows is chosen by its score, and all bands come from it: the terms of a pixel of
    # the overview add up to its score, which the highest of each band by itself would not.
    return _chosen(_chosen(block, nodata, axis=2), nodata, axis=1)


def _chosen(block: NDArray[Any], nodata: float, axis: int) -> NDArray[Any]:
    """Half the size along an axis, rounded up: of two pixels the second where its first band is higher, or the first has none."""
    along = (slice(None),) * axis
    first, second = block[(*along, slice(0, None, 2))], block[(*along, slice(1, None, 2))]
    best = first.copy()
    paired = best[(*along, slice(0, second.shape[axis]))]
    one, other = paired[0], second[0]
    lacks, has = (np.isnan(one), ~np.isnan(other)) if np.isnan(nodata) else (one == nodata, other != nodata)
    higher = ((other > one) | lacks) & has
    for band, values in zip(paired, second, strict=True):
        np.copyto(band, values, where=higher)
    return best


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
