"""The table of objects as people read it: where each lies, how large it is, how odd, and which bands drive it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as warp

from specvae.export.objects.events import events_of
from specvae.export.objects.outlines import outlines
from specvae.export.objects.rows import ObjectRows
from specvae.export.reasons_in_words import Wording
from specvae.ingest.grid import Grid
from specvae.ingest.scene.area import pixel_areas
from specvae.scoring.gathered.object_table import ObjectTable
from specvae.spectra import Window

__all__ = ["SceneFacts", "Shapes", "longitude_latitude", "object_rows", "placed", "shapes_of"]

NAMED = 3
"""Bands of an object that have columns of their own."""


def object_rows(
    table: ObjectTable,
    grid: Grid,
    wording: Wording,
    shapes: Shapes | None,
    p_values: NDArray[np.floating] | None = None,
    scene: SceneFacts | None = None,
) -> ObjectRows:
    """One row an object, in the order of the table.

    ``wording`` says the reasons; ``shapes`` are the outlines in pixels and the events, and None leaves the objects without.
    ``area_m2``, ``lon`` and ``lat`` are missing where nothing places the raster on Earth. Their CRS is the raster's.
    """
    rows, cols = table.centroid
    lon, lat = longitude_latitude(grid, rows, cols)
    share = np.where(table.score > 0, table.score, np.nan)
    columns: dict[str, NDArray[Any]] = {
        "id": np.arange(1, len(table) + 1),
        "rank": np.arange(1, len(table) + 1),
        **({} if shapes is None else {"event": shapes.event}),
        "pixels": table.pixels,
        "area_m2": _areas(grid, rows) * table.pixels,
        "evidence": table.evidence,
        "peak": table.peak.astype(np.float64),
        "mean": table.mean,
        "reconstruction_share": table.reconstruction / share,
        "kl_share": table.kl / share,
        "p_value": np.full(len(table), np.nan) if p_values is None else np.asarray(p_values, np.float64),
        **_reasons(table, wording),
        "lon": lon,
        "lat": lat,
        "row": table.peak_row,
        "col": table.peak_col,
        **({} if scene is None else scene.columns(len(table))),
    }
    if shapes is None:
        return ObjectRows(columns, np.full(len(table), None, object), grid.place_crs)
    columns["outline"] = np.where(shapes.exact, "exact", "box").astype(object)
    return ObjectRows(columns, placed(shapes.polygons, grid), grid.place_crs)


@dataclass(frozen=True, eq=False)
class Shapes:
    """Where some objects lie, in pixels."""

    polygons: NDArray[Any]
    """``(n,)`` MultiPolygons, x = column and y = row."""
    exact: NDArray[np.bool_]
    """``(n,)``: False where an outline is a bounding box."""
    event: NDArray[np.int64]
    """``(n,)``: the event of each object, from 1."""


@dataclass(frozen=True)
class SceneFacts:
    """What a file of objects says of the scene in every row, so that it can be read without its report."""

    scene: str
    """The scene's name."""
    date: str | None
    """When it was taken, ISO 8601; None where the input does not say."""
    cut: float | None
    """The threshold in nats."""
    false_alarm_rate: float | None
    """Share of normal pixels above the cut; None where no rate stands behind it."""
    rate_interval: Sequence[float] | None
    """The ends of its 90 % interval; None where it is unknown."""
    verdict: str
    """``ok``, ``caution`` or ``do-not-use``."""

    def columns(self, n: int) -> dict[str, NDArray[Any]]:
        """One column a fact, alike in all ``n`` rows."""
        low, high = self.rate_interval or (None, None)
        numbers = {"cut": self.cut, "false_alarm_rate": self.false_alarm_rate, "rate_low": low, "rate_high": high}
        return {
            "scene": np.full(n, self.scene, object),
            "date": np.full(n, self.date, object),
            **{name: np.full(n, np.nan if value is None else value) for name, value in numbers.items()},
            "verdict": np.full(n, self.verdict, object),
        }


def shapes_of(table: ObjectTable, flags: Callable[[Window], NDArray[np.bool_]]) -> Shapes:
    """Outlines and events of objects, whose anomalous pixels in a window ``flags`` gives."""
    polygons, exact = outlines(table, flags)
    return Shapes(polygons, exact, events_of(polygons, table.evidence))


def _reasons(table: ObjectTable, wording: Wording) -> dict[str, NDArray[Any]]:
    """``bands``, the reasons in words, and for each of the first few bands its name, its change in per cent and its nats."""
    n = len(table)
    words = np.full(n, "", object)
    columns: dict[str, NDArray[Any]] = {"bands": words}
    for k in range(1, NAMED + 1):
        columns |= {
            f"band_{k}": np.full(n, "", object),
            f"change_{k}": np.full(n, np.nan),
            f"nats_{k}": np.full(n, np.nan),
        }
    if not len(table.contribution):
        return columns
    contribution, alone, observed, expected = (
        (getattr(table, name) / table.pixels).T for name in ("contribution", "alone", "observed", "foreseen")
    )
    for i in range(n):
        drivers = wording.drivers(contribution[i], alone[i], observed[i], expected[i])
        words[i] = wording.in_words(drivers, observed[i], alone[i])
        for k, driver in enumerate(drivers[:NAMED], start=1):
            columns[f"band_{k}"][i] = driver.label
            columns[f"change_{k}"][i], columns[f"nats_{k}"][i] = driver.percent, driver.nats
    return columns


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
