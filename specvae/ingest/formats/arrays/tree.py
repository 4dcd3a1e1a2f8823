"""The tree of an HDF5 or NetCDF file: its arrays with their dimensions and attributes, read without GDAL."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError

__all__ = [
    "SINGLES",
    "ArrayNode",
    "Attributes",
    "OpenArray",
    "Tree",
    "cube_in",
    "is_hdf5",
    "is_tree",
    "open_array",
    "read_tree",
]

HDF5 = b"\x89HDF\r\n\x1a\n"
CLASSIC = (b"CDF\x01", b"CDF\x02")
"""First bytes of HDF5, which NetCDF-4 files are, and of the classic format of NetCDF."""
USER_BLOCK = 512
"""Bytes that another program may have put before those of HDF5."""
MOST_NODES = 5_000
"""Arrays and groups that are looked at."""
SMALL = 1 << 20
"""Numbers of an array that is read as a whole: wavelengths, coordinates."""
LONGEST = 100_000
"""Numbers of an attribute that is kept."""
SINGLES = re.compile(r"^(?:time|t|date|depth|level|lev|height|z|ensemble|member)", re.I)
"""Names of axes that are left out first where they have one step."""
Attributes = Mapping[str, object]
"""Attributes by name: text, numbers, or arrays of numbers."""


@dataclass(frozen=True)
class ArrayNode:
    """One array, without its values."""

    name: str
    """Its path inside the file, without a slash in front."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dims: tuple[str, ...]
    """Names of its dimensions, an empty text where one has none."""
    attrs: Attributes
    chunks: tuple[int, ...] | None = None
    """Its chunks, which are decoded as a whole; None where it is stored in one piece."""
    single: tuple[int, ...] = ()
    """Axes of one step in the file that ``shape``, ``dims`` and ``chunks`` leave out, such as a time."""

    @property
    def short(self) -> str:
        """Its name without the groups it lies in."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def group(self) -> str:
        """The path of its group, empty for the root."""
        return self.name.rpartition("/")[0]

    @property
    def real(self) -> bool:
        """Whether it holds real numbers."""
        return self.dtype.kind in "iuf"


def cube_in(node: ArrayNode) -> ArrayNode:
    """The array without so many axes of one step, those of time first, that three axes remain; as it is where it has three."""
    surplus = len(node.shape) - 3
    ones = [axis for axis, size in enumerate(node.shape) if size == 1]
    if surplus <= 0 or len(ones) < surplus:
        return node
    ones.sort(key=lambda axis: not SINGLES.match(node.dims[axis]) if axis < len(node.dims) else True)
    single = tuple(sorted(ones[:surplus]))
    kept = [axis for axis in range(len(node.shape)) if axis not in single]
    dims = tuple(node.dims[axis] for axis in kept) if len(node.dims) == len(node.shape) else ()
    chunks = None if node.chunks is None else tuple(node.chunks[axis] for axis in kept)
    return replace(node, shape=tuple(node.shape[axis] for axis in kept), dims=dims, chunks=chunks, single=single)


@dataclass(frozen=True)
class Tree:
    """All arrays of a file, the attributes of its groups, and the values of its small arrays."""

    path: str
    arrays: dict[str, ArrayNode]
    attrs: dict[str, Attributes]
    """Attributes of each group by its path; those of the root by an empty text."""
    small: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Values of the arrays with one axis of more than one step, and of texts."""

    def attribute(self, name: str, group: str = "") -> object:
        """An attribute of a group in any spelling of its letters; None where there is none."""
        wanted = name.casefold()
        return next((v for k, v in self.attrs.get(group, {}).items() if k.casefold() == wanted), None)


class OpenArray(Protocol):
    """An array of an open file, from which boxes are read."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""

    def box(self, slices: tuple[slice, ...]) -> NDArray[Any]:
        """The values of a box, in the file's own type."""

    def close(self) -> None:
        """Close the file."""


def is_tree(path: str) -> bool:
    """Whether a file is HDF5 or classic NetCDF, by its first bytes."""
    return is_hdf5(path) or _head(path).startswith(CLASSIC)


def is_hdf5(path: str) -> bool:
    """Whether a file is HDF5, by its first bytes, or by those behind 512 of another program, such as MATLAB."""
    head = _head(path)
    return head.startswith(HDF5) or head[USER_BLOCK:].startswith(HDF5)


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(USER_BLOCK + len(HDF5))
    except OSError:
        return b""


@contextmanager
def _in_one_line(path: str) -> Iterator[None]:
    """Turn what h5py and scipy raise for damaged files, which is of many classes, into one line."""
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be read: {error or type(error).__name__}") from error


def read_tree(path: str) -> Tree:
    """The tree of a file. Raises InputError for one that is damaged."""
    with _in_one_line(path):
        return _hdf5_tree(path) if is_hdf5(path) else _classic_tree(path)


def open_array(path: str, name: str) -> OpenArray:
    """An array of a file, open. Raises InputError for a file that is damaged."""
    with _in_one_line(path):
        return _Hdf5Array(path, name) if is_hdf5(path) else _ClassicArray(path, name)


class _Hdf5Array:
    def __init__(self, path: str, name: str) -> None:
        import h5py  # here, for few scenes are HDF5 and all would wait for it

        self._path = path
        self._file = h5py.File(path, "r")
        self._array = self._file[name]
        self.shape: tuple[int, ...] = tuple(self._array.shape)

    def box(self, slices: tuple[slice, ...]) -> NDArray[Any]:
        """The values of a box."""
        with _in_one_line(self._path):
            return np.asarray(self._array[slices])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _ClassicArray:
    def __init__(self, path: str, name: str) -> None:
        from scipy.io import netcdf_file  # as above

        self._path = path
        # Not mapped: scipy warns where a mapped array outlives its file, and each window is copied anyway.
        self._file = netcdf_file(path, "r", mmap=True)
        self._array = self._file.variables[name]
        self.shape: tuple[int, ...] = tuple(self._array.shape)

    def box(self, slices: tuple[slice, ...]) -> NDArray[Any]:
        """The values of a box, in the order of bytes of this machine."""
        with _in_one_line(self._path):
            part = np.array(self._array.data[slices])
            return part.astype(part.dtype.newbyteorder("="))

    def close(self) -> None:
        """Close the file."""
        del self._array
        self._file.close()


def _hdf5_tree(path: str) -> Tree:
    import h5py

    tree = Tree(path, {}, {})
    with h5py.File(path, "r") as file:
        tree.attrs[""] = _attributes(file.attrs)
        seen = 0

        def visit(name: str | bytes, node: Any) -> bool | None:
            nonlocal seen
            seen += 1
            if isinstance(name, bytes):  # of a damaged file: no name that could be asked for
                return None
            if isinstance(node, h5py.Group):
                tree.attrs[name] = _attributes(node.attrs)
            elif isinstance(node, h5py.Dataset):
                _add(tree, name, node)
            return True if seen > MOST_NODES else None

        file.visititems(visit)
    return tree


def _add(tree: Tree, name: str, node: Any) -> None:
    """Add a dataset of HDF5 to the tree; one that cannot be understood is passed over."""
    try:
        shape, dtype = tuple(node.shape or ()), node.dtype
        dims = tuple(_dimension(dim) for dim in node.dims) if shape else ()
        tree.arrays[name] = ArrayNode(name, shape, dtype, dims, _attributes(node.attrs), node.chunks)
        # A list may be stored as a row or a column, (1, n) or (n, 1).
        if len(shape) <= 2 and math.prod(shape) == max(shape, default=1) <= SMALL:
            tree.small[name] = np.asarray(node[()])
    except Exception:  # one odd array must not hide the cube beside it
        return


def _dimension(dim: Any) -> str:
    """The name of a dimension of HDF5: its label, else that of its scale; empty where it has none."""
    if dim.label:
        return str(dim.label)
    return str(dim[0].name).rsplit("/", 1)[-1] if len(dim) else ""


def _attributes(attrs: Any) -> Attributes:
    """Attributes as text, numbers and arrays; those that cannot be read are passed over."""
    out: dict[str, object] = {}
    for key in list(attrs)[:1000]:
        try:
            out[str(key)] = _plain(attrs[key])
        except Exception:  # h5py raises many classes for types that it does not know
            continue
    return out


def _plain(value: Any) -> object:
    """A value of an attribute: text, a number, or an array."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        if value.size == 1:
            return _plain(value.reshape(-1)[0])
        return value if value.size <= LONGEST else value[:0]
    return value.item() if isinstance(value, np.generic) and not isinstance(value, (np.void, np.object_)) else value


def _classic_tree(path: str) -> Tree:
    from scipy.io import netcdf_file

    tree = Tree(path, {}, {})
    if os.path.getsize(path) < 32:
        raise InputError(f"{path} is cut short; copy it again")
    with (
        netcdf_file(path, "r", mmap=False, maskandscale=False)
        if os.path.getsize(path) < SMALL
        else netcdf_file(path, "r", mmap=True) as file
    ):
        tree.attrs[""] = {key: _plain(value) for key, value in vars(file)["_attributes"].items()}
        for name, node in file.variables.items():
            attrs = {key: _plain(value) for key, value in node._attributes.items()}
            dtype = np.dtype(node.typecode()).newbyteorder("=") if node.typecode() != "c" else np.dtype("S1")
            tree.arrays[name] = ArrayNode(name, tuple(node.shape), dtype, tuple(node.dimensions), attrs)
            if len(node.shape) <= 2 and math.prod(node.shape) == max(node.shape, default=1) <= SMALL:
                tree.small[name] = np.array(node.data)
        del node
    return tree
