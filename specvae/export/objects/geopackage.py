"""A GeoPackage of objects, written with the sqlite of Python (OGC 12-128r18).

GDAL would write it too, but every way to it from Python imports pandas, which is a quarter of the start-up of a score.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rasterio.crs import CRS

from specvae.export.objects.rows import ObjectRows

__all__ = ["LAYER", "POINTS", "GeoLayer", "write_geopackage"]

LAYER, POINTS = "objects", "object_points"
APPLICATION, VERSION = 0x47504B47, 10300
"""``GPKG``, and version 1.3 of the standard."""
UNPLACED, CUSTOM = 99999, 100000
"""Numbers that GDAL gives to no reference system, and to the first that has no EPSG code."""
KINDS = {"i": "INTEGER", "u": "INTEGER", "f": "REAL", "b": "BOOLEAN", "O": "TEXT"}
TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
"""
STYLED = "layer_styles"
STYLES = f"""
CREATE TABLE {STYLED} (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
  description TEXT, owner TEXT(30), ui TEXT(30), update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')));
"""
"""The table as QGIS makes it (QgsOgrProvider, saveStyle)."""
WGS84 = CRS.from_epsg(4326)


@dataclass(frozen=True, eq=False)
class GeoLayer:
    """A layer of a GeoPackage, with the style that QGIS takes up by itself."""

    name: str
    rows: ObjectRows
    geometry: str = "MULTIPOLYGON"
    style: str | None = None
    """A QML document; None: QGIS chooses."""


def write_geopackage(layers: Sequence[GeoLayer], path: Path, changed: str | None = None) -> None:
    """Write layers of one reference system; an empty one where there are no rows.

    ``changed``: the time of the last change that the file states, ISO 8601; None: now. Raises rasterio's CRSError for a
    reference system that the format's first WKT cannot say.
    """
    number, systems = _systems(layers[0].rows.crs)
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"PRAGMA application_id = {APPLICATION}")
        file.execute(f"PRAGMA user_version = {VERSION}")
        file.executescript("BEGIN;" + TABLES)  # the one transaction that the insertions go on with
        file.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", systems)
        for layer in layers:
            _write_layer(file, layer, number)
        _write_styles(file, layers)
        if changed is not None:
            file.execute("UPDATE gpkg_contents SET last_change = ?", (changed,))


def _write_layer(file: sqlite3.Connection, layer: GeoLayer, number: int) -> None:
    rows, name = layer.rows, layer.name
    box = shapely.total_bounds(rows.geometry).tolist() if len(rows) else [None] * 4
    file.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id) "
        "VALUES (?, 'features', ?, ?, ?, ?, ?, ?)",
        (name, name, *box, number),
    )
    file.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)", (name, layer.geometry, number))
    columns = "".join(f', "{column}" {KINDS[values.dtype.kind]}' for column, values in rows.columns.items())
    file.execute(
        f'CREATE TABLE "{name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom {layer.geometry}{columns})'
    )
    marks = ", ".join("?" * (len(rows.columns) + 1))
    names = "".join(f', "{column}"' for column in rows.columns)
    values = [_values(column) for column in rows.columns.values()]
    blobs = _blobs(rows, number)
    file.executemany(f'INSERT INTO "{name}" (geom{names}) VALUES ({marks})', zip(blobs, *values, strict=True))


def _write_styles(file: sqlite3.Connection, layers: Sequence[GeoLayer]) -> None:
    """The table in which QGIS looks for the style of a layer, where a layer has one."""
    styled = [(layer.name, layer.style) for layer in layers if layer.style]
    if not styled:
        return
    file.execute(STYLES)
    file.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES (?, 'attributes', ?)", (STYLED,) * 2
    )
    file.executemany(
        f"INSERT INTO {STYLED} (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, styleQML, "
        "styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, 'geom', ?, ?, '', 1, '', '')",
        [(name, name, style) for name, style in styled],
    )


def _systems(crs: CRS | None) -> tuple[int, list[tuple[Any, ...]]]:
    """The number of the reference system, and the rows of those that the standard asks for and of this one."""
    wgs = WGS84.to_wkt(version="WKT1_GDAL")
    standard: list[tuple[Any, ...]] = [
        ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined", "undefined Cartesian coordinate reference system"),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined", "undefined geographic coordinate reference system"),
        ("WGS 84 geodetic", 4326, "EPSG", 4326, wgs, "longitude and latitude in decimal degrees"),
    ]
    if crs is None:
        return UNPLACED, [*standard, ("Undefined SRS", UNPLACED, "NONE", UNPLACED, "undefined", "columns and rows")]
    code = crs.to_epsg(confidence_threshold=100)
    if code == 4326:
        return 4326, standard
    text = crs.to_wkt(version="WKT1_GDAL")
    name = text.split('"')[1] if '"' in text else "unnamed"
    number, owner = (code, "EPSG") if code else (CUSTOM, "NONE")
    return number, [*standard, (name, number, owner, number, text, None)]


def _values(column: Any) -> list[Any]:
    """A column as Python values, None where a number is missing."""
    if column.dtype.kind == "f":
        return [None if np.isnan(value) else value for value in column.tolist()]
    return [int(value) for value in column] if column.dtype.kind == "b" else column.tolist()


def _blobs(rows: ObjectRows, number: int) -> list[bytes]:
    """Shapes as the standard's binary: header, envelope, well-known binary."""
    shapes = shapely.to_wkb(rows.geometry, byte_order=1, output_dimension=2) if len(rows) else []
    boxes = shapely.bounds(rows.geometry) if len(rows) else []
    return [
        b"GP\x00\x03" + struct.pack("<i4d", number, west, east, south, north) + shape
        for shape, (west, south, east, north) in zip(shapes, boxes, strict=True)
    ]
