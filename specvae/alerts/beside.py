"""What stands beside a pixel may shine into it: a model that looks at a pixel's surroundings finds those of a fire strange.

The fire's edge of some pixels is odd too, but less than the fire; and so is what a shift of the image moves onto its neighbour.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["REACH", "overshadowed", "touches"]

Floats = NDArray[np.float32]
Nodes = NDArray[np.int64]
Rises = Callable[[Nodes], tuple[Floats, Floats]]
DENSE = 100
"""Pixels of a window for each whose surroundings are asked for: with fewer, maps of the whole window are the cheaper way."""
AT_ONCE = 256
"""Pixels whose surroundings are looked at together: their arrays stay in the processor's cache."""
REACH = 7
"""Pixels within which something stronger overshadows a pixel."""
SHADES = (0.6, 0.2)
"""Shares of the strongest rise within REACH below which a pixel's own rise is taken for the other's: of normal scores, which
tell apart what is weak, and of scores, which go on where p-values have no digits any more."""


def overshadowed(rises: Rises, shape: tuple[int, int], at: Nodes) -> NDArray[np.bool_]:
    """Which of some pixels, at ``at`` ``(n,)`` = row * cols + col, stand beside one that has risen much more.

    ``rises`` gives for any such places how far tonight's normal scores and scores (nats) are above what is usual there, NaN
    where invalid; ``shape``: rows and columns. Rows beyond hide nothing.
    """
    if at.size * DENSE > shape[0] * shape[1]:
        return _overshadowed_on_maps(rises, shape, at)
    shaded = np.zeros(at.size, bool)
    for begin in range(0, at.size, AT_ONCE):
        own = slice(begin, begin + AT_ONCE)
        near = rises(_around(at[own], shape))
        for around, rise, share in zip(near, rises(at[own]), SHADES, strict=True):
            shaded[own] |= rise < share * np.fmax.reduce(around, axis=1, initial=-np.inf)
    return shaded


def _overshadowed_on_maps(rises: Rises, shape: tuple[int, int], at: Nodes) -> NDArray[np.bool_]:
    """The same of many pixels: a fire over a part of the window, or thousands of small ones."""
    shaded, everywhere = np.zeros(at.size, bool), np.arange(shape[0] * shape[1])
    for values, rise, share in zip(rises(everywhere), rises(at), SHADES, strict=True):
        shaded |= rise < share * _highest_within(values.reshape(shape)).ravel()[at]
    return shaded


def _highest_within(values: Floats) -> Floats:
    """The highest of ``values`` ``(rows, cols)`` within REACH along rows, columns and diagonals; NaN counts for nothing."""
    highest = np.where(np.isnan(values), np.float32(-np.inf), values)
    for axis in (0, 1):
        edge = [(REACH, REACH) if axis == each else (0, 0) for each in (0, 1)]
        line = np.moveaxis(np.pad(highest, edge, constant_values=-np.inf), axis, 0)
        width = 1
        # The highest of 2, 4, 8, ... pixels in a row, and last of all 2 * REACH + 1.
        while width < 2 * REACH + 1:
            step = min(width, 2 * REACH + 1 - width)
            line, width = np.maximum(line[:-step], line[step:]), width + step
        highest = np.moveaxis(line, 0, axis)
    return highest


def _around(at: Nodes, shape: tuple[int, int]) -> Nodes:
    """The places ``(n, places)`` within REACH of each of some; beyond the edge, that of the edge."""
    rows, cols = shape
    steps = np.arange(-REACH, REACH + 1)
    row, col = (at // cols)[:, None] + steps, (at % cols)[:, None] + steps
    near = np.clip(row, 0, rows - 1)[:, :, None] * cols + np.clip(col, 0, cols - 1)[:, None, :]
    return np.asarray(near.reshape(at.size, -1))


def touches(at: Nodes, others: Nodes, cols: int) -> NDArray[np.bool_]:
    """Which of some pixels ``at`` have one of ``others`` among the eight around them; both row * cols + col, ascending."""
    # A column that is empty between the rows keeps the end of one from touching the beginning of the next.
    width = cols + 1
    own, known = at + at // cols, others + others // cols
    touched = np.zeros(at.size, bool)
    for step in (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1):
        place = np.searchsorted(known, own + step)
        inside = place < known.size
        touched[inside] |= known[place[inside]] == own[inside] + step
    return touched
