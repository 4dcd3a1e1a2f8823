"""Cubes and planes in .mat, .npz and .npy files, which the field passes around."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.lib import format as npy
from numpy.typing import NDArray

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats.limits import check_array
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product

__all__ = ["is_array_file", "load_cube", "product_of_array", "read_plane"]

SUFFIXES = (".mat", ".npz", ".npy")
Array = NDArray[Any]
Shapes = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]

MAT_TYPES = {"double": "f8", "single": "f4", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4",
             "uint32": "u4", "int64": "i8", "uint64": "u8", "logical": "u1"}  # fmt: skip


def is_array_file(path: str) -> bool:
    """Whether a path is read as an array, by its ending."""
    return path.casefold().endswith(SUFFIXES)


def product_of_array(path: str, options: IngestOptions) -> Product:
    """The product in an array file: its one three-dimensional array, axes as told or inferred."""
    shapes = _shapes(path)
    key = _cube_key(path, shapes, options.array)
    shape, dtype = shapes[key]
    check_array(path, shape, dtype.itemsize, options.allow_huge)
    first, why = _bands_first(path, shape, options.layout)
    bands, rows, cols = shape if first else (shape[2], shape[0], shape[1])
    if not bands * rows * cols:
        raise InputError(f"{path} holds an empty array, {'x'.join(map(str, shape))}")
    layout = "bands, rows, cols" if first else "rows, cols, bands"
    read = f"{key or 'the array'} of {'x'.join(map(str, shape))} is read as ({layout}), {why}"
    layers = tuple(Layer(path, at, Band(), dtype.name) for at in range(1, bands + 1))
    return Product(
        Path(path).stem, path, "array", layers, {path: Grid(rows, cols)}, {path: (min(rows, 64), cols)}, (path,),
        (read, "no CRS: areas and distances are in pixels"), shapes_from=f"{key}|{int(first)}",
    )  # fmt: skip


def load_cube(path: str, told: str) -> Array:
    """The array that ``product_of_array`` chose, ``(bands, rows, cols)``; .npy files stay on disk (memory-mapped)."""
    key, first = told.rsplit("|", 1)
    cube = _load(path, key)
    return cube if first == "1" else np.moveaxis(cube, 2, 0)


def read_plane(path: str, allow_huge: bool) -> Array:
    """The one two-dimensional array in an array file (a mask or truth), ``(rows, cols)``."""
    shapes = _shapes(path)
    flat = {key: s for key, s in shapes.items() if len([n for n in s[0] if n != 1]) == 2 and s[1].kind in "biuf"}
    named = [key for key in flat if key.casefold() in ("map", "mask", "truth", "gt", "labels", "label", "msk")]
    keys = list(flat) if len(flat) == 1 else named
    if len(keys) != 1:
        raise InputError(f"{path} holds {_listed(shapes)}; expected one two-dimensional array, a mask")
    check_array(path, flat[keys[0]][0], flat[keys[0]][1].itemsize, allow_huge)
    return np.squeeze(_load(path, keys[0]))


def _cube_key(path: str, shapes: Shapes, told: str | None) -> str:
    if told is not None:
        if told not in shapes:
            raise InputError(f"{path} holds {_listed(shapes)}, but no array {told!r}")
        if len(shapes[told][0]) != 3 or shapes[told][1].kind not in "biuf":
            raise InputError(
                f"{path}: {told} is {_one(shapes[told])}; expected a three-dimensional array of real numbers"
            )
        return told
    cubes = [key for key, (shape, dtype) in shapes.items() if len(shape) == 3 and shape[2] > 1 and dtype.kind in "biuf"]
    if len(cubes) != 1:
        ask = "name it with --array" if cubes else "a scene is one three-dimensional array of real numbers"
        raise InputError(f"{path} holds {_listed(shapes)}; {ask}")
    return cubes[0]


def _bands_first(path: str, shape: tuple[int, ...], layout: str) -> tuple[bool, str]:
    """Whether the first axis counts bands, and why: as told, else inferred from the lengths."""
    if layout != "auto":
        return layout == "bands-first", "as told"
    a, b, c = shape
    if path.casefold().endswith(".mat"):
        first = c > 1 and b == c != a and a != b and a < b
    else:
        first = (b == c != a) or (a != b and 2 * a < min(b, c))
    return first, "inferred from its shape; say --layout bands-first or bands-last if that is wrong"


def _shapes(path: str) -> Shapes:
    """Shapes and types of all arrays in a file, read from headers alone."""
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist")
    end = os.path.splitext(path)[1].casefold()
    reader = {".mat": _mat_shapes, ".npz": _npz_shapes, ".npy": _npy_shapes}[end]
    try:
        return reader(path)
    except InputError:
        raise
    except NotImplementedError:
        raise InputError(f"{path} is a MATLAB 7.3 (HDF5) file; save it with -v7, or as .npy or GeoTIFF") from None
    except Exception as error:
        raise InputError(f"{path} cannot be read as {end} arrays: {error}") from error


def _mat_shapes(path: str) -> Shapes:
    found = scipy.io.whosmat(path)
    return {key: (tuple(shape), np.dtype(MAT_TYPES.get(kind, "O"))) for key, shape, kind in found}


def _npz_shapes(path: str) -> Shapes:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        out: Shapes = {}
        for name in names[:1000]:
            with archive.open(name) as file:
                out[name.removesuffix(".npy")] = _header(file)
        return out


def _npy_shapes(path: str) -> Shapes:
    with open(path, "rb") as file:
        return {"": _header(file)}


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return tuple(shape), dtype


def _load(path: str, key: str) -> Array:
    """One array, nothing executed."""
    end = os.path.splitext(path)[1].casefold()
    try:
        if end == ".mat":
            return np.asarray(scipy.io.loadmat(path, variable_names=[key])[key])
        if end == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return np.asarray(archive[key])
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except Exception as error:
        raise InputError(f"{path} cannot be read as {end} arrays: {error}") from error


def _listed(shapes: Shapes) -> str:
    if not shapes:
        return "no array"
    shown = [f"{key or 'an array'} ({_one(found)})" for key, found in list(shapes.items())[:8]]
    return ", ".join(shown) + (f" and {len(shapes) - 8} more" if len(shapes) > 8 else "")


def _one(found: tuple[tuple[int, ...], np.dtype[Any]]) -> str:
    shape, dtype = found
    size = "x".join(map(str, shape)) or "one number"
    return f"{size} {dtype.name}" if math.prod(shape) != 1 or shape else size
