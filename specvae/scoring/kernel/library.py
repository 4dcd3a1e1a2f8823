"""The compiled library, where the install has one: its variants, and its calls with arrays checked."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.scoring.kernel.packing import PackedModel
from specvae.scoring.kernel.structures import KINDS, Columns, Job, Model, Stack
from specvae.spectra import Cube, Window

__all__ = ["READ", "Variant", "best_variant", "variants"]

Floats = NDArray[np.float32]
READ = tuple(np.dtype(kind) for kind in KINDS)
"""Types of a cube that C reads as they are, in the processor's own byte order."""


class _Variant(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("score", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Model), ctypes.POINTER(Job))),
        ("explain", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Model), ctypes.POINTER(Columns))),
    )


class Variant:
    """The scorer compiled for one kind of processor. Its calls let other Python threads run."""

    def __init__(self, compiled: _Variant) -> None:
        self.name = compiled.name.decode()
        self._score, self._explain = compiled.score, compiled.explain

    def score(
        self,
        model: PackedModel,
        cube: Cube,
        valid: NDArray[np.bool_],
        window: Window,
        rows: range,
        out: Floats,
        context: Floats | None = None,
    ) -> None:
        """Fill ``rows`` of a window's score and terms ``out`` ``(3, rows, cols)``, and ``context`` ``(components, rows, cols)``.

        ``valid`` is that of the cube, which covers the window and, as far as the scene goes, the halo around it.
        """
        # C gets bare addresses: both arrays must live until it returns, hence their names.
        values = _rows_packed(cube.values)
        flags = np.ascontiguousarray(valid, np.bool_)
        here = window.shift(-cube.window.row, -cube.window.col)
        _check_inputs(model, values.shape, flags.shape, here)
        _check_outputs(model, window, out, context)
        job = Job(
            values=values.ctypes.data,
            kind=READ.index(values.dtype),
            band_stride=values.strides[0] // values.itemsize,
            row_stride=values.strides[1] // values.itemsize,
            valid=flags.ctypes.data,
            valid_stride=flags.strides[0],
            cube_rows=flags.shape[0],
            cube_cols=flags.shape[1],
            row=here.row + rows.start,
            col=here.col,
            rows=len(rows),
            cols=here.cols,
            score=out[0, rows.start :].ctypes.data,
            reconstruction=out[1, rows.start :].ctypes.data,
            kl=out[2, rows.start :].ctypes.data,
            out_stride=out.shape[2],
        )
        if context is not None:
            job.context = context[:, rows.start :].ctypes.data
            job.context_band, job.context_stride = context.strides[0] // 4, context.strides[1] // 4
        if self._score(model.structure, job):
            raise MemoryError("no memory for a row of the window")

    def explain(self, model: PackedModel, values: NDArray[Any], context: NDArray[Any] | None) -> tuple[Floats, Floats]:
        """Both terms ``(2, n)`` of ``(bands, n)``, and ``(3, bands, n)``: contribution, deviation and expected value.

        The expected values are in standard units, and with marginals contributions hold the bands' costs.
        """
        columns = np.ascontiguousarray(values, np.float32)
        n = columns.shape[1]
        around = np.ascontiguousarray(np.zeros((0, n)) if context is None else context, np.float32)
        if len(columns) != model.bands or around.shape != (model.components, n):
            raise ValueError(f"columns {columns.shape} and contexts {around.shape} for {model.bands} bands")
        terms, reasons = np.empty((2, n), np.float32), np.empty((3, model.bands, n), np.float32)
        call = Columns(
            values=columns.ctypes.data,
            context=around.ctypes.data,
            count=n,
            reconstruction=terms[0].ctypes.data,
            kl=terms[1].ctypes.data,
            reasons=reasons.ctypes.data,
        )
        if self._explain(model.structure, call):
            raise MemoryError("no memory for a block of pixels")
        return terms, reasons


# Everything that C trusts is checked in Python: C would read and write beyond an array without a word.


def _check_inputs(model: PackedModel, values: tuple[int, ...], valid: tuple[int, ...], here: Window) -> None:
    """Raise ValueError where the shapes of a cube's arrays are not of one size, or do not cover ``here``, a window of them."""
    if values[0] != model.bands or valid != values[1:]:
        raise ValueError(f"values {values} and valid {valid} are not of {model.bands} bands and one cube")
    rows, cols = valid
    if min(here.row, here.col) < 0 or here.row + here.rows > rows or here.col + here.cols > cols:
        raise ValueError(f"{here} reaches beyond a cube of {rows} x {cols} pixels")


def _check_outputs(model: PackedModel, window: Window, out: Floats, context: Floats | None) -> None:
    """Raise ValueError where the arrays to fill do not have the size of the window."""
    if out.shape != (3, window.rows, window.cols) or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"results of {out.shape} and {out.dtype} for {window}")
    if context is None:
        return
    if context.shape != (model.components, window.rows, window.cols) or not context.flags.c_contiguous:
        raise ValueError(f"contexts of {context.shape} for {window}")


def _rows_packed(values: NDArray[Any]) -> NDArray[Any]:
    """The values, copied only where C does not read their type or their rows have gaps."""
    item, read = values.itemsize, values.dtype in READ
    if read and values.strides[2] == item and all(s >= 0 and s % item == 0 for s in values.strides):
        return values
    return np.ascontiguousarray(values, values.dtype if read else np.float32)


@cache
def variants() -> tuple[Variant, ...]:
    """What this processor can run, the fastest first; none where the install had no compiler."""
    module = find_spec("specvae.scoring.kernel._compiled")
    if module is None or module.origin is None:
        return ()
    # The module is opened as a plain library: its calls then cost a microsecond, and release the interpreter's lock.
    library = ctypes.CDLL(module.origin)
    library.specvae_size.restype = ctypes.c_int64
    # A library of another version of the sources, which an earlier install built, would read other fields than are written.
    if [library.specvae_size(i) for i in range(4)] != [ctypes.sizeof(kind) for kind in (Stack, Model, Job, Columns)]:
        return ()
    there = (ctypes.POINTER(_Variant) * 8)()
    return tuple(Variant(there[i].contents) for i in range(library.specvae_variants(there)))


def best_variant() -> Variant | None:
    """The fastest variant; None where there is none."""
    return next(iter(variants()), None)
