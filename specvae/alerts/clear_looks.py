"""Clear looks: which valid pixels of a night are looks at the ground, and the mean of each with its neighbours."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.past import pieces

__all__ = ["EDGE", "SIGHT", "clear_looks", "mean_around"]

Bits = NDArray[np.bool_]
Number = TypeVar("Number", np.float32, np.uint8)
Floats = NDArray[np.float32]
EDGE = 4
"""Pixels around a cloud that are no clear looks: masks end before clouds and their shadows do."""
SIGHT = EDGE + 2
"""Pixels around a pixel that decide whether it is a clear look."""
_RECIPROCAL = (1 / np.maximum(np.arange(10), 1)).astype(np.float32)


def clear_looks(normal: Floats, seen: Bits) -> Bits:
    """Where the normal scores ``(rows, cols)`` of a night, NaN where invalid, are clear looks.

    ``seen``: ground that had a clear look before; what is invalid there tonight is taken for clouds, what never had one for the
    edge of the scene.
    """
    clear = np.isfinite(normal)
    if clear.all():
        return clear
    # A single invalid pixel is a speck of the sensor: clouds are at least three pixels wide.
    cloud = _all_around(~clear & seen)
    return clear & ~_any_within(cloud, EDGE + 1) if cloud.any() else clear


def mean_around(normal: Floats, clear: Bits) -> Floats:
    """The mean normal score ``(rows, cols)`` of the clear pixels among the 3 x 3 around each, of those inside the array."""
    means = np.empty_like(normal)
    for rows in pieces(*normal.shape):
        wide = slice(max(0, rows.start - 1), rows.stop + 1)
        own = slice(rows.start - wide.start, rows.stop - wide.start)
        total = _sum_around(np.where(clear[wide], normal[wide], np.float32(0)))[own]
        np.multiply(total, np.take(_RECIPROCAL, _sum_around(clear[wide].view(np.uint8))[own]), out=means[rows])
    return means


def _sum_around(values: NDArray[Number]) -> NDArray[Number]:
    """The sum over the 3 x 3 around each pixel, of the pixels inside the array."""
    # Rows first, then columns: the sum of a pixel does not depend on where the array begins.
    total = values.copy()
    total[1:] += values[:-1]
    total[:-1] += values[1:]
    wide = total.copy()
    wide[:, 1:] += total[:, :-1]
    wide[:, :-1] += total[:, 1:]
    return wide


def _all_around(mask: Bits) -> Bits:
    """Where all of the 3 x 3 pixels around, as far as they are inside the array, are True."""
    return ~_any_within(~mask, 1)


def _any_within(mask: Bits, reach: int) -> Bits:
    """Where any pixel of the square of ``2 * reach + 1`` around is True."""
    for axis in (0, 1):
        turned = np.moveaxis(mask, axis, 0)
        grown = turned.copy()
        for step in range(1, reach + 1):
            grown[step:] |= turned[:-step]
            grown[:-step] |= turned[step:]
        mask = np.moveaxis(grown, 0, axis)
    return mask
