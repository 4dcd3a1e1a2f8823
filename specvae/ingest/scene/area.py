"""Areas of pixels on the ground: by the unit of a projected CRS, on the ellipsoid of a geographic one."""

from __future__ import annotations

import math

import numpy as np
import pyproj
from numpy.typing import NDArray

from specvae.ingest.grid import Grid

__all__ = ["pixel_areas"]

FloatArray = NDArray[np.float64]


def pixel_areas(grid: Grid, row: int, rows: int) -> FloatArray | None:
    """Square metres of a pixel in each of these rows, ``(rows,)``; None where they are not known.

    A projected CRS gives the same for all, in its own linear unit, unless it distorts areas by more than 1 % there
    (Web Mercator by a factor of 4 at 60 degrees), which is put right; a geographic one the area on its ellipsoid
    between the row's parallels (authalic latitude; Snyder 1987, eq. 3-12).
    """
    try:
        return _areas(grid, row, rows)
    except pyproj.exceptions.ProjError:  # a CRS that PROJ cannot work with
        return None


def _areas(grid: Grid, row: int, rows: int) -> FloatArray | None:
    """Square metres of a pixel in each of these rows; None without a CRS or transform. Raises ProjError."""
    crs = grid.crs
    if crs is None or not grid.placed:
        return None
    cell = abs(float(grid.transform.determinant))
    if crs.is_projected:
        metre = float(crs.linear_units_factor[1])
        return np.asarray(cell * metre * metre / _areal_scale(grid, row, rows))
    return _on_ellipsoid(grid, row, rows, cell) if crs.is_geographic else None


def _areal_scale(grid: Grid, row: int, rows: int) -> FloatArray:
    """How many times too large the projection shows an area, in the middle of each row; 1 where it is right to 1 %."""
    projection = pyproj.Proj(pyproj.CRS.from_wkt(grid.crs.to_wkt() if grid.crs else ""))
    x, y = grid.place(np.arange(row, row + rows, dtype=np.float64) + 0.5, np.full(rows, grid.cols / 2))
    longitude, latitude = projection(x, y, inverse=True)
    here = np.isfinite(longitude) & np.isfinite(latitude)
    scale = np.ones(rows)
    if here.any():
        at = (np.asarray(longitude)[here], np.asarray(latitude)[here])
        # Without the check, a place outside the projection's domain gives infinity, put to 1 below, not an exception.
        scale[here] = projection.get_factors(*at, errcheck=False).areal_scale
    scale[~np.isfinite(scale) | (scale <= 0)] = 1.0
    # UTM is right to 0.2 % in its zone: there a pixel of 10 m stays 100 m2 to the reader, in all rows alike.
    return scale if np.abs(scale - 1).max() > 0.01 else np.ones(rows)


def _on_ellipsoid(grid: Grid, row: int, rows: int, cell: float) -> FloatArray:
    """Square metres of cells of ``cell`` square degrees at the latitude of each row."""
    system = pyproj.CRS.from_wkt(grid.crs.to_wkt() if grid.crs else "")
    a = system.ellipsoid.semi_major_metre if system.ellipsoid else 6378137.0
    b = (system.ellipsoid.semi_minor_metre if system.ellipsoid else None) or a
    # Not every geographic CRS counts in degrees: those of the old French maps have grads.
    degree = system.axis_info[0].unit_conversion_factor if system.axis_info else 0.0
    degree = degree or math.pi / 180
    t = grid.transform
    edges = t.d * grid.cols / 2 + t.e * np.arange(row, row + rows + 1, dtype=np.float64) + t.f
    height = np.abs(np.diff(edges))
    # Clipped, for grids whose outermost pixels have their centres on the poles reach beyond them.
    band = np.abs(np.diff(_authalic(np.clip(edges * degree, -math.pi / 2, math.pi / 2), a, b)))
    width = np.divide(cell, height, out=np.zeros(rows), where=height > 0) * degree
    return np.asarray(band * width)


def _authalic(latitude: FloatArray, a: float, b: float) -> FloatArray:
    """Area from the equator to ``latitude`` on an ellipsoid, square metres per radian of longitude."""
    s = np.sin(latitude)
    e2 = 1 - (b / a) ** 2
    # A sphere: the formula below divides by e, which is 0 there; this is its limit.
    if e2 < 1e-12:
        return np.asarray(a * a * s)
    e = math.sqrt(e2)
    return np.asarray(a * a * (1 - e2) / 2 * (s / (1 - e2 * s * s) + np.arctanh(e * s) / e))
