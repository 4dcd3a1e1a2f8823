"""Cells of text: the numbers in them, and which of them say one of some words."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from specvae.ingest.table.arrow_arrays import from_words, to_numpy

__all__ = ["is_one_of", "numbers_in"]

NUMBER = r"(?i)^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)$"
"""Text that pyarrow reads as a number."""
Column: TypeAlias = pa.Array | pa.ChunkedArray


def numbers_in(column: Column, decimal: str = ".") -> NDArray[np.float64]:
    """``(n,)``: a column of text as numbers, NaN where a cell holds none; ``decimal`` is the decimal mark."""
    try:
        text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    except pa.ArrowException:  # lists and the like, which have no text
        return np.full(len(column), np.nan)
    if decimal == ",":
        text = pc.replace_substring(text, ",", ".")
    try:
        numbers = pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        # One cell that is no number stops the cast, so they are looked for only where there is one.
        is_number = pc.match_substring_regex(text, NUMBER)
        numbers = pc.cast(pc.if_else(is_number, text, pa.nulls(len(text), pa.string())), pa.float64())
    return np.asarray(to_numpy(numbers), np.float64)


def is_one_of(column: pa.ChunkedArray, wanted: set[str]) -> NDArray[np.bool_]:
    """``(n,)``: where a column of labels says one of these words in lower case, numbers compared as numbers.

    A missing value says ``nan``.
    """
    # Labels have few distinct values, so it is these that are looked at.
    coded = column.combine_chunks().dictionary_encode()
    distinct = [*coded.dictionary.to_pylist(), None]
    words = ["nan" if value is None else str(value).strip().casefold() for value in distinct]
    numbers = numbers_in(from_words(words))
    sought = numbers_in(from_words(wanted))
    # Words that are no numbers became NaN on both sides, and NaN equals nothing here.
    same = np.isin(numbers, sought[~np.isnan(sought)]) | np.array([word in wanted for word in words], bool)
    indices = to_numpy(coded.indices)
    return np.asarray(same[np.where(np.isnan(indices), len(distinct) - 1, indices).astype(np.intp)], bool)
