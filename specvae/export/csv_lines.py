"""Rows of a table as lines of CSV: numbers that read back as the same floats, text that no spreadsheet runs as a formula.

pyarrow writes every text in quotes, which would quote the bands too: they are carried over as the text that they came
as. So the cells are joined here, by pyarrow's own kernels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from specvae.export.plain_text import DANGEROUS, plain_text
from specvae.ingest.table.arrow_arrays import from_words

__all__ = ["header_line", "lines_of"]

NUMBER = r"^[\s]*[+-]?(\d+[.,]?\d*|[.,]\d+|inf|nan)([eE][+-]?\d+)?%?[\s]*$"
STRUCTURAL = r"[\",\r\n]"
"""Characters for which a cell is quoted."""
ROWS, BYTES = 16_384, 64 << 20
"""Rows and bytes of a table that are joined at once, at most: what is joined stays in the processor's cache."""


def header_line(names: Sequence[str]) -> bytes:
    """The first line: the columns' names."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([plain_text(name) for name in names])
    return line.getvalue().encode()


def lines_of(table: pa.Table, plain: Container[int] = ()) -> Iterator[memoryview]:
    """The lines of a table's rows, some rows at a time.

    ``plain``: the positions of columns of text that hold nothing but numbers and missing cells, which need no care.
    """
    if not table.num_rows or not table.num_columns:
        return
    rows = max(1, min(ROWS, BYTES * table.num_rows // max(1, table.nbytes)))
    commas, ends, nothing = (from_words([word] * rows) for word in (",", "\n", ""))
    for start in range(0, table.num_rows, rows):
        part = table.slice(start, rows)
        n = part.num_rows
        cells = [_as_text(part.column(i), i in plain) for i in range(part.num_columns)]
        cells[-1] = _joined(cells[-1], ends[:n], nothing[:n])
        for lines in _joined(*cells, commas[:n]).chunks:
            yield _bytes_of(lines)


def _joined(*columns: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Each row's cells joined by what the last of the columns holds; a missing cell is empty."""
    joined = pc.binary_join_element_wise(*columns, null_handling="replace", null_replacement="")
    return joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined])


def _bytes_of(text: pa.Array) -> memoryview:
    """The cells of a column of text one after another."""
    _, offsets, data = text.buffers()
    ends = np.frombuffer(offsets, np.int32, text.offset + len(text) + 1)[text.offset :]
    return memoryview(data)[ends[0] : ends[-1]]


def _as_text(column: pa.ChunkedArray, plain: bool) -> pa.ChunkedArray:
    """The cells of a column as they stand in a line."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return _numbers_as_text(column)
    text = pc.cast(column, pa.string())
    return text if plain else _quoted(_harmless(text))


def _numbers_as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as the shortest text that reads back as the same ones."""
    if column.type == pa.float64():
        # p-values are ranks among held-out scores: few of them differ, and each is formatted once.
        coded = column.combine_chunks().dictionary_encode()
        if len(coded.dictionary) < len(coded) // 2:
            return pa.chunked_array([pc.take(pc.cast(coded.dictionary, pa.string()), coded.indices)])
    return pc.cast(column, pa.string())


def _harmless(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text with an apostrophe before whatever a spreadsheet would run as a formula; numbers stay."""
    danger = pc.match_substring_regex(text, DANGEROUS)
    if not pc.any(danger).as_py():
        return text
    danger = pc.and_(danger, pc.invert(pc.match_substring_regex(text, NUMBER)))
    return pc.if_else(danger, pc.replace_substring_regex(text, "^", "'"), text)


def _quoted(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text in quotes where it holds a comma, a quote or the end of a line."""
    needed = pc.match_substring_regex(text, STRUCTURAL)
    if not pc.any(needed).as_py():
        return text
    inner = pc.replace_substring(text, '"', '""')
    return pc.if_else(needed, pc.replace_substring_regex(inner, r"(?s)^(.*)$", r'"\1"'), text)
