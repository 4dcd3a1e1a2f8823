"""Arrays of MATLAB 7.3 files, which are HDF5 behind 512 bytes of their own, with the axes of each array reversed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.formats.arrays.tree import open_array, read_tree

__all__ = ["is_matlab_hdf5", "load_matlab_hdf5", "shapes_of_matlab_hdf5"]

HEAD = b"MATLAB 7.3"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512
"""Bytes before the first ones of HDF5."""
NO_NUMBERS = ("char", "cell", "struct", "function_handle", "table", "string")
"""Classes of MATLAB whose arrays hold no numbers."""


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
