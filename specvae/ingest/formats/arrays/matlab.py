"""Arrays of MATLAB files: of version 7.3, which are HDF5 with the axes of each array reversed, and of those before."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.formats.arrays.tree import open_array, read_tree

__all__ = ["is_matlab_hdf5", "load_matlab", "load_matlab_hdf5", "shapes_of_matlab", "shapes_of_matlab_hdf5"]

HEAD = b"MATLAB 7.3"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512
"""Bytes before the first ones of HDF5."""
NO_NUMBERS = ("char", "cell", "struct", "function_handle", "table", "string")
"""Classes of MATLAB whose arrays hold no numbers."""


MAT_TYPES = {
    "double": "f8",
    "single": "f4",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "int64": "i8",
    "uint64": "u8",
    "logical": "u1",
}
"""MATLAB's names of types, and numpy's."""


def is_matlab_hdf5(path: str) -> bool:
    """Whether a file is of MATLAB 7.3, by its first bytes."""
    try:
        with open(path, "rb") as file:
            head = file.read(USER_BLOCK + len(SIGNATURE))
    except OSError:
        return False
    return head.startswith(HEAD) and head.endswith(SIGNATURE)


def shapes_of_matlab_hdf5(path: str) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape in MATLAB's order and type of each array; what holds no numbers has the type object."""
    return {
        name: (node.shape[::-1], np.dtype("O") if node.attrs.get("MATLAB_class") in NO_NUMBERS else node.dtype)
        for name, node in read_tree(path).arrays.items()
        if not name.startswith("#")  # MATLAB's own tables of references
    }


def load_matlab_hdf5(path: str, name: str) -> NDArray[Any]:
    """The values of an array, its axes in MATLAB's order. Raises InputError for a file that is damaged."""
    array = open_array(path, name)
    try:
        values = array.box(tuple(slice(None) for _ in array.shape))
    finally:
        array.close()
    if values.dtype.kind not in "biuf":
        raise InputError(f"{path}: {name} holds no real numbers")
    return values.T


def shapes_of_matlab(path: str) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of each array of a file before 7.3; what holds no numbers has the type object.

    Fields of a structure are listed as ``structure.field`` where no other array may be a scene: they are read with all of
    their values.
    """
    from scipy.io import whosmat  # here, for few scenes are MATLAB's and all would wait for it

    listed = whosmat(path)
    out = {key: (tuple(shape), np.dtype(MAT_TYPES.get(kind, "O"))) for key, shape, kind in listed}
    if not any(len(shape) == 3 and dtype.kind in "biuf" for shape, dtype in out.values()):
        for key, shape, kind in listed:
            if kind == "struct" and math.prod(shape) == 1:
                out |= {f"{key}.{name}": (v.shape, v.dtype) for name, v in _fields(path, key).items()}
    return out


def load_matlab(path: str, name: str) -> NDArray[Any]:
    """The values of an array of a file before 7.3, or of a field, ``structure.field``."""
    from scipy.io import loadmat  # as above

    # No name of MATLAB's holds a point itself.
    structure, _, field = name.partition(".")
    return _fields(path, structure)[field] if field else np.asarray(loadmat(path, variable_names=[name])[name])


def _fields(path: str, key: str) -> dict[str, NDArray[Any]]:
    """The arrays in the fields of a structure by their names; fields of any other kind are left out."""
    from scipy.io import loadmat  # as above

    record = np.asarray(loadmat(path, variable_names=[key])[key]).reshape(-1)[0]
    return {name: record[name] for name in record.dtype.names or () if isinstance(record[name], np.ndarray)}
