"""The compiled library, where the install has one: its variants, and its calls with arrays checked."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIELDS", "Planes", "Table", "Variant", "best_variant", "variants"]

Bits = NDArray[np.bool_]
Floats = NDArray[np.float32]
Nodes = NDArray[np.int64]
FIELDS = ("looks", "last", "centre_alone", "variance_alone", "centre_around", "variance_around", "learned")
"""Fields of a record of the past, in the order of rows.h."""


class Planes(NamedTuple):
    """What is seen of some rows of a place, ``(rows, cols)`` each."""

    normal: Floats
    """Normal scores; NaN where invalid."""
    around: Floats
    """Mean normal score of the clear pixels among the 3 x 3 around each."""
    usual: NDArray[np.int16]
    """The centre of each pixel's past in stored units; beside what is always odd, that of this."""
    clear: Bits


class Table(NamedTuple):
    """Normal scores by the leading bits of a score."""

    values: Floats
    """The last one is NaN."""
    shift: int
    """Bits of a number that are dropped."""
    lowest: np.float32
    """What is taken from a score, so that the lowest one becomes 1."""
    end: np.float32
    """The number at the last place but one."""


_address, _count, _float = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float


def _fields(kind: type, *names: str) -> list[tuple[str, type]]:
    return [(name, kind) for name in names]


class _Rows(ctypes.Structure):
    _fields_ = (("records", _address), *_fields(_count, "rows", "cols", "record"), ("field", _count * len(FIELDS)))


class _Look(ctypes.Structure):
    _fields_ = (
        ("rows", _Rows),
        *_fields(_address, "score", "normal", "around", "usual", "clear", "table"),
        *_fields(_count, "entries", "shift"),
        *_fields(_float, "lowest", "end"),
        *_fields(_count, "first", "edge", "always_odd"),
    )


class _Out(ctypes.Structure):
    _fields_ = (
        ("rows", _Rows),
        *_fields(_address, "normal", "around", "usual", "clear"),
        *_fields(_count, "begin", "end", "enough"),
        *_fields(_float, "step", "prior", "bound", "screen"),
        ("at", _address),
        ("room", _count),
    )


class _Learn(ctypes.Structure):
    _fields_ = (
        ("rows", _Rows),
        *_fields(_address, "alone", "around", "clear", "learning"),
        *_fields(_count, "day", "enough", "memory"),
        *_fields(_float, "step", "unit", "ordinary", "always_odd", "most_variance"),
    )


class _Variant(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("look", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Look))),
        ("stand_out", ctypes.CFUNCTYPE(_count, ctypes.POINTER(_Out))),
        ("learn", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Learn))),
    )


class Variant:
    """A night's arithmetic compiled for one kind of processor. Its calls let other Python threads run."""

    def __init__(self, compiled: _Variant) -> None:
        self.name = compiled.name.decode()
        self._look, self._stand_out, self._learn = compiled.look, compiled.stand_out, compiled.learn

    def look(
        self,
        records: NDArray[np.void],
        score: Floats,
        table: Table,
        settings: tuple[bool, int, int],
        filled: Planes,
    ) -> None:
        """Fill the planes of rows of scores.

        ``settings``: whether no night was before, pixels beside a cloud that are none, and from which centre on ground is always
        odd.
        """
        rows = _rows(records)
        _check(rows, (score, filled.normal, filled.around), (filled.usual, filled.clear))
        call = _Look(rows, *(_at(a) for a in (score, *filled, table.values)), table.values.size, *table[1:], *settings)
        if self._look(call):
            raise MemoryError("no memory for the clouds of a window")

    def stand_out(
        self,
        records: NDArray[np.void],
        seen: Planes,
        margin: slice,
        enough: int,
        numbers: Sequence[float],
    ) -> Nodes:
        """Places of clear looks in the rows of ``margin`` that may begin an alert, of arrays as :meth:`look` filled them.

        ``enough``: looks from which on the past can contradict one; ``numbers``: the step of stored numbers, looks that the
        prior counts, by how much the variance is to be exceeded, and the normal score below which nothing begins.
        """
        rows = _rows(records)
        _check(rows, (seen.normal, seen.around), (seen.usual, seen.clear))
        if not 0 <= margin.start <= margin.stop <= rows.rows:
            raise ValueError(f"rows {margin} of {rows.rows}")
        call = _Out(rows, *(_at(plane) for plane in seen), margin.start, margin.stop, enough, *numbers)
        room = 1 << 14
        while True:
            at = np.empty(room, np.int64)
            call.at, call.room = _at(at), room
            found = self._stand_out(call)
            if found < 0:
                raise MemoryError("no memory for a row of the window")
            if found <= room:
                return at[:found]
            room = found

    def learn(
        self,
        records: NDArray[np.void],
        scales: tuple[Floats, Floats],
        masks: tuple[Bits, Bits],
        counts: tuple[int, int, int],
        numbers: Sequence[float],
    ) -> None:
        """Take normal scores of both ``scales`` ``(rows, cols)`` into records, in place; ``masks``: clear looks and those learned.

        ``counts``: the day, looks from which on ground is known, and after which it forgets; ``numbers``: the step of stored
        numbers, one by it, and in its units ordinary ground, always odd ground and the largest variance.
        """
        rows = _rows(records)
        _check(rows, scales, masks)
        self._learn(_Learn(rows, *(_at(a) for a in (*scales, *masks)), *counts, *numbers))


# Everything that C trusts is checked in Python: C would read and write beyond an array without a word.


def _at(array: NDArray[np.generic]) -> int:
    return int(array.ctypes.data)


def _rows(records: NDArray[np.void]) -> _Rows:
    """The records as C reads them. Raises ValueError where rows lie apart or a field is missing."""
    fields: Mapping[str, Any] = records.dtype.fields or {}
    if not records.flags.c_contiguous or set(FIELDS) - set(fields):
        raise ValueError(f"records of {records.dtype}")
    cols = fields["looks"][0].shape[0]
    offsets = (_count * len(FIELDS))(*(fields[name][1] for name in FIELDS))
    return _Rows(_at(records), len(records), cols, records.itemsize, offsets)


def _check(rows: _Rows, floats: Sequence[Floats], others: Sequence[NDArray[np.generic]]) -> None:
    """Raise ValueError where an array is not of the size of the rows, has gaps or is of another type."""
    for array in (*floats, *others):
        if array.shape != (rows.rows, rows.cols) or not array.flags.c_contiguous:
            raise ValueError(f"an array {array.shape} beside records of {rows.rows} x {rows.cols} pixels")
    kinds = {array.dtype.str[1:] for array in floats} | {array.dtype.str[1:] for array in others} - {"i2", "b1"}
    if kinds != {"f4"}:
        raise ValueError(f"arrays of {sorted(kinds)}")


@cache
def variants() -> tuple[Variant, ...]:
    """What this processor can run, the fastest first; none where the install had no compiler."""
    module = find_spec("specvae.alerts.kernel._compiled")
    if module is None or module.origin is None:
        return ()
    # The module is opened as a plain library: its calls then cost a microsecond, and release the interpreter's lock.
    library = ctypes.CDLL(module.origin)
    library.specvae_size.restype = _count
    # A library of another version of the sources, which an earlier install built, would read other fields than are written.
    if [library.specvae_size(i) for i in range(4)] != [ctypes.sizeof(kind) for kind in (_Rows, _Look, _Out, _Learn)]:
        return ()
    there = (ctypes.POINTER(_Variant) * 8)()
    return tuple(Variant(there[i].contents) for i in range(library.specvae_variants(there)))


def best_variant() -> Variant | None:
    """The fastest variant; None where there is none."""
    return next(iter(variants()), None)
