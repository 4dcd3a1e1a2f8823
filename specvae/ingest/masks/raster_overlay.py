"""A one-band raster over a scene: on its grid as it is, or by nearest neighbour where it is coarser or finer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from specvae.errors import InputError, ReadError
from specvae.ingest.formats.array_files import is_array_file, read_plane
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.formats.references import check_references
from specvae.ingest.grid import Grid
from specvae.ingest.masks.quality_values import excluded_values, scheme_of
from specvae.ingest.options import IngestOptions
from specvae.ingest.validity import Mask, equals
from specvae.spectra import Window

__all__ = ["RasterOverlay", "open_raster"]

Plane = NDArray[Any]
"""Values ``(rows, cols)`` in the type as stored."""


class RasterOverlay:
    """A plane of values over the scene: a mask, a normal area or a truth."""

    def __init__(
        self, path: str, source: Plane | DatasetReader, nodata: float | None, hint: str, mask_values: tuple[str, ...]
    ) -> None:
        self.path, self._source, self._nodata, self._mask_values = path, source, nodata, mask_values
        self._scheme = scheme_of(hint)

    def marked(self, window: Window) -> Mask:
        """Where it is non-zero and not nodata."""
        values, known = self._read(window, self._nodata)
        return np.asarray((values != 0) & known)

    def excluded(self, window: Window) -> Mask:
        """Where its values are among the --mask-values, or without these among the usual ones of its kind."""
        values, known = self._read(window, self._nodata)
        return excluded_values(values, known, self._mask_values, self._scheme)

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """Non-zero is 1, anomalous; 255 and nodata are 255, unknown; 0 is 0, also where it is declared as nodata.

        Many masks declare a nodata of 0 so that a viewer does not draw it; taken literally, nothing would be normal.
        """
        values, known = self._read(window, None if self._nodata == 0 else self._nodata)
        return np.where(known & (values != 255), (values != 0).astype(np.uint8), np.uint8(255))

    def _read(self, window: Window, nodata: float | None) -> tuple[Plane, Mask]:
        """Values ``(rows, cols)``, and where they are known: neither NaN nor ``nodata``."""
        if isinstance(self._source, np.ndarray):
            values = self._source[window.slices]
        else:
            box = RasterioWindow(window.col, window.row, window.cols, window.rows)
            with errors_in_one_line(f"{self.path} cannot be read at rows from {window.row}", ReadError):
                values = self._source.read(1, window=box)
        known = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
        missing = equals(values, nodata) if nodata is not None else None
        return values, known if missing is None else known & ~missing

    def close(self) -> None:
        """Close the file."""
        if not isinstance(self._source, np.ndarray):
            self._source.close()


def open_raster(path: str, grid: Grid, purpose: str, options: IngestOptions) -> RasterOverlay:
    """The plane at ``path`` on ``grid``. Raises InputError where it does not cover the same ground."""
    name = Path(path).name
    if is_array_file(path):
        plane = read_plane(path, options.allow_huge)
        if plane.shape != grid.shape:
            raise _other_size(path, purpose, plane.shape, grid)
        return RasterOverlay(path, plane, None, name, options.mask_values)
    check_references(path, options.allow_remote)
    dataset = open_dataset(path, allow_remote=options.allow_remote)
    source, hint = _fitted(dataset, path, grid, purpose), f"{name} {dataset.descriptions[0] or ''}"
    return RasterOverlay(path, source, dataset.nodata, hint, options.mask_values)


def _fitted(dataset: DatasetReader, path: str, grid: Grid, purpose: str) -> DatasetReader | WarpedVRT:
    """The dataset itself where it lies on the grid, else resampled, else refused."""
    if dataset.dtypes[0].startswith("complex"):
        raise InputError(f"--{purpose} {path} holds complex values; a mask has whole numbers")
    other = Grid.of(dataset)
    # A mask of the same size needs no CRS: it lies on the scene pixel by pixel, unless both say that they are
    # elsewhere.
    if other.shape == grid.shape:
        _check_place(path, purpose, other, grid)
        return dataset
    if not (other.placed and grid.placed and other.crs == grid.crs and grid.same_footprint(other)):
        raise _other_size(path, purpose, other.shape, grid)
    with errors_in_one_line(f"{path} cannot be resampled"), rasterio.Env():
        crs = other.crs or "EPSG:3857"  # neither has a CRS, so that any serves for both
        return WarpedVRT(
            dataset,
            src_crs=crs,
            crs=crs,
            transform=grid.transform,
            width=grid.cols,
            height=grid.rows,
            # Values are classes or bits: the mean of cloud (9) and vegetation (4) is no class.
            resampling=Resampling.nearest,
        )


def _check_place(path: str, purpose: str, other: Grid, grid: Grid) -> None:
    """Refuse a mask of the right size that lies elsewhere; one without georeferencing goes by its pixels."""
    if other.placed and grid.placed and not grid.same_footprint(other):
        raise InputError(f"--{purpose} {path} has the scene's size but lies elsewhere; give it on the scene's own grid")


def _other_size(path: str, purpose: str, shape: tuple[int, ...], grid: Grid) -> InputError:
    """The error of a mask whose size is not the scene's."""
    size, wanted = "x".join(map(str, shape)), "x".join(map(str, grid.shape))
    return InputError(f"--{purpose} {path} is {size} pixels, the scene is {wanted}; give it on the scene's own grid")
