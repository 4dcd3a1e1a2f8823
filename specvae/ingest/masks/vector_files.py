"""Vector files: which files are read as polygons, the one inside a zip file, and the coordinates that they are in."""

from __future__ import annotations

import json
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.packed import zip_names
from specvae.ingest.grid import Grid

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["is_vector", "read_shapes"]

SUFFIXES = (
    *(".shp", ".gpkg", ".geojson", ".json", ".kml", ".kmz", ".fgb", ".gml", ".geojsonl", ".parquet", ".geoparquet"),
    *(".gdb", ".tab", ".sqlite"),
)
"""Endings of files that are read as polygons."""
LARGEST_HEAD = 64 << 10
"""Bytes of a GeoJSON file that are looked at for a CRS where the file is too large to parse twice."""


def is_vector(path: str) -> bool:
    """Whether a path is read as polygons: by its ending, or for a zip file by those of its members."""
    name = path.casefold()
    if name.endswith(".zip") and os.path.isfile(path):
        return bool(_inside(path))
    return os.path.splitext(name.removesuffix(".zip"))[1] in SUFFIXES


def read_shapes(path: str, purpose: str, grid: Grid) -> tuple[GeoDataFrame, tuple[Decision, ...]]:
    """The shapes in a vector file in the coordinates of ``grid``, and what was decided about their coordinates.

    Raises InputError where they cannot be read or placed.
    """
    frame, layers = _read(path, purpose)
    decision = None
    if frame.crs is None:
        decision = Decision(
            "place", f"--{purpose} {path} is in the scene's coordinates", "its lack of a CRS", guessed=True
        )
    elif _states_no_crs(path) and not _in_degrees(frame):
        # GeoJSON without a CRS is in longitude and latitude by its standard, which these numbers cannot be.
        evidence = "its numbers, which are no longitudes and latitudes, and its lack of a CRS"
        decision = Decision("place", f"--{purpose} {path} is in the scene's coordinates", evidence, guessed=True)
        frame = frame.set_crs(grid.place_crs, allow_override=True)
    if frame.crs is not None and grid.place_crs is None:
        raise InputError(f"--{purpose} {path} has coordinates in {frame.crs.name}, but the scene has no CRS")
    if frame.crs is not None:
        try:
            frame = frame.to_crs(grid.place_crs)
        except Exception as error:  # PROJ's own errors share no class
            raise InputError(f"--{purpose} {path} cannot be brought to the scene's CRS: {error}") from error
    return frame, (*_first_of(path, purpose, layers), *((decision,) if decision else ()))


def _first_of(path: str, purpose: str, layers: list[str]) -> tuple[Decision, ...]:
    """The decision which layer of several is read."""
    if len(layers) < 2:
        return ()
    chosen = f"--{purpose} {path} is read from its layer {layers[0]}"
    return (Decision("mask", chosen, "its being the first", tuple(layers[1:8]), guessed=True),)


def _read(path: str, purpose: str) -> tuple[GeoDataFrame, list[str]]:
    """The shapes in a vector file with their CRS, and the names of its layers, of which the first is read."""
    if not os.path.exists(path):
        raise InputError(f"--{purpose} {path} does not exist")
    import geopandas  # half a second that most scenes need not pay
    import pyogrio

    try:
        if path.casefold().endswith("parquet"):
            return geopandas.read_parquet(path), []
        place = _one_inside(path, purpose) if path.casefold().endswith(".zip") else path
        layers = [str(name) for name in pyogrio.list_layers(place)[:, 0]]
        return geopandas.read_file(place, layer=layers[0] if layers else None), layers
    except InputError:
        raise
    except Exception as error:  # pyogrio, pyarrow and shapely raise classes of their own
        raise InputError(f"--{purpose} {path} cannot be read as polygons: {error}") from error


def _inside(path: str) -> list[str]:
    """The vector files inside a zip file; none where it is damaged."""
    try:
        return sorted(name for name in zip_names(path) if PurePosixPath(name).suffix.casefold() in SUFFIXES)
    except InputError:
        return []


def _one_inside(path: str, purpose: str) -> str:
    """GDAL's path to the only vector file in a zip file. Raises InputError where there are several."""
    names = _inside(path)
    # Beside a shapefile or GeoPackage, a .json is its metadata.
    main = [name for name in names if PurePosixPath(name).suffix.casefold() != ".json"] or names
    if len(main) != 1:
        raise InputError(
            f"--{purpose} {path} holds {len(main)} vector files ({', '.join(main[:4])}); unpack it and give one"
        )
    return f"/vsizip/{{{os.path.abspath(path)}}}/{main[0]}"


def _states_no_crs(path: str) -> bool:
    """Whether a file is GeoJSON that names no CRS."""
    if not path.casefold().endswith((".geojson", ".json", ".geojsonl")):
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(LARGEST_HEAD)
            tree = json.loads(head) if len(head) < LARGEST_HEAD else {"crs": True} if b'"crs"' in head else {}
    except (OSError, ValueError):
        return False
    return isinstance(tree, dict) and not tree.get("crs")


def _in_degrees(frame: GeoDataFrame) -> bool:
    """Whether all coordinates may be longitudes (up to a turn beyond 180) and latitudes."""
    west, south, east, north = frame.total_bounds
    return not (west < -360 or east > 360 or south < -90.001 or north > 90.001)
