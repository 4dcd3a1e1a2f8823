"""The maps of a watched place: ``status.tif`` with its style, and ``state.tif``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from specvae.alerts.pixels import Status
from specvae.alerts.place import Place
from specvae.export.maps import AssetBands, MapBand, MapWriter
from specvae.export.qgis_styles import write_palette_style
from specvae.export.watch.contents import STATE, STATUS, STATUS_STYLE
from specvae.ingest.grid import Grid
from specvae.spectra import Window

__all__ = ["COLOURS", "write_maps"]

ROWS = 512
CACHE = 1 << 28
"""Bytes of GDAL's cache while the maps are written: a row of blocks of six bands and 11,000 columns takes 136 MB."""
STATUS_BAND = MapBand("status", STATUS.title, "")
DAYS = "days since 1970-01-01"
STATE_BANDS = (
    MapBand("evidence", "log of the alert's e-value; 0 where there is no alert", "nat"),
    MapBand("looks", "clear looks at the pixel, over all dates", ""),
    MapBand("anomalous_looks", "odd looks of the pixel's alert", ""),
    MapBand("first", "day of the first odd look", DAYS),
    MapBand("last", "day of the last odd look", DAYS),
    MapBand("confirmed", "day on which the pixel was confirmed", DAYS),
)
COLOURS = {
    Status.FIRST: "#f2c14e",
    Status.PROVISIONAL: "#f78154",
    Status.CONFIRMED: "#e6007e",
    Status.CLOSED: "#5b7db1",
}
"""The colour of each status, in the style and on the page: from first sight to confirmed ever stronger, closed cool."""


def write_maps(folder: Path, grid: Grid, place: Place, threads: int) -> dict[str, AssetBands]:
    """Write both maps and the style; the bands of each map."""
    nan = float("nan")
    # Most of both maps is one value: differences of neighbours would only cost time.
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE),  # rasterio counts it in bytes
        MapWriter(
            folder / STATUS.name, grid, [STATUS_BAND], "uint8", Status.NEVER_SEEN, {}, threads, predicted=False
        ) as status,
        MapWriter(
            folder / STATE.name, grid, STATE_BANDS, "float32", nan, {"unit": "nat"}, threads, predicted=False
        ) as state,
    ):
        values = np.empty((len(STATE_BANDS), min(ROWS, grid.rows), grid.cols), np.float32)
        for row in range(0, grid.rows, ROWS):
            window = Window(row, 0, min(ROWS, grid.rows - row), grid.cols)
            looks = place.past.looks(row, row + window.rows)
            status.write(window, place.status(row, row + window.rows, looks)[None])
            state.write(window, _state(place, looks, row, values[:, : window.rows]))
        status.close()
        state.close()
        bands = {STATUS.name: status.asset_bands, STATE.name: state.asset_bands}
    labelled = [(int(status), colour, 255, status.name.lower()) for status, colour in COLOURS.items()]
    write_palette_style(folder / STATUS_STYLE.name, [(0, "#000000", 0, "nothing"), *labelled])
    return bands


def _state(place: Place, looks: NDArray[np.uint16], first: int, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill ``values`` with the bands of the rows from ``first`` on; the same array."""
    rows, cols = looks.shape
    values[0], values[1], values[2], values[3:] = 0, looks, 0, np.nan
    unseen = looks == 0
    if unseen.any():
        values[:, unseen] = np.nan
    own = place.within(first, first + rows)
    row, col = np.divmod(own["at"] - first * cols, cols)
    for band, name in ((0, "evidence"), (2, "odd"), (3, "first"), (4, "seen"), (5, "confirmed")):
        values[band, row, col] = own[name]
    # A day of 0 would say 1970: what was never confirmed has no value there.
    never = own["confirmed"] == 0
    values[5, row[never], col[never]] = np.nan
    return values
