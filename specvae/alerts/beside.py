"""What stands beside a pixel: it may be moved onto the pixel by a shift of the image, or shine into it through the model's context.

Two things make a pixel odd whose own ground is as it was. An image that lies part of a pixel further shows a roof's edge where the
ground beside the roof was. And a model that looks at a pixel's surroundings finds the surroundings of a fire strange: the fire's
edge of some pixels is odd too, but less than the fire.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.past import REMARKABLE

__all__ = ["REACH", "overshadowed", "with_neighbours"]

Floats = NDArray[np.float32]
REACH = 7
"""Pixels within which something stronger overshadows a pixel."""
SHADES = (0.6, 0.2)
"""Shares of the strongest rise within REACH below which a pixel's own rise is taken for the other's: of normal scores, which
tell apart what is weak, and of scores, which go on where p-values have no digits any more."""


def with_neighbours(centres: Floats) -> Floats:
    """``(rows, cols)`` centres, in their place the highest of the 3 x 3 around where that is always odd."""
    highest = centres.copy()
    for axis in (0, 1):
        turned, source = np.moveaxis(highest, axis, 0), np.moveaxis(highest.copy(), axis, 0)
        np.maximum(turned[1:], source[:-1], out=turned[1:])
        np.maximum(turned[:-1], source[1:], out=turned[:-1])
    return np.where(highest > REMARKABLE, highest, centres)


def overshadowed(normal: Floats, nats: Floats, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some pixels, at ``rows`` and ``cols`` ``(n,)``, stand beside one that has risen much more.

    ``normal`` and ``nats`` ``(rows, cols)``: how far tonight's normal score and score are above what is usual there; NaN where
    invalid.
    """
    shaded = np.zeros(rows.size, bool)
    for rise, share in zip((normal, nats), SHADES, strict=True):
        shaded |= rise[rows, cols] < share * _strongest(rise, rows, cols)
    return shaded


def _strongest(rise: Floats, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> Floats:
    """The strongest rise within REACH of each of some pixels."""
    strongest = np.full(rows.size, -np.inf, np.float32)
    tall, wide = rise.shape
    for down in range(-REACH, REACH + 1):
        row = np.clip(rows + down, 0, tall - 1)
        for along in range(-REACH, REACH + 1):
            np.fmax(strongest, rise[row, np.clip(cols + along, 0, wide - 1)], out=strongest)
    return strongest
