"""Two rasters compared window by window: grids first, then each band's values, and where they differ most."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from specvae.errors import InputError
from specvae.export.comparison.finding import Finding, State, distance

__all__ = ["compare_rasters"]

ROWS = 512
"""Rows of a window: those of a map's blocks, so that each is decoded once."""


@dataclass
class _Band:
    """What is known of one band after the windows so far."""

    count: int = 0
    of: int = 0
    largest: float = 0.0
    row: int = 0
    col: int = 0
    a: float = 0.0
    b: float = 0.0

    def add(self, a: NDArray[np.float64], b: NDArray[np.float64], row: int) -> None:
        away = distance(a, b)
        self.of += away.size
        self.count += int(np.count_nonzero(away))
        worst = int(np.argmax(away))
        if away.flat[worst] > self.largest:
            self.largest = float(away.flat[worst])
            at = np.unravel_index(worst, away.shape)
            self.row, self.col = row + int(at[0]), int(at[1])
            self.a, self.b = float(a[at]), float(b[at])


def compare_rasters(name: str, a: Path, b: Path, tolerance: float) -> list[Finding]:
    """One finding of the grids where they differ, else one a band. Raises InputError where a file cannot be read."""
    try:
        with rasterio.open(a) as first, rasterio.open(b) as second:
            grid = _grids(first, second)
            if grid:
                return [Finding(name, State.DIFFERS, where=grid)]
            return _bands(name, first, second, tolerance)
    except RasterioError as error:
        raise InputError(f"{a} and {b} cannot be compared: {error}") from None


def _grids(a: DatasetReader, b: DatasetReader) -> str:
    """What differs between two grids, in words; "" where they are one."""
    if (a.height, a.width) != (b.height, b.width):
        return f"{a.height} x {a.width} pixels and {b.height} x {b.width}"
    if a.dtypes[0] != b.dtypes[0]:
        return f"values of {a.dtypes[0]} and of {b.dtypes[0]}"
    if a.crs != b.crs:
        return f"coordinates in {a.crs} and in {b.crs}"
    if not a.transform.almost_equals(b.transform, precision=1e-9):
        return f"places {tuple(a.transform)[:6]} and {tuple(b.transform)[:6]}"
    return ""


def _names(raster: DatasetReader) -> dict[str, int]:
    """Numbers of the bands by their names; a band without one is called by its number."""
    return {name or str(number): number for number, name in enumerate(raster.descriptions, start=1)}


def _bands(name: str, a: DatasetReader, b: DatasetReader, tolerance: float) -> list[Finding]:
    first, second = _names(a), _names(b)
    bands = {band: _Band() for band in first if band in second}
    for row in range(0, a.height, ROWS):
        window = Window(0, row, a.width, min(ROWS, a.height - row))
        for band, gathered in bands.items():
            gathered.add(a.read(first[band], window=window), b.read(second[band], window=window), row)
    # Numbers of classes are names: two that differ by one are not nearly equal.
    classes = np.issubdtype(np.dtype(a.dtypes[0]), np.integer)
    alone = [Finding(f"{name} {band}", State.DIFFERS, where="only in A") for band in first if band not in second]
    alone += [Finding(f"{name} {band}", State.DIFFERS, where="only in B") for band in second if band not in first]
    return [
        _finding(f"{name} {band}", gathered, 0.0 if classes else tolerance, a) for band, gathered in bands.items()
    ] + alone


def _finding(what: str, band: _Band, tolerance: float, raster: DatasetReader) -> Finding:
    if not band.count:
        return Finding(what, State.EQUAL, 0.0, 0, band.of)
    x, y = raster.xy(band.row, band.col)
    where = f"row {band.row}, column {band.col} ({x:.8g}, {y:.8g}): {band.a:.6g} and {band.b:.6g}"
    state = State.WITHIN if band.largest <= tolerance else State.DIFFERS
    return Finding(what, state, band.largest, band.count, band.of, where)
