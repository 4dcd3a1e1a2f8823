"""Polygons in any CRS over a scene, burnt window by window."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import array_bounds
from rasterio.windows import Window as RasterioWindow
from rasterio.windows import transform as window_transform
from shapely import STRtree
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from specvae.errors import InputError
from specvae.raster.grid import Grid
from specvae.spectra import Window

__all__ = ["Polygons", "is_vector", "open_polygons"]

SUFFIXES = {".shp", ".gpkg", ".geojson", ".json", ".kml", ".kmz", ".fgb", ".gml", ".geojsonl", ".parquet", ".geoparquet",
            ".gdb", ".tab", ".sqlite"}  # fmt: skip


def is_vector(path: str) -> bool:
    """Whether a path is read as polygons, by its ending."""
    name = path.casefold().removesuffix(".zip")
    return os.path.splitext(name)[1] in SUFFIXES


class Polygons:
    """Polygons in the coordinates of a scene."""

    def __init__(self, shapes: list[BaseGeometry], grid: Grid) -> None:
        self.shapes, self.grid = shapes, grid
        self._tree = STRtree(shapes)

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """Pixels whose centre lies inside any polygon, ``(rows, cols)``."""
        place = RasterioWindow(window.col, window.row, window.cols, window.rows)
        transform = window_transform(place, self.grid.transform)
        near = self._tree.query(box(*array_bounds(window.rows, window.cols, transform)))
        shape = (window.rows, window.cols)
        if not len(near):
            return np.zeros(shape, bool)
        burnt = rasterize([(self.shapes[i], 1) for i in near], out_shape=shape, transform=transform, dtype=np.uint8)
        return np.asarray(burnt == 1)


def open_polygons(path: str, grid: Grid, what: str) -> Polygons:
    """The polygons at ``path`` in the coordinates of ``grid``. Raises InputError where they cannot be placed."""
    frame = _read(path, what)
    if frame.crs is not None and grid.crs is None:
        where = "ground control points only" if grid.gcps else "RPCs only" if grid.rpcs else "no CRS"
        raise InputError(f"--{what} {path} has coordinates in {frame.crs.name}, but the scene has {where}")
    if frame.crs is not None:
        try:
            frame = frame.to_crs(grid.crs)
        except Exception as error:
            raise InputError(f"--{what} {path} cannot be brought to the scene's CRS: {error}") from error
    shapes = [shape for shape in frame.geometry if _usable(shape)]
    if not shapes:
        raise InputError(f"--{what} {path} holds no polygon; give areas, not points or lines")
    return Polygons(shapes, grid)


def _read(path: str, what: str) -> Any:
    if not os.path.exists(path):
        raise InputError(f"--{what} {path} does not exist")
    import geopandas  # half a second that most scenes need not pay

    try:
        parquet = path.casefold().endswith(("parquet",))
        return geopandas.read_parquet(path) if parquet else geopandas.read_file(path)
    except Exception as error:
        raise InputError(f"--{what} {path} cannot be read as polygons: {error}") from error


def _usable(shape: BaseGeometry | None) -> bool:
    return (
        shape is not None
        and not shape.is_empty
        and shape.geom_type in ("Polygon", "MultiPolygon", "GeometryCollection")
    )
