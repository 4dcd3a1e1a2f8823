"""The table of objects as people read it: where each lies, how large it is, how odd, and which bands drive it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as warp

from specvae.export.objects.outlines import outlines
from specvae.export.objects.rows import ObjectRows
from specvae.ingest.grid import Grid
from specvae.ingest.scene.area import pixel_areas
from specvae.scoring.gathered.object_table import ObjectTable
from specvae.spectra import Window

__all__ = ["TOP_BANDS", "longitude_latitude", "object_rows", "placed"]

TOP_BANDS = 3


def object_rows(
    table: ObjectTable,
    grid: Grid,
    labels: tuple[str, ...],
    flags: Callable[[Window], NDArray[np.bool_]] | None,
    p_values: NDArray[np.floating] | None = None,
) -> ObjectRows:
    """One row an object, in the order of the table.

    ``labels`` names the bands; ``flags`` gives the anomalous pixels of a window, and None leaves the
    objects without outlines. ``area_m2``, ``lon`` and ``lat``
    are missing where nothing places the raster on Earth. Their CRS is the raster's.
    """
    rows, cols = table.centroid
    lon, lat = longitude_latitude(grid, rows, cols)
    share = np.where(table.score > 0, table.score, np.nan)
    columns: dict[str, NDArray[Any]] = {
        "id": np.arange(1, len(table) + 1),
        "pixels": table.pixels,
        "area_m2": _areas(grid, rows) * table.pixels,
        "peak": table.peak.astype(np.float64),
        "mean": table.mean,
        "reconstruction_share": table.reconstruction / share,
        "kl_share": table.kl / share,
        "p_value": np.full(len(table), np.nan) if p_values is None else np.asarray(p_values, np.float64),
        "bands": np.array(_top_bands(table, labels), object),
        "lon": lon,
        "lat": lat,
        "row": table.peak_row,
        "col": table.peak_col,
    }
    if flags is None:
        return ObjectRows(columns, np.full(len(table), None, object), grid.place_crs)
    polygons, exact = outlines(table, flags)
    columns["outline"] = np.where(exact, "exact", "box").astype(object)
    return ObjectRows(columns, placed(polygons, grid), grid.place_crs)


def _top_bands(table: ObjectTable, labels: tuple[str, ...]) -> list[str]:
    """For each object, the bands with the largest contributions, each with its mean signed deviation."""
    if not len(table.contribution):
        return [""] * len(table)
    order = np.argsort(-table.contribution, axis=0, kind="stable")[:TOP_BANDS]
    deviation = np.take_along_axis(table.deviation / table.pixels, order, axis=0)
    top = zip(order.T.tolist(), deviation.T.tolist(), strict=True)
    return [", ".join(f"{labels[b]} {d:+.1f}" for b, d in zip(*pair, strict=True)) for pair in top]


def _areas(grid: Grid, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square metres of a pixel at each of these rows ``(n,)``; NaN where not known."""
    if not rows.size:
        return np.zeros(0)
    first, last = int(rows.min()), int(rows.max())
    areas = pixel_areas(grid, first, last - first + 1)
    if areas is None:
        return np.full(rows.size, np.nan)
    return np.asarray(areas[np.clip(rows.astype(int) - first, 0, len(areas) - 1)])


def longitude_latitude(
    grid: Grid, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude of positions ``(n,)``; NaN where nothing places the raster."""
    crs = grid.place_crs
    if crs is None or not rows.size:
        return np.full(rows.size, np.nan), np.full(rows.size, np.nan)
    x, y = grid.place(rows, cols)
    try:
        lon, lat = (np.asarray(a, np.float64) for a in warp(crs, CRS.from_epsg(4326), x, y))
    except (RasterioError, CPLE_BaseError, ValueError):  # another planet, or a plan of a building
        return np.full(rows.size, np.nan), np.full(rows.size, np.nan)
    return np.where(np.isfinite(lon), lon, np.nan), np.where(np.isfinite(lat), lat, np.nan)


def placed(polygons: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """The polygons in the coordinates of the grid instead of pixels, their outer rings counter-clockwise."""

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(grid.place(xy[:, 1], xy[:, 0]))

    if not len(polygons):
        return polygons
    return np.asarray(shapely.orient_polygons(shapely.transform(polygons, place)), object)
