"""Outlines of objects: drawn from the anomaly map tile by tile, within a stated amount of work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from scipy import ndimage
from shapely.geometry import MultiPolygon, shape

from specvae.components.table import ObjectTable
from specvae.spectra import Window

__all__ = ["outlines"]

Flags = Callable[[Window], NDArray[np.bool_]]
EIGHT_CONNECTED = np.ones((3, 3), np.int8)
LARGEST_BOX = 1 << 22
"""Pixels of a bounding box up to which the exact outline is drawn."""
ALL_BOXES = 1 << 28
"""Pixels of all bounding boxes together, up to which outlines are drawn."""
SMALL_SIDE = 64
"""Side of a bounding box up to which objects are drawn together, from their runs of pixels."""
TILE = 512
"""Side of the squares in which they are."""
MOST_EDGES = 200_000
"""Pixel edges of an outline, up to which it is drawn."""


def outlines(table: ObjectTable, flags: Flags) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """``(n,)`` MultiPolygons in pixel coordinates (x = col, y = row), and which are exact.

    ``flags`` gives the anomalous pixels ``(rows, cols)`` of a window. An object too large or too ragged to draw in
    bounded time is given as its bounding box.
    """
    found = shapely.multipolygons(
        shapely.box(table.col, table.row, table.right, table.bottom), indices=np.arange(len(table))
    )
    rows, cols = table.bottom - table.row, table.right - table.col
    exact = table.pixels == rows * cols
    small = ~exact & (np.maximum(rows, cols) <= SMALL_SIDE)
    for members in _by_tile(table, small):
        found[members] = _drawn_together(table, members, flags)
    exact |= small
    size = np.where(~exact & (rows * cols <= LARGEST_BOX), rows * cols, 0)
    for i in np.flatnonzero((size > 0) & (np.cumsum(size) <= ALL_BOXES)):
        window = Window(int(table.row[i]), int(table.col[i]), int(rows[i]), int(cols[i]))
        outline = _outline(flags(window), window, int(table.peak_row[i]), int(table.peak_col[i]))
        if outline is not None:
            found[i], exact[i] = outline, True
    return found, exact


def _by_tile(table: ObjectTable, chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The chosen objects' indices, those that begin in one tile together."""
    index = np.flatnonzero(chosen)
    if not index.size:
        return []
    tile = np.stack([table.row[index] // TILE, table.col[index] // TILE])
    order = np.lexsort(tile[::-1])
    return np.split(index[order], 1 + np.flatnonzero((np.diff(tile[:, order]) != 0).any(axis=0)))


def _drawn_together(table: ObjectTable, members: NDArray[np.intp], flags: Flags) -> NDArray[Any]:
    """The outlines of objects that lie near each other: unions of the rectangles that runs of pixels in a row make."""
    row, col = int(table.row[members].min()), int(table.col[members].min())
    window = Window(row, col, int(table.bottom[members].max()) - row, int(table.right[members].max()) - col)
    labels, count = ndimage.label(flags(window), EIGHT_CONNECTED)
    owner = np.full(count + 1, -1)
    owner[labels[table.peak_row[members] - row, table.peak_col[members] - col]] = np.arange(len(members))
    owner[0] = -1
    owned = np.pad(owner[labels], ((0, 0), (1, 1)), constant_values=-1)
    changes = owned[:, 1:] != owned[:, :-1]
    at, first = np.nonzero(changes & (owned[:, 1:] >= 0))
    _, end = np.nonzero(changes & (owned[:, :-1] >= 0))
    of = owned[at, first + 1]
    runs = shapely.box(first + col, at + row, end + col, at + row + 1)
    return _united(runs, of, len(members))


def _united(runs: NDArray[Any], of: NDArray[np.intp], count: int) -> NDArray[Any]:
    """The union of each object's runs, ``of`` being whose each is; corners on a straight edge are left out."""
    order = np.argsort(of, kind="stable")
    place = np.arange(of.size) - np.searchsorted(of[order], of[order])
    found = np.empty(count, object)
    length = np.bincount(of, minlength=count)
    for low in 2 ** np.arange(int(length.max()).bit_length()):  # rows as long as one another, or nearly
        alike = (length >= low) & (length < 2 * low)
        if not alike.any():
            continue
        table = np.full((count, 2 * low), None, object)
        mine = alike[of[order]]
        table[of[order][mine], place[mine]] = runs[order][mine]
        found[alike] = shapely.simplify(shapely.union_all(table[alike], axis=1), 0)
    single = shapely.get_type_id(found) == shapely.GeometryType.POLYGON
    found[single] = shapely.multipolygons(found[single], indices=np.arange(int(single.sum())))
    return found


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
    parts = [shape(geometry) for geometry, _ in shapes(mine.astype(np.uint8), mask=mine, connectivity=4)]
    whole = MultiPolygon(parts)
    if not whole.is_valid:  # rings that touch themselves at a corner
        whole = shapely.union_all([shapely.make_valid(part) for part in parts])
        whole = whole if isinstance(whole, MultiPolygon) else MultiPolygon([whole])
    return shapely.transform(whole, lambda xy: np.add(xy, (window.col, window.row)))
