"""A one-band raster read on a scene's grid: as it is, or by nearest neighbour where it is coarser or finer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from specvae.errors import InputError, ReadError
from specvae.ingest.formats.array_files import is_array_file, read_plane
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.formats.references import check_references
from specvae.ingest.grid import Grid
from specvae.ingest.options import IngestOptions
from specvae.ingest.validity import equals
from specvae.spectra import Window

__all__ = ["RasterLayer", "open_raster_layer"]


class RasterLayer:
    """A plane of values over the scene, with where it is known."""

    def __init__(self, path: str, source: Any, nodata: float | None, hint: str) -> None:
        self.path, self._source, self._nodata = path, source, nodata
        self.hint = hint
        """Words that tell what kind of mask this is: the file's name and band's description."""

    def read(self, window: Window, *, zero_is_known: bool = False) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """(values, known), ``(rows, cols)``; unknown where NaN or nodata."""
        if isinstance(self._source, np.ndarray):
            values = self._source[window.slices]
        else:
            box = RasterioWindow(window.col, window.row, window.cols, window.rows)
            with errors_in_one_line(f"{self.path} cannot be read at rows from {window.row}", ReadError):
                values = self._source.read(1, window=box)
        known = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
        told = self._nodata if not (zero_is_known and self._nodata == 0) else None
        missing = equals(values, told) if told is not None else None
        return values, known if missing is None else known & ~missing

    def close(self) -> None:
        """Let the file go."""
        if not isinstance(self._source, np.ndarray):
            self._source.close()


def open_raster_layer(path: str, grid: Grid, what: str, options: IngestOptions) -> RasterLayer:
    """The plane at ``path`` on ``grid``. Raises InputError where it does not cover the same ground."""
    if is_array_file(path):
        plane = read_plane(path, options.allow_huge)
        if plane.shape != grid.shape:
            raise _other_size(path, what, plane.shape, grid)
        return RasterLayer(path, plane, None, Path(path).name)
    check_references(path, options.allow_remote)
    dataset = open_dataset(path, allow_remote=options.allow_remote)
    hint = f"{Path(path).name} {dataset.descriptions[0] or ''}"
    return RasterLayer(path, _fitted(dataset, path, grid, what), dataset.nodata, hint)


def _fitted(dataset: Any, path: str, grid: Grid, what: str) -> Any:
    """The dataset itself where it lies on the grid, else resampled, else refused."""
    if dataset.dtypes[0].startswith("complex"):
        raise InputError(f"--{what} {path} holds complex values; a mask has whole numbers")
    other = Grid.of(dataset)
    if other.shape == grid.shape:
        _check_place(path, what, other, grid)
        return dataset
    if not (other.placed and grid.placed and other.crs == grid.crs and grid.same_footprint(other)):
        raise _other_size(path, what, other.shape, grid)
    with errors_in_one_line(f"{path} cannot be resampled"), rasterio.Env():
        crs = other.crs or "EPSG:3857"
        return WarpedVRT(dataset, src_crs=crs, crs=crs, transform=grid.transform, width=grid.cols, height=grid.rows,
                         resampling=Resampling.nearest)  # fmt: skip


def _check_place(path: str, what: str, other: Grid, grid: Grid) -> None:
    """Refuse a mask of the right size that lies elsewhere; one without georeferencing goes by its pixels."""
    if other.placed and grid.placed and not grid.same_footprint(other):
        raise InputError(f"--{what} {path} has the scene's size but lies elsewhere; give it on the scene's own grid")


def _other_size(path: str, what: str, shape: tuple[int, ...], grid: Grid) -> InputError:
    theirs, ours = "x".join(map(str, shape)), "x".join(map(str, grid.shape))
    return InputError(f"--{what} {path} is {theirs} pixels, the scene is {ours}; give it on the scene's own grid")
