"""Cubes and planes in .mat, .npz and .npy files, which the field passes around."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.band_reader import FileMasks, StoredValues
from specvae.ingest.decision import Decision
from specvae.ingest.formats.arrays.axes import LAYOUTS, Axes, axes_by_shape
from specvae.ingest.formats.arrays.matlab import (
    is_matlab_hdf5,
    load_matlab,
    load_matlab_hdf5,
    shapes_of_matlab,
    shapes_of_matlab_hdf5,
)
from specvae.ingest.formats.arrays.wave_lists import bands_of_lists, is_wavelength_list
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.limits import check_array
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source
from specvae.spectra import Window

__all__ = ["FORMAT", "is_array_file", "read_plane"]

SUFFIXES = (".mat", ".npz", ".npy")
REAL = "biuf"
"""Kinds of numpy types that are real numbers: boolean, signed, unsigned and floating."""
Array = NDArray[Any]

PLANE_NAMES = ("map", "mask", "truth", "gt", "labels", "label", "msk")
"""Names under which data sets of the field store a mask or truth."""


@dataclass(frozen=True)
class ArrayHeader:
    """Shape and type of one array, read without its values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        """``145x145x200 uint16``; of a single value its type alone is of no interest."""
        size = "x".join(map(str, self.shape)) or "one number"
        return f"{size} {self.dtype.name}" if math.prod(self.shape) != 1 or self.shape else size


Headers = dict[str, ArrayHeader]
"""The arrays of a file by their keys; a .npy file has one, whose key is empty."""


@dataclass(frozen=True)
class ArrayCube:
    """The storage of a scene in an array file: which of its arrays, and which axis counts bands."""

    key: str
    """Key of the array in the file; empty in a .npy file, which holds one."""
    order: tuple[int, int, int]
    """Its axes in the order (bands, rows, cols)."""

    def open(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool) -> ArrayReader:
        """A reader of ``layers``; .npy files are mapped into memory, the others read."""
        return ArrayReader(layers, np.transpose(_load(layers[0].path, self.key), self.order))


class ArrayReader:
    """Bands of an array ``(bands, rows, cols)`` in memory, or mapped from disk."""

    def __init__(self, layers: tuple[Layer, ...], cube: Array) -> None:
        self.layers = layers
        order = [layer.index - 1 for layer in layers]
        # Indexing with a list copies the cube, which would read all of a mapped file: only where bands are chosen.
        self._cube = cube if order == list(range(cube.shape[0])) else cube[order]

    @property
    def in_blocks(self) -> None:
        """None: an array is at hand, in memory or mapped."""

    def read(self, window: Window) -> StoredValues:
        """Stored values ``(bands, rows, cols)`` in the array's own type."""
        return np.ascontiguousarray(self._cube[(slice(None), *window.slices)])

    def masked(self, window: Window) -> FileMasks:
        """No masks: an array has none."""
        return None, None

    def close(self) -> None:
        """Do nothing: no file is held open."""


def is_array_file(path: str) -> bool:
    """Whether a path is read as an array, by its ending."""
    return path.casefold().endswith(SUFFIXES)


def product_of_array(source: Source, options: IngestOptions) -> Product | None:
    """The product in an array file: its one three-dimensional array, axes as the options say or inferred."""
    path = source.path
    if not is_array_file(path):
        return None
    headers = _headers(path)
    key = _cube_key(path, headers, options.array)
    shape, dtype = headers[key].shape, headers[key].dtype
    size = "x".join(map(str, shape))
    check_array(path, shape, dtype.itemsize, options.allow_huge)
    lists = {
        name: _load(path, name) for name in headers if name != key and is_wavelength_list(name, headers[name].shape)
    }
    axes, how = _axes(path, key, shape, options.layout, [values.size for values in lists.values()])
    bands, rows, cols = (shape[axis] for axis in axes.order)
    if not bands * rows * cols:
        raise InputError(f"{path} holds an empty array, {size}")
    named, waved = bands_of_lists(lists, bands)
    return Product(
        name=Path(path).stem,
        path=path,
        kind="array",
        layers=tuple(Layer(path, at, band, dtype.name) for at, band in enumerate(named, start=1)),
        grids={path: Grid(rows, cols)},
        # An array is not stored in blocks; whole rows are contiguous in it, and 64 of them are a cell high.
        blocks={path: (min(rows, 64), cols)},
        files=(path,),
        storage=ArrayCube(key, axes.order),
        notes=("no CRS: areas and distances are in pixels",),
        decisions=(how, *waved, *_reversed(path)),
    )


def _reversed(path: str) -> tuple[Decision, ...]:
    """That the axes of a MATLAB 7.3 file are turned round."""
    if not is_matlab_hdf5(path):
        return ()
    return (Decision("axes", "the axes in the file are taken in reverse", "MATLAB 7.3, which stores them so in HDF5"),)


def read_plane(path: str, allow_huge: bool) -> Array:
    """The one two-dimensional array in an array file (a mask or truth), ``(rows, cols)``."""
    headers = _headers(path)
    flat = {key: h for key, h in headers.items() if len([n for n in h.shape if n != 1]) == 2 and h.dtype.kind in REAL}
    keys = list(flat) if len(flat) == 1 else [key for key in flat if key.casefold() in PLANE_NAMES]
    if len(keys) != 1:
        raise InputError(f"{path} holds {_listed(headers)}; expected one two-dimensional array, a mask")
    check_array(path, flat[keys[0]].shape, flat[keys[0]].dtype.itemsize, allow_huge)
    return np.squeeze(_load(path, keys[0]))


def _cube_key(path: str, headers: Headers, asked: str | None) -> str:
    """Key of the array that is the scene: the one asked for, else the only three-dimensional one."""
    if asked is not None:
        if asked not in headers:
            raise InputError(f"{path} holds {_listed(headers)}, but no array {asked!r}")
        if len(headers[asked].shape) != 3 or headers[asked].dtype.kind not in REAL:
            raise InputError(f"{path}: {asked} is {headers[asked]}; expected a three-dimensional array of real numbers")
        return asked
    # A last axis of one is a mask or a single band that was saved with three axes, not a scene.
    cubes = [key for key, h in headers.items() if len(h.shape) == 3 and h.shape[2] > 1 and h.dtype.kind in REAL]
    if len(cubes) != 1:
        ask = "name it with --array" if cubes else "a scene is one three-dimensional array of real numbers"
        raise InputError(f"{path} holds {_listed(headers)}; {ask}")
    return cubes[0]


def _axes(path: str, key: str, shape: tuple[int, ...], layout: str, lengths: Sequence[int]) -> tuple[Axes, Decision]:
    """Which axis counts bands: as the option says, by a list of wavelengths of one of ``lengths``, else by the shape.

    Raises InputError where nothing says which.

    MATLAB files of the field hold (rows, cols, bands), so there it takes two equal axes behind a shorter one to be
    read otherwise.
    """
    what = f"{key or 'the array'} of {'x'.join(map(str, shape))} is read as"
    if layout != "auto":
        return LAYOUTS[layout], Decision("axes", f"{what} {LAYOUTS[layout].words}", f"the option --layout {layout}")
    hits = [axes for axes in LAYOUTS.values() if shape[axes.bands] in lengths]
    if len(hits) == 1:
        evidence = f"a list of {shape[hits[0].bands]} wavelengths beside it"
        return hits[0], Decision("axes", f"{what} {hits[0].words}", evidence)
    if not path.casefold().endswith(".mat"):
        return axes_by_shape(path, key, shape)
    a, b, c = shape
    first = c > 1 and b == c != a and a < b
    axes, other = (LAYOUTS["bands-first"], "bands-last") if first else (LAYOUTS["bands-last"], "bands-first")
    evidence = "its shape" if first else "how MATLAB's files of the field lie"
    return axes, Decision("axes", f"{what} {axes.words}", evidence, (LAYOUTS[other].words,), f"--layout {other}", True)


def _headers(path: str) -> Headers:
    """Shapes and types of all arrays in a file, without reading a value."""
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist")
    end = os.path.splitext(path)[1].casefold()
    read = {".mat": _mat_headers, ".npz": _npz_headers, ".npy": _npy_headers}[end]
    try:
        return read(path)
    except InputError:
        raise
    except NotImplementedError:
        raise InputError(
            f"{path} is a MATLAB file of a version that is not read; save it with -v7, or as .npy"
        ) from None
    except Exception as error:  # scipy and numpy raise many classes for damaged files
        raise InputError(f"{path} cannot be read as {end} arrays: {error}") from error


def _mat_headers(path: str) -> Headers:
    """The arrays of a MATLAB file; what is no array of numbers has the type object."""
    shapes = shapes_of_matlab_hdf5(path) if is_matlab_hdf5(path) else shapes_of_matlab(path)
    return {key: ArrayHeader(shape, dtype) for key, (shape, dtype) in shapes.items()}


def _npz_headers(path: str) -> Headers:
    """The first thousand arrays of an .npz file, from the headers of its members."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        out: Headers = {}
        # The header of each lies in a compressed member of its own: a file of many would keep us unpacking.
        for name in names[:1000]:
            with archive.open(name) as file:
                out[name.removesuffix(".npy")] = _header(file)
        return out


def _npy_headers(path: str) -> Headers:
    """The one array of an .npy file, under the empty key."""
    with open(path, "rb") as file:
        return {"": _header(file)}


def _header(file: IO[bytes]) -> ArrayHeader:
    """The header of an array in numpy's format."""
    version = npy.read_magic(file)
    # Version 3.0 differs from 2.0 only in how names of fields are encoded, which plain arrays do not have.
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return ArrayHeader(tuple(shape), dtype)


def _load(path: str, key: str) -> Array:
    """The values of one array; nothing in the file is executed (no pickles)."""
    end = os.path.splitext(path)[1].casefold()
    try:
        if end == ".mat":
            return load_matlab_hdf5(path, key) if is_matlab_hdf5(path) else load_matlab(path, key)
        if end == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return np.asarray(archive[key])
        # Mapped rather than read: of a scene larger than the memory, only the windows asked for are brought in.
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except Exception as error:  # scipy and numpy raise many classes for damaged files
        raise InputError(f"{path} cannot be read as {end} arrays: {error}") from error


def _listed(headers: Headers) -> str:
    """The arrays of a file in words, eight at most."""
    if not headers:
        return "no array"
    shown = [f"{key or 'an array'} ({header})" for key, header in list(headers.items())[:8]]
    return ", ".join(shown) + (f" and {len(headers) - 8} more" if len(headers) > 8 else "")


FORMAT = Format("array file", product_of_array)
