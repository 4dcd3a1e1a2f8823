"""Readers of cubes in HDF5 and NetCDF files, whatever the order of their axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.band_reader import FileMasks, StoredValues
from specvae.ingest.formats.arrays.tree import OpenArray, open_array
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.validity import equals
from specvae.spectra import Window

__all__ = ["Missing", "Part", "TreeCubes"]


@dataclass(frozen=True)
class Part:
    """One array of a file that holds some bands of a scene."""

    name: str
    """Its path inside the file."""
    order: tuple[int, int, int]
    """Its axes in the order (bands, rows, cols)."""
    count: int
    """How many bands it holds."""
    single: tuple[int, ...] = ()
    """Axes of one step in the file, which ``order`` does not count."""
    flat: bool = False
    """Whether the array has rows and columns alone, so that the axis of bands, the first, is not in the file."""

    def box(self, array: OpenArray, slices: tuple[slice, slice, slice]) -> StoredValues:
        """A box of the array by slices of the axes that ``order`` counts."""
        every = list(slices[1:] if self.flat else slices)
        for axis in self.single:
            every.insert(axis, slice(0, 1))
        stored = array.box(tuple(every))
        stored = np.squeeze(stored, axis=self.single) if self.single else stored
        return stored[None] if self.flat else stored


@dataclass(frozen=True)
class Missing:
    """What marks values as missing beside the fill of each band."""

    fills: tuple[float, ...] = ()
    """Other stored values that stand for nothing."""
    low: float | None = None
    """The least stored value that is valid, where the file states it."""
    high: float | None = None
    """The largest stored value that is valid."""
    plane: str = ""
    """The array ``(rows, cols)`` that is not 0 where a pixel is missing; empty where there is none."""
    masks: tuple[str, ...] = ()
    """Arrays that are not 0 where the provider of the product would not use a pixel."""

    def __bool__(self) -> bool:
        return self != Missing()

    def where(self, stored: StoredValues) -> NDArray[np.bool_]:
        """``(rows, cols)``: where a value of any band is missing."""
        gone = np.zeros(stored.shape, bool)
        for fill in self.fills:
            same = equals(stored, fill)
            gone |= False if same is None else same
        with np.errstate(invalid="ignore"):
            if self.low is not None:
                gone |= stored < self.low
            if self.high is not None:
                gone |= stored > self.high
        return np.asarray(gone.any(axis=0))


@dataclass(frozen=True)
class TreeCubes:
    """The storage of a scene in arrays of one file, the bands of one behind those of the other."""

    path: str
    parts: tuple[Part, ...]
    south_up: bool = False
    """Whether the first row stored is the southernmost."""
    lookup: tuple[str, str] | None = None
    """Arrays of the row and column, counted from 1, at which each pixel of the scene lies in the cube; 0 = nowhere."""
    missing: Missing = Missing()
    unsigned: bool = False
    """Whether whole numbers are stored as signed ones and are none, as classic NetCDF has no others."""

    def open(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool) -> TreeReader:
        """A reader of ``layers``."""
        return TreeReader(self, layers, grid)


class TreeReader:
    """Bands of arrays in one file."""

    def __init__(self, cubes: TreeCubes, layers: tuple[Layer, ...], grid: Grid) -> None:
        self.layers, self._cubes, self._rows = layers, cubes, grid.rows
        self._arrays: dict[str, OpenArray] = {}
        self._dtype = np.result_type(*(np.dtype(layer.dtype) for layer in layers))
        self._last: tuple[Window, StoredValues] | None = None
        """The window that was read last, which is asked for its missing values next."""

    @property
    def in_blocks(self) -> None:
        """None: windows are read as they are asked for."""

    def read(self, window: Window) -> StoredValues:
        """Stored values ``(bands, rows, cols)`` in the file's own type."""
        values = self._read(window)
        self._last = (window, values) if self._cubes.missing else None
        return values

    def _read(self, window: Window) -> StoredValues:
        if self._cubes.lookup is not None:
            return self._looked_up(window, self._cubes.lookup)
        if self._cubes.south_up:
            return np.ascontiguousarray(self._box(self._mirrored(window))[:, ::-1])
        return self._box(window)

    def _mirrored(self, window: Window) -> Window:
        """The window in the rows as they are stored, where the first is the southernmost."""
        return Window(self._rows - window.row - window.rows, window.col, window.rows, window.cols)

    def _box(self, window: Window) -> StoredValues:
        """A window of the cubes as they are stored."""
        out = np.empty((len(self.layers), window.rows, window.cols), self._dtype)
        first = 0
        for part in self._cubes.parts:
            wanted = [
                (k, layer.index - 1 - first)
                for k, layer in enumerate(self.layers)
                if 0 <= layer.index - 1 - first < part.count
            ]
            first += part.count
            if not wanted:
                continue
            bands = [band for _, band in wanted]
            low, high = min(bands), max(bands) + 1
            ranges = dict(zip(part.order, (slice(low, high), *window.slices), strict=True))
            stored = part.box(self._array(part.name), (ranges[0], ranges[1], ranges[2]))
            if self._cubes.unsigned:
                stored = stored.view(stored.dtype.str.replace("i", "u"))
            cube = np.transpose(stored, part.order)
            out[[k for k, _ in wanted]] = cube[[band - low for band in bands]]
        return out

    def _looked_up(self, window: Window, lookup: tuple[str, str]) -> StoredValues:
        """A window of the ground: each pixel from where the tables say that it lies in the cube."""
        rows, cols = (np.asarray(self._array(name).box(window.slices), np.int64) - 1 for name in lookup)
        fill = next((layer.nodata for layer in self.layers if layer.nodata is not None), 0)
        out = np.full((len(self.layers), window.rows, window.cols), fill, self._dtype)
        # A damaged table may lead out of the cube: nothing is there.
        part = self._cubes.parts[0]
        shape = self._array(part.name).shape
        high, wide = shape[part.order[1]], shape[part.order[2]]
        here = (rows >= 0) & (cols >= 0) & (rows < high) & (cols < wide)
        if here.any():
            top, start = int(rows[here].min()), int(cols[here].min())
            box = Window(top, start, int(rows[here].max()) - top + 1, int(cols[here].max()) - start + 1)
            out[:, here] = self._box(box)[:, rows[here] - top, cols[here] - start]
        return out

    def masked(self, window: Window) -> FileMasks:
        """Where values are missing by what the file says beside the fill of its bands."""
        missing = self._cubes.missing
        if not missing:
            return None, None
        last = self._last
        gone = missing.where(last[1] if last is not None and last[0] == window else self._read(window))
        if missing.plane:
            gone |= self._plane(missing.plane, window)
        masked = [self._plane(name, window) for name in missing.masks]
        return gone, np.any(masked, axis=0) if masked else None

    def _plane(self, name: str, window: Window) -> NDArray[np.bool_]:
        """Where an array of rows and columns is not 0."""
        place = self._mirrored(window) if self._cubes.south_up else window
        plane = self._array(name).box(place.slices) != 0
        return np.asarray(plane[::-1] if self._cubes.south_up else plane)

    def close(self) -> None:
        """Close the file; reading opens it again."""
        for array in self._arrays.values():
            array.close()
        self._arrays = {}

    def _array(self, name: str) -> OpenArray:
        if name not in self._arrays:
            self._arrays[name] = open_array(self._cubes.path, name)
        return self._arrays[name]
