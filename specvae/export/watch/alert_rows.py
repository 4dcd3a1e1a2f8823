"""The alerts of a place as rows with polygons, and ``alerts.gpkg``."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from specvae.alerts.pixels import shown
from specvae.alerts.place import Place
from specvae.alerts.registry import Alert
from specvae.components import touching_groups
from specvae.errors import OutputError
from specvae.export.objects.frame import longitude_latitude, placed
from specvae.export.objects.geopackage import GeoLayer, write_geopackage
from specvae.export.objects.outlines import traced
from specvae.export.objects.rows import ObjectRows
from specvae.export.watch.contents import ALERTS_GEOPACKAGE
from specvae.ingest.grid import Grid
from specvae.ingest.scene.area import pixel_areas
from specvae.spectra import Window

__all__ = ["alert_rows", "iso_day", "write_alerts"]

EPOCH = date(1970, 1, 1)


def iso_day(day: int | None) -> str | None:
    """The date of a day since 1970-01-01, ``YYYY-MM-DD``; None for None.

    Examples
    --------
    >>> iso_day(20648)
    '2026-07-14'
    """
    return None if day is None else (EPOCH + timedelta(day)).isoformat()


def alert_rows(place: Place, grid: Grid) -> ObjectRows:
    """One row an alert, in the order of their ids."""
    alerts = place.registry.alerts
    groups = _groups(place)
    areas = pixel_areas(grid, 0, grid.rows)
    row, col = (np.array([getattr(alert, name) for alert in alerts], float) for name in ("row", "col"))
    lon, lat = longitude_latitude(grid, row + 0.5, col + 0.5)
    columns: dict[str, NDArray[Any]] = {
        "id": np.array([alert.id for alert in alerts], np.int64),
        "status": _texts([alert.status for alert in alerts]),
        "first_seen": _texts([iso_day(alert.first_seen) for alert in alerts]),
        "last_seen": _texts([iso_day(alert.last_seen) for alert in alerts]),
        "confirmed_on": _texts([iso_day(alert.confirmed_on) for alert in alerts]),
        "closed_on": _texts([iso_day(alert.closed_on) for alert in alerts]),
        "looks": np.array([alert.looks for alert in alerts], np.int64),
        "anomalous_looks": np.array([alert.anomalous_looks for alert in alerts], np.int64),
        "pixels": np.array([at.size for at in groups], np.int64),
        "area_m2": np.array([np.nan if areas is None else areas[at // grid.cols].sum() for at in groups], float),
        "peak": np.array([alert.peak for alert in alerts], float),
        "evidence": np.array([alert.evidence for alert in alerts], float),
        "false_alert_rate": np.array([_rate(alert, grid) for alert in alerts], float),
        "merged": _texts([", ".join(map(str, alert.merged)) for alert in alerts]),
        "lon": lon,
        "lat": lat,
        "row": row.astype(np.int64),
        "col": col.astype(np.int64),
    }
    return ObjectRows(columns, placed(_polygons(groups, grid.cols), grid), grid.place_crs)


def _texts(values: list[str | None]) -> NDArray[Any]:
    column = np.empty(len(values), object)
    column[:] = values
    return column


def _rate(alert: Alert, grid: Grid) -> float:
    """How many alerts a year would be confirmed falsely at this alert's evidence: the rate at which it is confirmed."""
    return float(grid.rows * grid.cols * np.exp(-alert.evidence))


def _groups(place: Place) -> list[NDArray[np.int64]]:
    """The places of each alert's pixels, that it is drawn with, in the order of their ids."""
    pixels = place.pixels
    # Registries list every id that a pixel bears, ascending.
    order = np.lexsort((pixels["at"], pixels["id"]))
    ends = np.flatnonzero(np.diff(pixels["id"][order])) + 1
    groups = np.split(order, ends) if order.size else []
    return [shown(pixels[own])["at"] for own in groups]


def _polygons(groups: list[NDArray[np.int64]], cols: int) -> NDArray[Any]:
    """A MultiPolygon for each group of pixels, in pixel coordinates (x = col, y = row)."""
    first = np.array([at[0] for at in groups], np.int64)
    # Most alerts are one pixel.
    polygons: NDArray[Any] = shapely.multipolygons(
        shapely.box(first % cols, first // cols, first % cols + 1, first // cols + 1), indices=np.arange(len(groups))
    )
    for i, at in enumerate(groups):
        if at.size > 1:
            parts = touching_groups(at, cols)
            # Each touching part in a box of its own: the parts of an alert that was split may lie far apart.
            drawn = [_drawn(at[parts == part], cols) for part in range(int(parts.max()) + 1)]
            polygons[i] = shapely.multipolygons([piece for all_of in drawn for piece in shapely.get_parts(all_of)])
    return polygons


def _drawn(at: NDArray[np.int64], cols: int) -> Any:
    """The MultiPolygon of touching pixels."""
    row, col = at // cols, at % cols
    window = Window(int(row.min()), int(col.min()), int(np.ptp(row)) + 1, int(np.ptp(col)) + 1)
    if at.size == window.rows * window.cols:
        return shapely.box(window.col, window.row, window.col + window.cols, window.row + window.rows)
    owner = np.zeros((window.rows, window.cols), np.int32)
    owner[row - window.row, col - window.col] = 1
    return traced(owner, 1, window)[0]


def write_alerts(folder: Path, rows: ObjectRows, day: str) -> None:
    """Write ``alerts.gpkg``, which states ``day``, the newest date, as its last change: the same alerts are the same bytes."""
    path = folder / ALERTS_GEOPACKAGE.name
    try:
        write_geopackage([GeoLayer("alerts", rows)], path, f"{day}T00:00:00.000Z")
    except (OSError, sqlite3.Error) as error:
        raise OutputError(f"{path} cannot be written: {error}; is the disk full?") from None
