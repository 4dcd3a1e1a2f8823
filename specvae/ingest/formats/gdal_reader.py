"""Bands of a dataset that GDAL reads, resampled to the scene's grid where their own differs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from specvae.errors import ReadError
from specvae.ingest.band_reader import FileMasks, StoredValues
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.spectra import Window

__all__ = ["GdalBands", "GdalReader"]


@dataclass(frozen=True)
class GdalBands:
    """The storage of bands that are bands of GDAL datasets, one or several."""

    def open(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool) -> GdalReader:
        """A reader of ``layers``, which lie in one dataset, on the scene's ``grid``."""
        return GdalReader(layers, grid, allow_remote=allow_remote)


class GdalReader:
    """Bands of one GDAL dataset, resampled by GDAL where its grid is not the scene's."""

    def __init__(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool = False) -> None:
        self.layers = layers
        self.path = layers[0].path
        self.indexes = [layer.index for layer in layers]
        self._file = open_dataset(self.path, allow_remote=allow_remote)
        self._source = self._file if Grid.of(self._file).same_place(grid) else self._warped(grid)
        self._choose_masks()

    def _choose_masks(self) -> None:
        """Decide once which of GDAL's masks say more than the nodata value of each band, which is compared anyway.

        GDAL describes the mask of a band by flags: per dataset and nodata together is a rule over all bands at once
        (``NODATA_VALUES``), per dataset alone is a mask in the file, and no flag at all is a mask of the band's own.
        An alpha band that GDAL has turned into the dataset's mask already is not read a second time.
        """
        flags = [set(self._file.mask_flag_enums[i - 1]) for i in self.indexes]
        self._fill_rule = any({MaskFlags.per_dataset, MaskFlags.nodata} <= f for f in flags)
        self._mask = not self._fill_rule and any(MaskFlags.per_dataset in f for f in flags)
        self._band_masks = any(not f for f in flags)
        alphas = [i + 1 for i, c in enumerate(self._file.colorinterp) if c.name == "alpha"]
        self._alpha = alphas[0] if alphas and not self._mask else None
        self.has_mask = self._fill_rule or self._mask or self._band_masks or self._alpha is not None
        """Whether the file itself says, beyond a nodata value, where there is nothing."""

    @property
    def in_blocks(self) -> GdalReader:
        """The reader itself, for GDAL decodes whole blocks."""
        return self

    @property
    def rows(self) -> int:
        """Rows of the scene's grid."""
        return int(self._source.height)

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns that the file decodes at once."""
        rows, cols = self._source.block_shapes[self.indexes[0] - 1]
        return int(rows), int(cols)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The smallest type that holds every band as stored."""
        # Bands of one file may differ in type (HDF, VRT), but rows on disk need one size.
        return np.result_type(*{np.dtype(self._source.dtypes[i - 1]) for i in self.indexes})

    def _warped(self, grid: Grid) -> WarpedVRT:
        """The file on the scene's grid: averaged where it is finer, bilinear where it is coarser.

        The nodata value is named to GDAL, so that it is not averaged with values; a pixel is nodata where all it
        comes from is.
        """
        # Averaged, because bilinear would look at four of the many pixels below a coarse one.
        finer = self._file.height > grid.rows
        fill = self.layers[0].nodata
        crs = self._file.crs or "EPSG:3857"  # files of one scene without a CRS share their coordinates: any CRS serves
        with errors_in_one_line(f"{self.path} cannot be resampled"), rasterio.Env():
            return WarpedVRT(
                self._file,
                src_crs=crs,
                crs=crs,
                transform=grid.transform,
                width=grid.cols,
                height=grid.rows,
                src_nodata=fill,
                nodata=fill,
                # In MiB: GDAL warps in pieces of this size, whatever the window.
                warp_mem_limit=64,
                resampling=Resampling.average if finer else Resampling.bilinear,
            )

    def read(self, window: Window) -> StoredValues:
        """Stored values of a window, ``(bands, rows, cols)`` in the file's own type."""
        with self._errors_at(window):
            return np.asarray(self._source.read(self.indexes, window=_rasterio(window)))

    def read_bands(self, which: slice, window: Window) -> StoredValues:
        """Stored values of some of the bands, ``(bands, rows, cols)``, in the type that holds all of them."""
        with self._errors_at(window):
            return np.asarray(self._source.read(self.indexes[which], window=_rasterio(window), out_dtype=self.dtype))

    def masked(self, window: Window) -> FileMasks:
        """Where the file's own fill rule and its masks say that there is nothing: (nodata, mask), None = nowhere."""
        box = _rasterio(window)
        with self._errors_at(window):
            # A fill rule and a mask of the dataset are the same for every band, so that the first one's is enough.
            first = self.indexes[0]
            fill = self._source.read_masks(first, window=box) == 0 if self._fill_rule else None
            mask = self._source.read_masks(first, window=box) == 0 if self._mask else None
            if self._band_masks:
                mask = _union(mask, (self._source.read_masks(self.indexes, window=box) == 0).any(axis=0))
            if self._alpha is not None:
                mask = _union(mask, self._source.read(self._alpha, window=box) == 0)
        return fill, mask

    def _errors_at(self, window: Window) -> AbstractContextManager[None]:
        """Errors of GDAL as a ReadError that names the file and the window."""
        where = f"rows {window.row} to {window.row + window.rows - 1}, columns {window.col} to "
        return errors_in_one_line(f"{self.path} cannot be read at {where}{window.col + window.cols - 1}", ReadError)

    def close(self) -> None:
        """Close the file, and the resampled view of it where there is one."""
        # The view before the file that it reads from.
        if self._source is not self._file:
            self._source.close()
        self._file.close()


def _union(a: NDArray[np.bool_] | None, b: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where either of two masks holds; None holds nowhere."""
    return b if a is None else a | b


def _rasterio(window: Window) -> RasterioWindow:
    """The window in rasterio's order of arguments."""
    return RasterioWindow(window.col, window.row, window.cols, window.rows)
