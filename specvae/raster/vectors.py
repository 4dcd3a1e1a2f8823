"""Polygons of any CRS, brought to a scene's grid and burnt into its windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.raster.grid import Grid
from specvae.spectra import Window

__all__ = ["Polygons", "is_vector"]

ENDINGS = {".gpkg", ".geojson", ".json", ".shp", ".parquet", ".fgb", ".kml", ".gml", ".zip"}


def is_vector(path: str) -> bool:
    """Whether a path is taken for polygons rather than a raster."""
    return Path(path).suffix.lower() in ENDINGS


class Polygons:
    """The polygons of a file, on a scene's grid."""

    def __init__(self, path: str, grid: Grid) -> None:
        import geopandas

        if not Path(path).exists():
            raise InputError(f"there is no file {path}; expected polygons (GeoPackage, GeoJSON, Shapefile, ...)")
        try:
            frame = geopandas.read_file(path)
        except Exception as error:
            raise InputError(f"{path} cannot be read as polygons: {error}") from None
        frame = frame[frame.geometry.notna() & frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"])]
        if frame.empty:
            raise InputError(f"{path} holds no polygon; expected areas, not points or lines")
        if frame.crs is not None and grid.crs is not None and frame.crs != grid.crs:
            frame = frame.to_crs(grid.crs)
        self.shapes: list[Any] = list(frame.geometry)
        self.grid = grid

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """``(rows, cols)``: True where a pixel's centre lies in a polygon."""
        from affine import Affine
        from rasterio.features import rasterize

        transform = self.grid.transform * Affine.translation(window.col, window.row)
        burnt = rasterize(
            self.shapes, (window.rows, window.cols), transform=transform, fill=0, default_value=1, dtype="uint8"
        )
        return np.asarray(burnt, bool)
