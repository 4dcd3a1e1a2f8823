"""Cells of text: the numbers in them, and which of them say one of some words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from specvae.ingest.table.arrow_arrays import from_words, to_numpy
from specvae.ingest.table.number_format import POINTS, NumberFormat

__all__ = ["MISSING", "Cells", "is_one_of", "numbers_in", "read_cells", "words_of"]

NUMBER = r"(?i)^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)$"
"""Text that pyarrow reads as a number."""
MISSING = ("", "nan", "NaN", "NAN", "na", "NA", "n/a", "N/A", "null", "NULL", "None", "none", "-", "--", "#N/A", "?")
"""Cells that mean that a value is missing."""
Column: TypeAlias = pa.Array | pa.ChunkedArray


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of text, read as numbers."""

    numbers: NDArray[np.float64]
    """``(n,)``: NaN where a cell holds none."""
    text: Column
    """The cells without blanks around them, missing ones as null and with decimal points; as they came where not plain."""
    plain: bool
    """Whether every cell is a number or missing."""
    words: Column | None = None
    """The cells that are neither, without blanks around them; None where there is none."""


def read_cells(column: Column, numbers: NumberFormat = POINTS) -> Cells:
    """Read a column of text whose numbers are written in this format."""
    try:
        text = numbers.plain(pc.cast(column, pa.string()))
    except pa.ArrowException:  # lists and the like, which have no text
        return Cells(np.full(len(column), np.nan), column, False)
    # One cell that is no number stops a cast, so the common reasons are mended one after the other.
    for mend in (_as_it_is, _tidy):
        mended = mend(text)
        try:
            return Cells(np.asarray(to_numpy(pc.cast(mended, pa.float64())), np.float64), mended, True)
        except pa.ArrowInvalid:
            continue
    tidy = _tidy(text)
    is_number = pc.match_substring_regex(tidy, NUMBER)
    found = pc.cast(pc.if_else(is_number, tidy, pa.nulls(len(tidy), pa.string())), pa.float64())
    # A missing cell is null, which is neither a number nor a word.
    words = pc.filter(tidy, pc.invert(is_number))
    return Cells(np.asarray(to_numpy(found), np.float64), column, False, words)


def _as_it_is(text: Column) -> Column:
    return text


def _tidy(text: Column) -> Column:
    """Cells without blanks around them, those that mean that a value is missing as null."""
    text = pc.utf8_trim_whitespace(text)
    missing = pc.is_in(text, value_set=from_words(MISSING))
    return pc.if_else(missing, pa.nulls(len(text), pa.string()), text)


def numbers_in(column: Column, numbers: NumberFormat = POINTS) -> NDArray[np.float64]:
    """``(n,)``: a column of text as numbers in this format, NaN where a cell holds none."""
    return read_cells(column, numbers).numbers


def words_of(column: pa.ChunkedArray) -> set[str]:
    """The different cells of a column of labels that are no numbers, in lower case and without blanks around them."""
    words = {str(value).strip().casefold() for value in pc.unique(column).to_pylist() if value is not None}
    ordered = sorted(words)
    return {word for word, number in zip(ordered, numbers_in(from_words(ordered)), strict=True) if np.isnan(number)}


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
