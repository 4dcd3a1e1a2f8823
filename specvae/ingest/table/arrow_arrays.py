"""Arrays from numpy to pyarrow and back.

They are handed over as buffers: pyarrow's own conversions import pandas where it is installed, which takes longer than
scoring a small table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["from_numpy", "from_words", "to_numpy"]


def from_numpy(values: NDArray[Any], nan_is_null: bool = False) -> pa.Array:
    """The array ``(n,)`` as pyarrow's, without a copy where it is contiguous; NaN becomes null where ``nan_is_null``.

    What a masked array masks is null.
    """
    missing = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    values = np.ma.getdata(values)
    if values.dtype.kind not in "iuf" or not values.dtype.isnative:
        return pa.array(values, mask=missing, from_pandas=nan_is_null)
    values = np.ascontiguousarray(values)
    if nan_is_null and values.dtype.kind == "f":
        missing = np.isnan(values) if missing is None else missing | np.isnan(values)
    valid = None
    if missing is not None and missing.any():
        valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [valid, pa.py_buffer(values)])


def from_words(words: Iterable[str]) -> pa.Array:
    """An array of text."""
    builder = pa.lib.StringBuilder()
    builder.append_values(list(words))
    return builder.finish()


def to_numpy(column: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    """``(n,)``: a column of numbers in its own type; as float64, null as NaN, where it has nulls or numpy has no such type."""
    kind = column.type
    if column.null_count or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        column = pc.cast(column, pa.float64(), safe=False)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [_chunk_to_numpy(chunk) for chunk in chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, column.type.to_pandas_dtype()), *parts])


def _chunk_to_numpy(chunk: pa.Array) -> NDArray[Any]:
    valid_bits, data = chunk.buffers()
    first, last = chunk.offset, chunk.offset + len(chunk)
    kind = np.dtype(chunk.type.to_pandas_dtype())
    # An empty array may have no buffer at all.
    values = np.zeros(0, kind) if data is None else np.frombuffer(data, kind, last)[first:]
    if not chunk.null_count:
        return values
    valid = np.unpackbits(np.frombuffer(valid_bits, np.uint8), count=last, bitorder="little")[first:]
    return np.where(valid, values, np.nan)
