"""Files of objects: GeoPackage, GeoJSON (RFC 7946) and GeoParquet; an empty layer where there is none."""

from __future__ import annotations

import math
import sqlite3
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import shapely
from rasterio.errors import CRSError

from specvae.errors import OutputError, UsageError
from specvae.export.contents import OBJECTS_GEOJSON, OBJECTS_GEOPACKAGE, OBJECTS_GEOPARQUET
from specvae.export.objects.geopackage import LAYER, POINTS, GeoLayer, write_geopackage
from specvae.export.objects.rows import ObjectRows
from specvae.export.qgis_object_styles import outline_style, point_style

__all__ = ["FORMATS", "write_objects"]

FORMATS = {
    "gpkg": OBJECTS_GEOPACKAGE.name,
    "geojson": OBJECTS_GEOJSON.name,
    "parquet": OBJECTS_GEOPARQUET.name,
}
"""The file of each format that ``--objects`` names."""
NO_EARTH = "Coordinates are not longitude and latitude on Earth but those of"
NO_PLACE = "Coordinates are columns and rows of the raster: nothing places it on Earth."


def write_objects(rows: ObjectRows, folder: Path, formats: tuple[str, ...] = ("gpkg",)) -> list[Path]:
    """Write objects in each format. Raises OutputError where it cannot be written."""
    unknown = set(formats) - set(FORMATS)
    if unknown:
        raise UsageError(f"objects cannot be written as {', '.join(sorted(unknown))}; use {', '.join(FORMATS)}")
    paths = []
    for name in dict.fromkeys(formats):
        path = folder / FORMATS[name]
        try:
            WRITERS[name](rows, path)
        except (OSError, sqlite3.Error) as error:
            raise OutputError(f"{path} cannot be written: {error}; is the disk full?") from None
        paths.append(path)
    return paths


def _geopackage(rows: ObjectRows, path: Path) -> None:
    """Write a GeoPackage."""
    try:
        write_geopackage(_layers(rows), path)
    except CRSError:  # a reference system that only the second WKT can say
        _ogr(rows.to_frame(), path, "GPKG", {"SPATIAL_INDEX": "YES"})


def _layers(rows: ObjectRows) -> list[GeoLayer]:
    """The objects as outlines, and once more as points inside them, which stay visible however far one zooms out."""
    points = replace(rows, geometry=shapely.point_on_surface(rows.geometry))
    return [
        GeoLayer(LAYER, rows, style=outline_style()),
        GeoLayer(POINTS, points, "POINT", point_style()),
    ]


def _geojson(rows: ObjectRows, path: Path) -> None:
    """RFC 7946: longitude and latitude, outer rings counter-clockwise, cut at the antimeridian."""
    import pyproj

    frame = rows.to_frame()
    if frame.crs is None:
        _ogr(frame, path, "GeoJSON", {"DESCRIPTION": NO_PLACE})
        return
    try:
        turned = frame.to_crs(4326)
    except pyproj.exceptions.ProjError:  # another planet, or a plan of a building
        _ogr(
            frame.set_crs(None, allow_override=True), path, "GeoJSON", {"DESCRIPTION": f"{NO_EARTH} {frame.crs.name}."}
        )
        return
    if len(turned) and max(abs(edge) for edge in turned.total_bounds[[1, 3]]) > 90:  # a grid that goes on beyond a pole
        turned = turned.set_geometry(turned.geometry.clip_by_rect(-math.inf, -90.0, math.inf, 90.0))
    _ogr(turned, path, "GeoJSON", {"RFC7946": "YES"})


def _geoparquet(rows: ObjectRows, path: Path) -> None:
    """Write GeoParquet."""
    rows.to_frame().to_parquet(path, index=False, compression="zstd")


def _ogr(frame: Any, path: Path, driver: str, layer_options: dict[str, str]) -> None:
    """Write a GeoDataFrame with one of GDAL's drivers."""
    import pyogrio  # brings pandas along, which a GeoPackage alone need not wait for

    path.unlink(missing_ok=True)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*crs.*was not provided.*")
            pyogrio.write_dataframe(
                frame,
                path,
                layer=LAYER,
                driver=driver,
                geometry_type="MultiPolygon",
                promote_to_multi=True,
                layer_options=layer_options,
            )
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise OSError(error) from None


WRITERS = {"gpkg": _geopackage, "geojson": _geojson, "parquet": _geoparquet}
