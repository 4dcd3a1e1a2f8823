"""Connected components: of a graph, and of the True pixels of a mask.

They are what scipy.ndimage and scipy.sparse give, in the same order. Those two take longer to import than a small scene
takes to score; and here only True pixels are visited, which are few among those of a scene.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["components", "label", "touching_groups"]

Nodes = NDArray[np.int64]


def label(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Number the 8-connected components of a mask ``(rows, cols)`` from 1 in the order of their first pixels.

    Returns the numbers ``(rows, cols)``, 0 where the mask is False, and how many components there are.
    """
    rows, cols = mask.shape
    at = np.flatnonzero(mask)
    component = touching_groups(at, cols)
    labels = np.zeros(rows * cols, np.int32)
    labels[at] = component + 1
    return labels.reshape(rows, cols), int(component.max(initial=-1)) + 1


def touching_groups(at: Nodes, cols: int) -> Nodes:
    """The 8-connected component ``(n,)`` of each of some pixels of a raster of ``cols`` columns, numbered as by :func:`label`.

    ``at`` ``(n,)``: their places ``row * cols + col``, ascending; memory grows with these alone and not with the raster.
    """
    # A column that is empty between the rows keeps runs of pixels from going on in the next row.
    width = cols + 1
    wide = at + at // cols
    begins = np.diff(wide, prepend=-2) > 1
    first, last = wide[begins], wide[np.append(begins[1:], True)[: wide.size]]
    component = components(first.size, *_touching_below(first, last, width))
    return np.asarray(component[np.cumsum(begins) - 1])


def _touching_below(first: Nodes, last: Nodes, width: int) -> tuple[Nodes, Nodes]:
    """Pairs of runs of which the second touches the first from the row below, by a side or a corner."""
    start = np.searchsorted(last, first + width - 1, side="left")
    stop = np.searchsorted(first, last + width + 1, side="right")
    count = stop - start
    upper = np.repeat(np.arange(first.size), count)
    step = np.arange(upper.size) - np.repeat(np.cumsum(count) - count, count)
    return upper, np.repeat(start, count) + step


def components(n: int, first: NDArray[np.integer], second: NDArray[np.integer]) -> Nodes:
    """The component ``(n,)`` of each of ``n`` nodes, joined by edges from ``first`` to ``second``.

    Components are numbered from 0 in the order of their lowest nodes.
    """
    root = np.arange(n)
    while first.size:
        one, other = root[first], root[second]
        apart = one != other
        first, second = first[apart], second[apart]
        low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
        # Every root that has a lower one beside it goes below the lowest of those, so that in each round at least half
        # of the roots of a component that are not yet one disappear.
        np.minimum.at(root, high, low)
        above = root[root]
        while not np.array_equal(above, root):
            root, above = above, above[above]
    _, component = np.unique(root, return_inverse=True)
    return np.asarray(component, np.int64)
