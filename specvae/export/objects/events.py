"""Events: objects that lie within a few pixels of each other, such as the pieces of one fire."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from specvae.components import components

__all__ = ["GAP", "events_of"]

GAP = 3.0
"""Pixels between the outlines of two objects, at most, that belong to one event."""


def events_of(polygons: NDArray[Any], evidence: NDArray[np.floating], gap: float = GAP) -> NDArray[np.int64]:
    """``(n,)``: the number of each object's event, 1 for that of the most evidence in all.

    ``polygons`` ``(n,)`` are in pixels; ``evidence`` ``(n,)`` is summed over the objects of an event.

    Examples
    --------
    >>> squares = shapely.box([0, 4, 50], [0, 0, 0], [2, 6, 51], [2, 2, 1])
    >>> events_of(squares, np.array([5.0, 5.0, 20.0])).tolist()
    [2, 2, 1]
    """
    if not len(polygons):
        return np.zeros(0, np.int64)
    first, second = shapely.STRtree(polygons).query(polygons, predicate="dwithin", distance=gap)
    group = components(len(polygons), first, second)
    total = np.bincount(group, evidence)
    # Of events of the same evidence the one whose first object comes first leads: groups are numbered in that order.
    rank = np.empty(len(total), np.int64)
    rank[np.argsort(-total, kind="stable")] = np.arange(1, len(total) + 1)
    return rank[group]
