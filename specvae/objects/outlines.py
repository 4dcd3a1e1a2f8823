"""Outlines of objects: each polygonised in its own bounding box of the anomaly map, within a stated amount of work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from scipy import ndimage
from shapely.geometry import MultiPolygon, box, shape

from specvae.components.table import ObjectTable
from specvae.spectra import Window

__all__ = ["outlines"]

EIGHT_CONNECTED = np.ones((3, 3), np.int8)
LARGEST_BOX = 1 << 22
"""Pixels of a bounding box up to which the exact outline is drawn."""
ALL_BOXES = 1 << 28
"""Pixels of all bounding boxes together, up to which outlines are drawn."""
SMALL_BOX = 1 << 12
"""Pixels of a bounding box up to which runs of pixels are united, which is quicker than to polygonise."""
MOST_EDGES = 200_000
"""Pixel edges of an outline, up to which it is drawn."""


def outlines(
    table: ObjectTable, flags: Callable[[Window], NDArray[np.bool_]]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """``(n,)`` MultiPolygons in pixel coordinates (x = col, y = row), and which are exact.

    ``flags`` gives the anomalous pixels ``(rows, cols)`` of a window. An object too large or too ragged to draw in
    bounded time is given as its bounding box.
    """
    found = np.empty(len(table), object)
    exact = np.zeros(len(table), bool)
    size = (table.bottom - table.row) * (table.right - table.col)
    drawn = (size <= LARGEST_BOX) & (np.cumsum(np.where(size <= LARGEST_BOX, size, 0)) <= ALL_BOXES)
    for i in np.lexsort((table.col // 512, table.row // 512)):  # neighbours together: a block is decoded once
        window = Window(
            int(table.row[i]),
            int(table.col[i]),
            int(table.bottom[i] - table.row[i]),
            int(table.right[i] - table.col[i]),
        )
        outline = None
        if table.pixels[i] == size[i]:
            outline = _box(window)
        elif drawn[i]:
            outline = _outline(flags(window), window, int(table.peak_row[i]), int(table.peak_col[i]))
        exact[i] = outline is not None
        found[i] = outline or _box(window)
    return found, exact


def _box(window: Window) -> MultiPolygon:
    return MultiPolygon([box(window.col, window.row, window.col + window.cols, window.row + window.rows)])


def _outline(flags: NDArray[np.bool_], window: Window, peak_row: int, peak_col: int) -> MultiPolygon | None:
    """The component that holds the peak; None where it is too ragged.

    Its 4-connected parts touch only at corners, so that together they make a valid MultiPolygon.
    """
    labels, _ = ndimage.label(flags, EIGHT_CONNECTED)
    mine = labels == labels[peak_row - window.row, peak_col - window.col]
    padded = np.pad(mine, 1)
    edges = int((padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum())
    if edges > MOST_EDGES:
        return None
    if mine.size <= SMALL_BOX:
        return _united_runs(mine, window)
    parts = [shape(geometry) for geometry, _ in shapes(mine.astype(np.uint8), mask=mine, connectivity=4)]
    whole = MultiPolygon(parts)
    if not whole.is_valid:  # rings that touch themselves at a corner
        whole = shapely.union_all([shapely.make_valid(part) for part in parts])
        whole = whole if isinstance(whole, MultiPolygon) else MultiPolygon([whole])
    return shapely.transform(whole, lambda xy: np.add(xy, (window.col, window.row)))


def _united_runs(mine: NDArray[np.bool_], window: Window) -> MultiPolygon:
    """The union of the rectangles that a row's runs of pixels make."""
    steps = np.diff(mine.astype(np.int8), axis=1, prepend=0, append=0)
    row, first = np.nonzero(steps == 1)
    _, end = np.nonzero(steps == -1)
    row = row + window.row
    whole = shapely.union_all(shapely.box(first + window.col, row, end + window.col, row + 1))
    whole = shapely.simplify(whole, 0)  # corners of rectangles that lie on a straight edge
    return whole if isinstance(whole, MultiPolygon) else MultiPolygon([whole])
