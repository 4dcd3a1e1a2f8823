"""Rows of a raster on the grid of another: shifted by whole pixels where that is all, else warped to the nearest pixel."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterWindow

from specvae.errors import InputError, ReadError
from specvae.ingest.grid import Grid

__all__ = ["AlignedRows", "grid_of"]

CACHE = 1 << 26
"""Bytes of GDAL's cache while rows are read one after the other: a row of blocks of 11,000 columns takes 23 MB."""
WHOLE = 0.01
"""Pixels by which a shift may differ from a whole number of pixels."""


def grid_of(path: Path) -> Grid:
    """The grid of a raster. Raises InputError where it cannot be read."""
    try:
        with rasterio.open(path) as dataset:
            return Grid.of(dataset)
    except RasterioError as error:
        raise InputError(f"{path} cannot be read: {error}") from None


class AlignedRows:
    """One band of a raster in the rows of another grid; NaN beyond its edge. A context manager."""

    def __init__(self, path: Path, grid: Grid, band: int = 1) -> None:
        """Open it. Raises InputError where its CRS is another, or its place is unknown and its size another."""
        self.path, self.grid, self.band = path, grid, band
        try:
            self._file: Any = rasterio.open(path)
        except RasterioError as error:
            raise InputError(f"{path} cannot be read: {error}") from None
        own = Grid.of(self._file)
        self._check(own)
        shift = _shift(own, grid)
        self.warped = shift is None
        """Whether the grids differ by more than a shift of whole pixels."""
        self._row, self._col = shift or (0, 0)
        self._source: Any = self._file if shift else self._warp()

    def _check(self, own: Grid) -> None:
        if own.crs != self.grid.crs:
            names = [crs.to_string() if crs else "none" for crs in (own.crs, self.grid.crs)]
            self._file.close()
            raise InputError(
                f"{self.path} has the CRS {names[0]} and the first date {names[1]}; watch dates of one CRS, or reproject"
            )
        if not (own.placed and self.grid.placed) and own.shape != self.grid.shape:
            self._file.close()
            raise InputError(
                f"{self.path} is {own.rows} x {own.cols} pixels without a place and the first date {self.grid.rows} x "
                f"{self.grid.cols}; watch dates of one grid"
            )

    def _warp(self) -> Any:
        grid = self.grid
        place = {"transform": grid.transform, "width": grid.cols, "height": grid.rows}
        return WarpedVRT(self._file, crs=grid.crs, resampling=Resampling.nearest, nodata=math.nan, **place)

    def __enter__(self) -> AlignedRows:
        self._settings = rasterio.Env(GDAL_CACHEMAX=CACHE)  # rasterio counts it in bytes
        self._settings.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.warped:
            self._source.close()
        self._file.close()
        self._settings.__exit__(kind, error, trace)

    def read(self, first: int, stop: int, begin: int = 0, end: int | None = None) -> NDArray[np.float32]:
        """The rows from ``first`` to the one before ``stop``, of all columns or from ``begin`` to before ``end``."""
        end = self.grid.cols if end is None else end
        top, bottom = max(first, self._row), min(stop, self._row + self._source.height)
        inner, outer = max(begin, self._col), min(end, self._col + self._source.width)
        if top >= bottom or inner >= outer:
            return np.full((stop - first, end - begin), np.nan, np.float32)
        window = RasterWindow(inner - self._col, top - self._row, outer - inner, bottom - top)
        try:
            part = self._source.read(self.band, window=window, out_dtype=np.float32)
        except RasterioError as error:
            raise ReadError(f"{self.path}, rows {first} to {stop}: {error.__cause__ or error}") from None
        if part.shape == (stop - first, end - begin):
            return np.asarray(part)
        values = np.full((stop - first, end - begin), np.nan, np.float32)
        values[top - first : bottom - first, inner - begin : outer - begin] = part
        return values


def _shift(own: Grid, grid: Grid) -> tuple[int, int] | None:
    """Row and column of ``grid`` at which ``own`` begins; None where it is no shift of whole pixels."""
    if own.same_place(grid) or not (own.placed and grid.placed):
        return 0, 0
    one, two = own.transform, grid.transform
    if not np.allclose((one.a, one.b, one.d, one.e), (two.a, two.b, two.d, two.e), rtol=1e-9, atol=1e-12):
        return None
    col, row = ~two * (one.c, one.f)
    if abs(col - round(col)) > WHOLE or abs(row - round(row)) > WHOLE:
        return None
    return round(row), round(col)
