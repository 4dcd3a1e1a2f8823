"""The footprint of a scene in longitude and latitude, split where it crosses the antimeridian."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as warp
from shapely import Polygon, affinity, box, make_valid
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from specvae.ingest.grid import Grid

__all__ = ["Geometry", "box_around", "corners", "footprint"]

Geometry = dict[str, Any]
"""A geometry of GeoJSON, as pystac takes it."""
Degrees = NDArray[np.float64]
HALF_TURN, TURN = 180.0, 360.0
EDGE = 16
"""Points along an edge of the scene at which its longitude is looked at."""
WHOLE = 1e-6
"""Degrees that a map of the whole world may lack of a turn, by rounding."""


def corners(grid: Grid) -> list[tuple[float, float]] | None:
    """Longitude and latitude of the four corners, clockwise from the first pixel's, or None.

    Longitudes go on beyond 180 across the antimeridian, so that places between the corners can be interpolated.
    """
    outline = _unwrapped(grid)
    return None if outline is None else [(float(x), float(y)) for x, y in zip(*outline, strict=True)][: 4 * EDGE : EDGE]


def footprint(grid: Grid) -> tuple[Geometry | None, list[float] | None]:
    """GeoJSON geometry and bounding box in longitude and latitude; None and None where nothing places it on Earth.

    Across the antimeridian the geometry is of two polygons, one on each side, and the box has its west larger than its
    east, as GeoJSON wants both (RFC 7946, sections 3.1.9 and 5.2).
    """
    outline = _unwrapped(grid)
    if outline is None:
        return None, None
    lon, lat = outline
    if abs(lon[-1] - lon[0]) > HALF_TURN:  # around a pole
        pole = math.copysign(90.0, lat.mean())
        return _around(min(pole, float(lat.min())), max(pole, float(lat.max())))
    lon, lat = lon[::EDGE], lat[::EDGE]
    south, north = float(lat.min()), float(lat.max())
    if lon.max() - lon.min() >= TURN - WHOLE:
        return _around(south, north)
    # Moved by whole turns so that the scene begins on the map.
    lon = lon - TURN * np.floor((lon.min() + HALF_TURN) / TURN)
    ring = [[float(x), float(y)] for x, y in zip(lon, lat, strict=True)]
    west, east = float(lon.min()), float(lon.max())
    if east <= HALF_TURN:
        return {"type": "Polygon", "coordinates": [ring]}, [west, south, east, north]
    shape = make_valid(Polygon(ring))
    here = shape.intersection(box(-HALF_TURN, -90, HALF_TURN, 90))
    beyond = affinity.translate(shape.intersection(box(HALF_TURN, -90, HALF_TURN + TURN, 90)), -TURN)
    return _geometry(here.union(beyond)), [west, south, east - TURN, north]


def box_around(boxes: list[list[float]]) -> list[float]:
    """The bounding box of boxes in longitude and latitude; that of the whole Earth where there is none.

    Examples
    --------
    >>> box_around([[170.0, -5.0, -175.0, 5.0], [-178.0, 0.0, -170.0, 8.0]])
    [170.0, -5.0, -170.0, 8.0]
    """
    if not boxes:
        return [-HALF_TURN, -90.0, HALF_TURN, 90.0]
    # A box across the antimeridian has its west larger than its east: there, eastern longitudes go on beyond 180.
    crosses = any(west > east for west, _, east, _ in boxes)
    west, south, east, north = zip(*(_beyond(box) if crosses else box for box in boxes), strict=True)
    if max(east) - min(west) >= TURN:
        return [-HALF_TURN, min(south), HALF_TURN, max(north)]
    return [min(west), min(south), max(east) - (TURN if max(east) > HALF_TURN else 0.0), max(north)]


def _beyond(bounds: list[float]) -> list[float]:
    """A box with longitudes from 0 on."""
    west, south, east, north = bounds
    low = west % TURN
    return [low, south, low + (east - west) % TURN, north]


def _unwrapped(grid: Grid) -> tuple[Degrees, Degrees] | None:
    """The outline with longitudes that go on beyond 180, or None."""
    outline = _outline(grid)
    if outline is None:
        return None
    lon, lat = outline
    # Steps between neighbours are small, so that one of more than half a turn goes across the antimeridian.
    steps = (np.diff(lon) + HALF_TURN) % TURN - HALF_TURN
    return lon[0] + np.concatenate(([0.0], np.cumsum(steps))), lat


def _around(south: float, north: float) -> tuple[Geometry, list[float]]:
    """The geometry and the bounding box of a scene of all longitudes."""
    return _geometry(box(-HALF_TURN, south, HALF_TURN, north)), [-HALF_TURN, south, HALF_TURN, north]


def _outline(grid: Grid) -> tuple[Degrees, Degrees] | None:
    """Longitudes and latitudes around the scene from its first corner back to it, ``EDGE`` points an edge, or None."""
    crs = grid.place_crs
    if crs is None or not (grid.placed or grid.gcps or grid.rpcs):
        return None
    corners = np.arange(4 * EDGE + 1) / EDGE
    rows = np.interp(corners, range(5), [0.0, 0.0, grid.rows, grid.rows, 0.0])
    cols = np.interp(corners, range(5), [0.0, grid.cols, grid.cols, 0.0, 0.0])
    try:
        x, y = grid.place(rows, cols)
        lon, lat = (np.asarray(v, float) for v in warp(crs, CRS.from_epsg(4326), list(x), list(y)))
    except (RasterioError, CPLE_BaseError, ValueError):
        return None
    # PROJ answers infinity, without an error, for a place outside a projection's domain.
    return (lon, lat) if np.isfinite(lon).all() and np.isfinite(lat).all() else None


def _geometry(shape: BaseGeometry) -> Geometry:
    """A shape as GeoJSON, with lists for tuples."""
    tree = mapping(shape)
    return {"type": tree["type"], "coordinates": _lists(tree["coordinates"])}


def _lists(part: Any) -> Any:
    """Nested tuples as nested lists."""
    return [_lists(p) for p in part] if isinstance(part, tuple | list) else float(part)
