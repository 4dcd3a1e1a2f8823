"""What stands beside a pixel may shine into it: a model that looks at a pixel's surroundings finds those of a fire strange.

The fire's edge of some pixels is odd too, but less than the fire; and so is what a shift of the image moves onto its neighbour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["REACH", "overshadowed", "touches"]

Floats = NDArray[np.float32]
Nodes = NDArray[np.int64]
REACH = 7
"""Pixels within which something stronger overshadows a pixel."""
SHADES = (0.6, 0.2)
"""Shares of the strongest rise within REACH below which a pixel's own rise is taken for the other's: of normal scores, which
tell apart what is weak, and of scores, which go on where p-values have no digits any more."""


def overshadowed(rises: tuple[Floats, Floats], at: Nodes) -> NDArray[np.bool_]:
    """Which of some pixels, at ``at`` ``(n,)`` = row * cols + col, stand beside one that has risen much more.

    ``rises``: how far tonight's normal scores and scores (nats) are above what is usual there ``(rows, cols)``, NaN where
    invalid. Rows beyond the arrays hide nothing.
    """
    rows, cols = rises[0].shape
    row, col = at // cols, at % cols
    strongest = [np.full(at.size, -np.inf, np.float32) for _ in rises]
    for down in range(-REACH, REACH + 1):
        base = np.clip(row + down, 0, rows - 1) * cols
        for along in range(-REACH, REACH + 1):
            near = base + np.clip(col + along, 0, cols - 1)
            for best, rise in zip(strongest, rises, strict=True):
                np.fmax(best, rise.ravel()[near], out=best)
    shaded = np.zeros(at.size, bool)
    for best, rise, share in zip(strongest, rises, SHADES, strict=True):
        shaded |= rise.ravel()[at] < share * best
    return shaded


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
