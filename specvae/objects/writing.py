"""Files of objects: GeoPackage, GeoJSON (RFC 7946) and GeoParquet; an empty layer where there is none."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pyogrio
import pyproj

from specvae.errors import OutputError, UsageError

__all__ = ["FORMATS", "write_objects"]

FORMATS = {"gpkg": "objects.gpkg", "geojson": "objects.geojson", "parquet": "objects.parquet"}
LAYER = "objects"
NO_EARTH = "Coordinates are not longitude and latitude on Earth but those of"
NO_PLACE = "Coordinates are columns and rows of the raster: nothing places it on Earth."


def write_objects(frame: Any, folder: Path, formats: tuple[str, ...] = ("gpkg",)) -> list[Path]:
    """Write a GeoDataFrame of objects in each format. Raises OutputError where it cannot be written."""
    unknown = set(formats) - set(FORMATS)
    if unknown:
        raise UsageError(f"objects cannot be written as {', '.join(sorted(unknown))}; use {', '.join(FORMATS)}")
    paths = []
    for name in dict.fromkeys(formats):
        path = folder / FORMATS[name]
        try:
            WRITERS[name](frame, path)
        except (OSError, pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            raise OutputError(f"{path} cannot be written: {error}; is the disk full?") from None
        paths.append(path)
    return paths


def _geopackage(frame: Any, path: Path) -> None:
    _ogr(frame, path, "GPKG", {"SPATIAL_INDEX": "YES"})


def _geojson(frame: Any, path: Path) -> None:
    """RFC 7946: longitude and latitude, outer rings counter-clockwise, cut at the antimeridian."""
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
    _ogr(turned, path, "GeoJSON", {"RFC7946": "YES"})


def _geoparquet(frame: Any, path: Path) -> None:
    frame.to_parquet(path, index=False, compression="zstd")


def _ogr(frame: Any, path: Path, driver: str, layer_options: dict[str, str]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*crs.*was not provided.*")
        pyogrio.write_dataframe(
            frame, path, layer=LAYER, driver=driver, geometry_type="MultiPolygon", promote_to_multi=True,
            layer_options=layer_options,
        )  # fmt: skip


WRITERS = {"gpkg": _geopackage, "geojson": _geojson, "parquet": _geoparquet}
