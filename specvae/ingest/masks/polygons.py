"""Polygons in any CRS over a scene, burnt window by window."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import array_bounds
from rasterio.windows import Window as RasterioWindow
from rasterio.windows import transform as window_transform
from shapely import STRtree
from shapely.affinity import translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from specvae.errors import InputError
from specvae.ingest.grid import Grid
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


class PlacedPolygons:
    """Polygons over a scene that control points or RPCs place: each pixel's centre is looked up."""

    def __init__(self, shapes: list[BaseGeometry], grid: Grid) -> None:
        self.grid = grid
        self._whole = shapely.union_all([shapely.make_valid(shape) for shape in shapes])
        shapely.prepare(self._whole)

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """Pixels whose centre lies inside any polygon, ``(rows, cols)``."""
        rows, cols = np.mgrid[window.row : window.row + window.rows, window.col : window.col + window.cols] + 0.5
        x, y = self.grid.place(rows.ravel(), cols.ravel())
        return np.asarray(shapely.contains_xy(self._whole, x, y)).reshape(window.rows, window.cols)


def open_polygons(path: str, grid: Grid, what: str) -> Polygons | PlacedPolygons:
    """The polygons at ``path`` in the coordinates of ``grid``. Raises InputError where they cannot be placed."""
    frame = _read(path, what)
    if frame.crs is not None and grid.place_crs is None:
        raise InputError(f"--{what} {path} has coordinates in {frame.crs.name}, but the scene has no CRS")
    if frame.crs is not None:
        try:
            frame = frame.to_crs(grid.place_crs)
        except Exception as error:
            raise InputError(f"--{what} {path} cannot be brought to the scene's CRS: {error}") from error
    shapes = [shape for shape in frame.geometry if _usable(shape)]
    if not shapes:
        raise InputError(f"--{what} {path} holds no polygon; give areas, not points or lines")
    if not grid.placed and (grid.gcps or grid.rpcs):
        return PlacedPolygons(shapes, grid)
    return Polygons([*shapes, *_around_the_world(shapes, grid)], grid)


def _around_the_world(shapes: list[BaseGeometry], grid: Grid) -> list[BaseGeometry]:
    """Copies of shapes a turn further east or west, where a grid in degrees reaches beyond the antimeridian."""
    if grid.crs is None or not grid.crs.is_geographic:
        return []
    place = box(*array_bounds(grid.rows, grid.cols, grid.transform))
    turned = [translate(shape, turn) for turn in (-360.0, 360.0) for shape in shapes]
    return [shape for shape in turned if shape.intersects(place)]


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
