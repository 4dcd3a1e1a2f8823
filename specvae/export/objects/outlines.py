"""Outlines of objects: drawn from the anomaly map tile by tile, within a stated amount of work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import MultiPolygon

from specvae.components import label
from specvae.scoring.gathered.object_table import ObjectTable
from specvae.spectra import Window

__all__ = ["outlines", "traced"]

Flags = Callable[[Window], NDArray[np.bool_]]
LARGEST_BOX = 1 << 22
"""Pixels of a bounding box up to which the exact outline is drawn."""
ALL_BOXES = 1 << 28
"""Pixels of all bounding boxes together, up to which outlines are drawn."""
SMALL_SIDE = 64
"""Side of a bounding box up to which objects are drawn together."""
TILE = 512
"""Side of the squares of pixels in which small objects are drawn together."""
MOST_EDGES = 200_000
"""Pixel edges of an outline, up to which it is drawn."""
ALL_CORNERS = 1_000_000
"""Corners of the outlines of large objects together, up to which they are drawn; some 100 bytes each until they are written."""


def outlines(table: ObjectTable, flags: Flags) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """``(n,)`` MultiPolygons in pixel coordinates (x = col, y = row), and which are exact.

    ``flags`` gives the anomalous pixels ``(rows, cols)`` of a window. An object too large or too ragged to draw in
    bounded time is given as its bounding box.
    """
    polygons = shapely.multipolygons(
        shapely.box(table.col, table.row, table.right, table.bottom), indices=np.arange(len(table))
    )
    rows, cols = table.bottom - table.row, table.right - table.col
    exact = table.pixels == rows * cols
    small = ~exact & (np.maximum(rows, cols) <= SMALL_SIDE)
    for members in _by_tile(table, small):
        polygons[members] = _drawn_together(table, members, flags)
    exact |= small
    size = np.where(~exact & (rows * cols <= LARGEST_BOX), rows * cols, 0)
    corners = 0
    for i in np.flatnonzero((size > 0) & (np.cumsum(size) <= ALL_BOXES)):
        if corners > ALL_CORNERS:
            break
        window = Window(int(table.row[i]), int(table.col[i]), int(rows[i]), int(cols[i]))
        outline = _outline(flags(window), window, int(table.peak_row[i]), int(table.peak_col[i]))
        if outline is not None:
            polygons[i], exact[i] = outline, True
            corners += int(shapely.get_num_coordinates(outline))
    return polygons, exact


def _by_tile(table: ObjectTable, chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The indices of the chosen objects, in groups of those that begin in the same tile."""
    index = np.flatnonzero(chosen)
    if not index.size:
        return []
    tile = np.stack([table.row[index] // TILE, table.col[index] // TILE])
    order = np.lexsort(tile[::-1])
    return np.split(index[order], 1 + np.flatnonzero((np.diff(tile[:, order]) != 0).any(axis=0)))


def _drawn_together(table: ObjectTable, members: NDArray[np.intp], flags: Flags) -> NDArray[Any]:
    """The outlines of objects that lie near each other."""
    row, col = int(table.row[members].min()), int(table.col[members].min())
    window = Window(row, col, int(table.bottom[members].max()) - row, int(table.right[members].max()) - col)
    labels, count = label(flags(window))
    owner = np.zeros(count + 1, np.int32)
    owner[labels[table.peak_row[members] - row, table.peak_col[members] - col]] = np.arange(1, len(members) + 1)
    owner[0] = 0
    return traced(owner[labels], len(members), window)


def _outline(flags: NDArray[np.bool_], window: Window, peak_row: int, peak_col: int) -> Any:
    """The MultiPolygon of the component that holds the peak; None where it is too ragged."""
    labels, _ = label(flags)
    component = labels == labels[peak_row - window.row, peak_col - window.col]
    padded = np.pad(component, 1)
    edges = int((padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum())
    return None if edges > MOST_EDGES else traced(component.astype(np.int32), 1, window)[0]


def traced(owner: NDArray[np.int32], count: int, window: Window) -> NDArray[Any]:
    """``(count,)`` MultiPolygons of the pixels of ``window`` that are 1, 2 ... ``count`` in ``owner``; 0 is no object.

    The 4-connected parts of an object touch only at corners, so that together they make a valid MultiPolygon.
    """
    traced = list(shapes(owner, mask=owner > 0, connectivity=4))
    order = np.argsort([value for _, value in traced], kind="stable")
    parts = [traced[i][0]["coordinates"] for i in order]
    rings = [ring for part in parts for ring in part]
    corners = np.add([corner for ring in rings for corner in ring], (window.col, window.row))
    of = np.array([traced[i][1] for i in order])
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.MULTIPOLYGON,
        corners,
        (
            _offsets([len(ring) for ring in rings]),
            _offsets([len(part) for part in parts]),
            np.searchsorted(of, np.arange(1, count + 2)),
        ),
    )
    for i in np.flatnonzero(~shapely.is_valid(polygons)):  # rings that touch themselves at a corner
        union = shapely.union_all(shapely.make_valid(shapely.get_parts(polygons[i])))
        polygons[i] = union if isinstance(union, MultiPolygon) else MultiPolygon([union])
    return np.asarray(polygons, object)


def _offsets(lengths: list[int]) -> NDArray[np.int64]:
    """Where each of some runs begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
