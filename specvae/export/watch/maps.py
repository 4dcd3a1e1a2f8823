"""The maps of a watched place: ``status.tif`` with its style, and ``state.tif``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
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
    with (
        MapWriter(folder / STATUS.name, grid, [STATUS_BAND], "uint8", Status.NEVER_SEEN, {}, threads) as status,
        MapWriter(folder / STATE.name, grid, STATE_BANDS, "float32", nan, {"unit": "nat"}, threads) as state,
    ):
        for row in range(0, grid.rows, ROWS):
            window = Window(row, 0, min(ROWS, grid.rows - row), grid.cols)
            status.write(window, place.status(row, row + window.rows)[None])
            state.write(window, _state(place, window))
        status.close()
        state.close()
        bands = {STATUS.name: status.asset_bands, STATE.name: state.asset_bands}
    labelled = [(int(status), colour, 255, status.name.lower()) for status, colour in COLOURS.items()]
    write_palette_style(folder / STATUS_STYLE.name, [(0, "#000000", 0, "nothing"), *labelled])
    return bands


def _state(place: Place, window: Window) -> NDArray[np.float32]:
    """The bands of some rows."""
    looks = place.past.looks(window.row, window.row + window.rows)
    values = np.zeros((len(STATE_BANDS), *looks.shape), np.float32)
    values[1], values[3:] = looks, np.nan
    own = place.within(window.row, window.row + window.rows)
    at = own["at"] - window.row * window.cols
    flat = values.reshape(len(STATE_BANDS), -1)
    for band, name in ((0, "evidence"), (2, "odd"), (3, "first"), (4, "seen"), (5, "confirmed")):
        flat[band, at] = own[name]
    # A day of 0 would say 1970: what was never confirmed has no value there.
    flat[5, at[own["confirmed"] == 0]] = np.nan
    flat[:, looks.ravel() == 0] = np.nan
    return values
