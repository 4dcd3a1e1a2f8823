"""Polygons in any CRS over a scene, rasterised window by window."""

from __future__ import annotations

from abc import ABC, abstractmethod

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
from specvae.ingest.decision import Decision
from specvae.ingest.grid import Grid
from specvae.ingest.masks.vector_files import read_shapes
from specvae.ingest.options import IngestOptions
from specvae.ingest.validity import Mask
from specvae.spectra import Window

__all__ = ["PolygonOverlay", "open_polygons"]

AREAS = ("Polygon", "MultiPolygon", "GeometryCollection")
"""Types of geometries that have an area."""


class PolygonOverlay(ABC):
    """Polygons over a scene: what lies inside is marked, masked or anomalous."""

    def __init__(self, path: str, grid: Grid, mask_values: tuple[str, ...]) -> None:
        self.path, self.grid, self._mask_values = path, grid, mask_values
        self.decisions: tuple[Decision, ...] = ()

    @abstractmethod
    def marked(self, window: Window) -> Mask:
        """Pixels whose centre lies inside any polygon, ``(rows, cols)``."""

    def excluded(self, window: Window) -> Mask:
        """Pixels whose centre lies inside. Raises InputError where --mask-values were given, which polygons lack."""
        if self._mask_values:
            raise InputError(f"--mask-values names values of a raster, but --mask {self.path} holds polygons")
        return self.marked(window)

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """1 inside, anomalous, and 0 outside, normal; nothing is unknown."""
        return self.marked(window).astype(np.uint8)

    def close(self) -> None:
        """Do nothing: no file is held open."""
        return


class Polygons(PolygonOverlay):
    """Polygons over a scene with an affine transform, in the scene's coordinates."""

    def __init__(self, shapes: list[BaseGeometry], path: str, grid: Grid, mask_values: tuple[str, ...]) -> None:
        super().__init__(path, grid, mask_values)
        self._shapes, self._tree = shapes, STRtree(shapes)

    def marked(self, window: Window) -> Mask:
        """Pixels whose centre lies inside any polygon, ``(rows, cols)``."""
        place = RasterioWindow(window.col, window.row, window.cols, window.rows)
        transform = window_transform(place, self.grid.transform)
        # Most windows meet few of thousands of polygons, and rasterize would go through all of them.
        near = self._tree.query(box(*array_bounds(window.rows, window.cols, transform)))
        shape = (window.rows, window.cols)
        if not len(near):
            return np.zeros(shape, bool)
        inside = rasterize([(self._shapes[i], 1) for i in near], out_shape=shape, transform=transform, dtype=np.uint8)
        return np.asarray(inside == 1)


class PlacedPolygons(PolygonOverlay):
    """Polygons over a scene that control points or RPCs place: the coordinates of each pixel's centre are computed."""

    def __init__(self, shapes: list[BaseGeometry], path: str, grid: Grid, mask_values: tuple[str, ...]) -> None:
        super().__init__(path, grid, mask_values)
        # Outlines that cross themselves are common where people draw them, and would make the union fail.
        self._area = shapely.union_all([shapely.make_valid(shape) for shape in shapes])
        # An index, built once, for every window asks about tens of thousands of points.
        shapely.prepare(self._area)

    def marked(self, window: Window) -> Mask:
        """Pixels whose centre lies inside any polygon, ``(rows, cols)``."""
        rows, cols = np.mgrid[window.row : window.row + window.rows, window.col : window.col + window.cols] + 0.5
        x, y = self.grid.place(rows.ravel(), cols.ravel())
        return np.asarray(shapely.contains_xy(self._area, x, y)).reshape(window.rows, window.cols)


def open_polygons(path: str, grid: Grid, purpose: str, options: IngestOptions) -> PolygonOverlay:
    """The polygons at ``path`` in the coordinates of ``grid``. Raises InputError where they cannot be placed."""
    frame, decisions = read_shapes(path, purpose, grid)
    shapes = [s for s in frame.geometry if s is not None and not s.is_empty and s.geom_type in AREAS]
    if not shapes:
        raise InputError(f"--{purpose} {path} holds no polygon; give areas, not points or lines")
    if not grid.placed and (grid.gcps or grid.rpcs):
        overlay: PolygonOverlay = PlacedPolygons(shapes, path, grid, options.mask_values)
    else:
        overlay = Polygons([*shapes, *_around_the_world(shapes, grid)], path, grid, options.mask_values)
    overlay.decisions = decisions
    return overlay


def _around_the_world(shapes: list[BaseGeometry], grid: Grid) -> list[BaseGeometry]:
    """Copies of shapes a turn further east or west, where a grid in degrees reaches beyond the antimeridian."""
    if grid.crs is None or not grid.crs.is_geographic:
        return []
    place = box(*array_bounds(grid.rows, grid.cols, grid.transform))
    turned = [translate(shape, turn) for turn in (-360.0, 360.0) for shape in shapes]
    return [shape for shape in turned if shape.intersects(place)]
