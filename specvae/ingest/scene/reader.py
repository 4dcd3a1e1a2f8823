"""Open files behind a scene: each gives windows of stored values and, where it has them, masks."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from specvae.errors import ReadError
from specvae.ingest.formats.array_files import is_array_file, load_cube
from specvae.ingest.formats.containers import BANDS_LAST
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.scene.plan import Plan
from specvae.spectra import Window

__all__ = ["ArrayReader", "GdalReader", "Reader", "TransposedReader", "open_reader"]

Array = NDArray[Any]


class Reader(Protocol):
    """Some bands of a scene that lie in one file."""

    layers: tuple[Layer, ...]

    def read(self, window: Window) -> Array:
        """Stored values ``(bands, rows, cols)`` in the file's own type."""

    def masked(self, window: Window) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """Where the file's own fill rule and its masks say that there is nothing: (nodata, mask), None = nowhere."""

    def close(self) -> None:
        """Let the file go."""


class GdalReader:
    """Bands of one GDAL dataset, resampled by GDAL where its grid is not the scene's."""

    def __init__(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool = False) -> None:
        self.layers = layers
        self.path = layers[0].path
        self.indexes = [layer.index for layer in layers]
        self._file = open_dataset(self.path, allow_remote=allow_remote)
        self._source = self._file if Grid.of(self._file).same_place(grid) else self._warped(grid)
        flags = [set(self._file.mask_flag_enums[i - 1]) for i in self.indexes]
        self._fill_rule = any({MaskFlags.per_dataset, MaskFlags.nodata} <= f for f in flags)
        self._mask = not self._fill_rule and any(MaskFlags.per_dataset in f for f in flags)
        self._band_masks = any(not f for f in flags)
        alphas = [i + 1 for i, c in enumerate(self._file.colorinterp) if c.name == "alpha"]
        self._alpha = alphas[0] if alphas and not self._mask else None

    @property
    def rows(self) -> int:
        """Rows of the scene's grid."""
        return int(self._source.height)

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns decoded at once."""
        rows, cols = self._source.block_shapes[self.indexes[0] - 1]
        return int(rows), int(cols)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type as stored."""
        return np.result_type(*{np.dtype(self._source.dtypes[i - 1]) for i in self.indexes})

    @property
    def has_mask(self) -> bool:
        """Whether the file itself says, beyond a nodata value, where there is nothing."""
        return self._fill_rule or self._mask or self._band_masks or self._alpha is not None

    def _warped(self, grid: Grid) -> Any:
        """The file on the scene's grid: averaged where it is finer, bilinear where it is coarser, fill kept apart."""
        finer = self._file.height > grid.rows
        fill = self.layers[0].nodata
        crs = self._file.crs or "EPSG:3857"  # files of one scene without a CRS share their coordinates
        with errors_in_one_line(f"{self.path} cannot be resampled"), rasterio.Env():
            return WarpedVRT(self._file, src_crs=crs, crs=crs, transform=grid.transform, width=grid.cols,
                             height=grid.rows, src_nodata=fill, nodata=fill, warp_mem_limit=64,
                             resampling=Resampling.average if finer else Resampling.bilinear)  # fmt: skip

    def read(self, window: Window) -> Array:
        """Stored values ``(bands, rows, cols)`` in the file's own type."""
        with self._at(window):
            return np.asarray(self._source.read(self.indexes, window=_rasterio(window)))

    def read_bands(self, which: slice, window: Window) -> Array:
        """Stored values ``(bands, rows, cols)`` of some of the bands."""
        with self._at(window):
            return np.asarray(self._source.read(self.indexes[which], window=_rasterio(window), out_dtype=self.dtype))

    def masked(self, window: Window) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """Where the file's own fill rule and its masks say that there is nothing: (nodata, mask), None = nowhere."""
        box = _rasterio(window)
        with self._at(window):
            first = self.indexes[0]
            fill = self._source.read_masks(first, window=box) == 0 if self._fill_rule else None
            mask = self._source.read_masks(first, window=box) == 0 if self._mask else None
            if self._band_masks:
                mask = _union(mask, (self._source.read_masks(self.indexes, window=box) == 0).any(axis=0))
            if self._alpha is not None:
                mask = _union(mask, self._source.read(self._alpha, window=box) == 0)
        return fill, mask

    def _at(self, window: Window) -> Any:
        where = f"rows {window.row} to {window.row + window.rows - 1}, columns {window.col} to "
        return errors_in_one_line(f"{self.path} cannot be read at {where}{window.col + window.cols - 1}", ReadError)

    def close(self) -> None:
        """Let the file go."""
        if self._source is not self._file:
            self._source.close()
        self._file.close()


def _union(a: NDArray[np.bool_] | None, b: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return b if a is None else a | b


def _rasterio(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.cols, window.rows)


class ArrayReader:
    """Bands of an array in memory, or mapped from disk."""

    def __init__(self, layers: tuple[Layer, ...], cube: Array) -> None:
        self.layers = layers
        order = [layer.index - 1 for layer in layers]
        whole = order == list(range(cube.shape[0]))
        self._cube = cube if whole else cube[order]

    def read(self, window: Window) -> Array:
        """Stored values ``(bands, rows, cols)`` in the array's own type."""
        return np.ascontiguousarray(self._cube[(slice(None), *window.slices)])

    def masked(self, window: Window) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """An array has no masks."""
        return None, None

    def close(self) -> None:
        """Nothing is open."""


class TransposedReader:
    """A variable whose bands are its last axis, which GDAL takes for columns: rows come as GDAL's bands."""

    def __init__(self, layers: tuple[Layer, ...], path: str, *, allow_remote: bool = False) -> None:
        self.layers, self.path = layers, path
        self._order = [layer.index - 1 for layer in layers]
        self._file = open_dataset(path, allow_remote=allow_remote)

    def read(self, window: Window) -> Array:
        """Stored values ``(bands, rows, cols)`` in the file's own type."""
        rows = list(range(window.row + 1, window.row + window.rows + 1))
        box = RasterioWindow(0, window.col, self._file.width, window.cols)
        with errors_in_one_line(f"{self.path} cannot be read at row {window.row}", ReadError):
            stored = self._file.read(rows, window=box)
        return np.ascontiguousarray(np.moveaxis(stored, 2, 0)[self._order])

    def masked(self, window: Window) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
        """A variable has no masks."""
        return None, None

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def open_reader(layers: tuple[Layer, ...], plan: Plan) -> Reader:
    """The reader for those layers of a plan that lie in one file."""
    path = layers[0].path
    if is_array_file(path):
        return ArrayReader(layers, load_cube(path, plan.product.shapes_from))
    if plan.product.shapes_from == BANDS_LAST:
        return TransposedReader(layers, path, allow_remote=plan.options.allow_remote)
    return GdalReader(layers, plan.grid, allow_remote=plan.options.allow_remote)
