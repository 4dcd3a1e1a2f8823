"""The maps of a watched place: ``status.tif`` with its style, and ``state.tif``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from specvae.alerts.pixels import Status
from specvae.alerts.place import Place
from specvae.export.maps import TILE, AssetBands, MapBand, MapWriter
from specvae.export.qgis_styles import write_palette_style
from specvae.export.quiet_maps import QuietMap
from specvae.export.watch.contents import STATE, STATUS, STATUS_STYLE
from specvae.ingest.grid import Grid
from specvae.spectra import Window

__all__ = ["COLOURS", "write_maps"]

CACHE = 1 << 26
"""Bytes of GDAL's cache while the maps are written: a row of blocks of one band and 11,000 columns takes 23 MB."""
STATUS_BAND = MapBand("status", STATUS.title, "")
DAYS = "days since 1970-01-01"
NONE = float("nan")
STATE_BANDS = {
    MapBand("evidence", "log of the alert's e-value; 0 where there is no alert", "nat"): 0.0,
    MapBand("looks", "clear looks at the pixel, over all dates", ""): 0.0,
    MapBand("anomalous_looks", "odd looks of the pixel's alert", ""): 0.0,
    MapBand("first", "day of the first odd look", DAYS): NONE,
    MapBand("last", "day of the last odd look", DAYS): NONE,
    MapBand("confirmed", "day on which the pixel was confirmed", DAYS): NONE,
}
"""Each band with what it holds where there is no alert; LOOKS is the index of the one that differs from pixel to pixel."""
LOOKS = 1
COLOURS = {
    Status.FIRST: "#f2c14e",
    Status.PROVISIONAL: "#f78154",
    Status.CONFIRMED: "#e6007e",
    Status.CLOSED: "#5b7db1",
}
"""The colour of each status, in the style and on the page: from first sight to confirmed ever stronger, closed cool."""


def write_maps(folder: Path, grid: Grid, place: Place, threads: int) -> dict[str, AssetBands]:
    """Write both maps and the style; the bands of each map."""
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE),  # rasterio counts it in bytes
        # Most of the map is one value: differences of neighbours would only cost time.
        MapWriter(
            folder / STATUS.name, grid, [STATUS_BAND], "uint8", Status.NEVER_SEEN, {}, threads, predicted=False
        ) as status,
        QuietMap(folder / STATE.name, grid, STATE_BANDS, LOOKS, {"unit": "nat"}, threads) as state,
        ThreadPoolExecutor(2) as pool,
    ):
        for row in range(0, grid.rows, TILE):
            window = Window(row, 0, min(TILE, grid.rows - row), grid.cols)
            looks = place.past.looks(row, row + window.rows)
            status.write(window, place.status(row, row + window.rows, looks)[None])
            _write_state(state, place, looks, row)
        for done in [pool.submit(writer.close) for writer in (state, status)]:
            done.result()
        bands = {STATUS.name: status.asset_bands, STATE.name: state.asset_bands}
    labelled = [(int(status), colour, 255, status.name.lower()) for status, colour in COLOURS.items()]
    write_palette_style(folder / STATUS_STYLE.name, [(0, "#000000", 0, "nothing"), *labelled])
    return bands


def _write_state(state: QuietMap, place: Place, looks: NDArray[np.uint16], first: int) -> None:
    """Write the tiles of ``looks`` ``(rows, cols)``, which are those of the rows from ``first`` on."""
    rows, cols = looks.shape
    own = place.within(first, first + rows)
    row, col = np.divmod(own["at"] - first * cols, cols)
    for begin in range(0, cols, TILE):
        seen, here = looks[:, begin : begin + TILE], own[(col >= begin) & (col < begin + TILE)]
        if here.size or (seen == 0).any():
            inside = (col >= begin) & (col < begin + TILE)
            state.write(first, begin, _state(seen, here, row[inside], col[inside] - begin))
        else:
            state.write_quiet(first, begin, seen)


def _state(
    looks: NDArray[np.uint16], own: NDArray[np.void], row: NDArray[np.intp], col: NDArray[np.intp]
) -> NDArray[np.float32]:
    """The bands ``(6, rows, cols)`` of a tile with pixels of alerts at ``row`` and ``col``."""
    values = np.empty((len(STATE_BANDS), *looks.shape), np.float32)
    for band, quiet in zip(values, STATE_BANDS.values(), strict=True):
        band[:] = quiet
    values[LOOKS] = looks
    values[:, looks == 0] = np.nan
    for at, name in ((0, "evidence"), (2, "odd"), (3, "first"), (4, "seen"), (5, "confirmed")):
        values[at, row, col] = own[name]
    # A day of 0 would say 1970: what was never confirmed has no value there.
    never = own["confirmed"] == 0
    values[5, row[never], col[never]] = np.nan
    return values
