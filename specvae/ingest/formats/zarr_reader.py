"""Bands in arrays of a Zarr store, read chunk by chunk and brought to the scene's grid where theirs differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError, ReadError
from specvae.ingest.band_reader import FileMasks, StoredValues
from specvae.ingest.formats.zarr_axes import MovedAxes, with_rows_and_columns_last
from specvae.ingest.formats.zarr_store import safe_array
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.validity import equals
from specvae.spectra import Window

__all__ = ["ZarrBands", "ZarrReader"]

HELD = 8 << 20
"""Bytes of unpacked chunks that are held, at most."""
SEPARATOR = "#"
"""Between the path of a store and that of an array in the path of a layer."""
LOST = 0b0011_0100
"""Bits of a Sentinel-2 quality mask that make a pixel unusable: packets lost (2), defective (4), no data (5)."""


@dataclass(frozen=True)
class ZarrBands:
    """The storage of bands that are arrays of a store: the grid of each, and the quality mask beside it."""

    store: str
    grids: tuple[tuple[str, Grid], ...]
    """The grid of each array by its path."""
    masks: tuple[tuple[str, str], ...] = ()
    """The path of the quality mask of an array by the array's own path."""

    def open(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool) -> ZarrReader:
        """A reader of ``layers``, which lie in one array, on the scene's ``grid``."""
        name = layers[0].path.split(SEPARATOR, 1)[1]
        mask = dict(self.masks).get(name)
        return ZarrReader(layers, self.store, name, mask, dict(self.grids)[name], grid)


class ZarrReader:
    """Bands of one array, the last two of whose axes are rows and columns."""

    def __init__(
        self, layers: tuple[Layer, ...], store: str, name: str, mask: str | None, own: Grid, grid: Grid
    ) -> None:
        self.layers, self.path = layers, layers[0].path
        self._array = with_rows_and_columns_last(safe_array(store, name))
        self._mask = safe_array(store, mask) if mask else None
        self._factor = _factor(own, grid, self.path)
        self._shape, self._grid = own.shape, grid
        self._held: tuple[tuple[int, ...], Window, NDArray[Any]] | None = None
        """The chunks that were read last, by the band and the window that they cover."""

    @property
    def in_blocks(self) -> ZarrReader:
        """The reader itself, for an array is decoded chunk by chunk."""
        return self

    @property
    def rows(self) -> int:
        """Rows of the scene's grid."""
        return self._grid.rows

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of a chunk, in pixels of the scene's grid."""
        rows, cols = self._array.chunks[-2:]
        return min(rows * self._factor, self._grid.rows), min(cols * self._factor, self._grid.cols)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The array's own type."""
        return np.dtype(self._array.dtype)

    @property
    def has_mask(self) -> bool:
        """Whether the product has a quality mask of the band."""
        return self._mask is not None

    def read(self, window: Window) -> StoredValues:
        """Stored values ``(bands, rows, cols)`` in the array's own type, interpolated where the array is coarser."""
        return self.read_bands(slice(None), window)

    def read_bands(self, which: slice, window: Window) -> StoredValues:
        """Stored values of some of the bands, ``(bands, rows, cols)``."""
        try:
            if isinstance(self._array, MovedAxes) and self._factor == 1:
                return self._together(self._array, which, window)
            planes = [self._plane(layer, window) for layer in self.layers[which]]
        except Exception as error:  # zarr and its codecs raise many classes
            raise ReadError(f"{self.path} cannot be read at row {window.row}, column {window.col}: {error}") from error
        return np.stack(planes)

    def _together(self, array: MovedAxes, which: slice, window: Window) -> StoredValues:
        """Some bands of a window, read in one piece: where bands are the last axis, a chunk holds all of them."""
        every = tuple(slice(None) for _ in array.shape[:-2])
        stored = array[(*every, *window.slices)].reshape(-1, window.rows, window.cols)
        return np.ascontiguousarray(stored[[layer.index - 1 for layer in self.layers[which]]])

    def masked(self, window: Window) -> FileMasks:
        """Where the product's quality mask says that a pixel is lost or defective; it has the array's own grid."""
        if self._mask is None:
            return None, None
        near = self._under(window)
        try:
            flags = np.asarray(self._mask[near.slices])
        except Exception as error:  # as above
            raise ReadError(f"{self.path}: its quality mask cannot be read at row {window.row}: {error}") from error
        lost = (flags & LOST) != 0
        return None, _repeated(lost, near, window, self._factor) if self._factor > 1 else lost

    def _under(self, window: Window) -> Window:
        """The array's own window under one of the scene's, without a margin."""
        f = self._factor
        if f == 1:
            return window
        row, col = window.row // f, window.col // f
        last = (window.row + window.rows - 1) // f, (window.col + window.cols - 1) // f
        return Window(row, col, last[0] - row + 1, last[1] - col + 1)

    def _plane(self, layer: Layer, window: Window) -> NDArray[Any]:
        """One band of a window."""
        f, leading = self._factor, self._leading(layer)
        if f == 1:
            return self._values(leading, window)
        under = self._under(window)
        if layer.left_out:  # classes: the mean of two is none
            return _repeated(self._values(leading, under), under, window, f)
        wide = Window(max(0, under.row - 1), max(0, under.col - 1), 0, 0)
        wide = Window(
            wide.row,
            wide.col,
            min(self._shape[0], under.row + under.rows + 1) - wide.row,
            min(self._shape[1], under.col + under.cols + 1) - wide.col,
        )
        coarse = self._values(leading, wide)
        return _bilinear(coarse, wide, window, f, layer.nodata)

    def _values(self, leading: tuple[int, ...], window: Window) -> NDArray[Any]:
        """The array's own values in a window of its own grid, through the chunks that it touches.

        The chunks are held for the next window where they are small: a window beside would unpack them again.
        """
        rows, cols = self._array.chunks[-2:]
        first, start = window.row // rows * rows, window.col // cols * cols
        last = min(self._shape[0], -(-(window.row + window.rows) // rows) * rows)
        stop = min(self._shape[1], -(-(window.col + window.cols) // cols) * cols)
        around = Window(first, start, last - first, stop - start)
        if around.size * self.dtype.itemsize > HELD:
            place: tuple[int | slice, ...] = (*leading, *window.slices)
            return np.asarray(self._array[place])
        if self._held is None or self._held[:2] != (leading, around):
            place = (*leading, *around.slices)
            self._held = leading, around, np.asarray(self._array[place])
        inner = Window(window.row - first, window.col - start, window.rows, window.cols)
        return self._held[2][inner.slices]

    def _leading(self, layer: Layer) -> tuple[int, ...]:
        """The index of a band along the axes before rows and columns."""
        extra = self._array.shape[:-2]
        return tuple(int(i) for i in np.unravel_index(layer.index - 1, extra)) if extra else ()

    def close(self) -> None:
        """Free the chunks; no file is held open."""
        self._held = None


def _factor(own: Grid, grid: Grid, path: str) -> int:
    """How many of the scene's pixels lie along one of the array's. Raises InputError for anything but a whole number."""
    factor = round(grid.rows / own.rows)
    if factor < 1 or (own.rows * factor, own.cols * factor) != grid.shape:
        raise InputError(
            f"{path} is {own.rows}x{own.cols}, which does not nest in {grid.rows}x{grid.cols}; choose with --bands"
        )
    return factor


def _repeated(values: NDArray[Any], under: Window, window: Window, factor: int) -> NDArray[Any]:
    """Values of coarse pixels repeated over the fine ones of a window."""
    rows = np.arange(window.row, window.row + window.rows) // factor - under.row
    cols = np.arange(window.col, window.col + window.cols) // factor - under.col
    return np.ascontiguousarray(values[np.ix_(rows, cols)])


def _bilinear(values: NDArray[Any], own: Window, window: Window, factor: int, nodata: float | None) -> NDArray[Any]:
    """Coarse values interpolated to the pixels of a window, as GDAL does: without those that are missing."""
    missing = equals(values, nodata) if nodata is not None else None
    valid = np.ones(values.shape, bool) if missing is None else ~missing
    if values.dtype.kind == "f":
        valid &= np.isfinite(values)
    weights = (
        _along(window.row, window.rows, own.row, own.rows, factor),
        _along(window.col, window.cols, own.col, own.cols, factor),
    )
    known = weights[0] @ valid.astype(np.float64) @ weights[1].T
    total = weights[0] @ np.where(valid, values, 0).astype(np.float64) @ weights[1].T
    fill = float(nodata) if nodata is not None else np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        out = np.where(known > 0, total / known, fill)
    return (np.rint(out) if values.dtype.kind in "iu" else out).astype(values.dtype)


def _along(start: int, count: int, first: int, size: int, factor: int) -> NDArray[np.float64]:
    """Weights ``(count, size)`` of linear interpolation along one axis, between the centres of coarse pixels."""
    place = np.clip((np.arange(start, start + count) + 0.5) / factor - 0.5 - first, 0, size - 1)
    low = np.minimum(place.astype(int), max(0, size - 2))
    part = place - low
    weights = np.zeros((count, size))
    weights[np.arange(count), low] = 1 - part
    if size > 1:
        weights[np.arange(count), low + 1] += part
    return weights
