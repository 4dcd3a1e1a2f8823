"""The axes of arrays in Zarr stores by the names of their dimensions, brought into the order in which bands are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import zarr

__all__ = ["COLS", "ROWS", "MovedAxes", "dims_of", "order_of", "with_rows_and_columns_last"]

ROWS = ("y", "lat", "latitude", "northing", "row", "rows")
COLS = ("x", "lon", "longitude", "easting", "col", "cols", "column")


class MovedAxes:
    """An array whose rows and columns are not its last axes, as one in which they are."""

    def __init__(self, array: zarr.Array[Any], order: tuple[int, ...]) -> None:
        """``order``: the array's axes with rows and columns last."""
        self._array, self._order = array, order
        self.shape = tuple(int(array.shape[axis]) for axis in order)
        self.chunks = tuple(int(array.chunks[axis]) for axis in order)
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, index: tuple[int | slice, ...]) -> NDArray[Any]:
        parts = dict(zip(self._order, index, strict=True))
        stored = np.asarray(self._array[tuple(parts[axis] for axis in range(len(parts)))])
        kept = [axis for axis in self._order if isinstance(parts[axis], slice)]
        return np.transpose(stored, [sorted(kept).index(axis) for axis in kept])


def order_of(dims: Sequence[str]) -> tuple[int, ...] | None:
    """Axes with the one over rows and the one over columns last; None where they are last, or not one of each is there."""
    rows = [axis for axis, name in enumerate(dims) if name.casefold() in ROWS]
    cols = [axis for axis, name in enumerate(dims) if name.casefold() in COLS]
    if len(rows) != 1 or len(cols) != 1 or (rows[0], cols[0]) == (len(dims) - 2, len(dims) - 1):
        return None
    return (*(axis for axis in range(len(dims)) if axis not in (rows[0], cols[0])), rows[0], cols[0])


def with_rows_and_columns_last(array: zarr.Array[Any]) -> zarr.Array[Any] | MovedAxes:
    """The array itself, or as one whose last axes are rows and columns where the names of its dimensions say otherwise."""
    order = order_of(dims_of(array))
    return array if order is None else MovedAxes(array, order)


def dims_of(array: Any) -> tuple[str, ...]:
    """The names of an array's dimensions, as version 3 of Zarr or xarray in version 2 states them; none otherwise."""
    named = getattr(array.metadata, "dimension_names", None) or dict(array.attrs).get("_ARRAY_DIMENSIONS") or ()
    return tuple(str(name) for name in named) if len(named) == len(array.shape) else ()
