"""Tables that are held in memory: rows of text of a workbook, and spectra that stood in columns or in long form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.table.arrow_arrays import from_numpy
from specvae.ingest.table.chunk import Chunk
from specvae.ingest.table.columns import clipped, parsed, unique
from specvae.ingest.table.header_line import Header
from specvae.ingest.table.number_format import POINTS, NumberFormat
from specvae.ingest.table.survey import Column, Survey

__all__ = ["MatrixFile", "RowsFile", "as_text"]


class RowsFile:
    """Rows of cells of text, as a workbook or a file of columns between blanks gives them."""

    def __init__(
        self,
        path: str,
        header: Header,
        rows: Sequence[Sequence[str]],
        numbers: NumberFormat = POINTS,
        decisions: tuple[Decision, ...] = (),
    ) -> None:
        """Raises InputError where a row has more cells than the header; shorter ones end in missing cells."""
        self.names = header.names
        self.notes: tuple[str, ...] = ()
        self.decisions = (*header.decisions, *decisions)
        self.rows: int | None = len(rows)
        width = len(self.names)
        wide = next((at for at, row in enumerate(rows, 1) if len(row) > width), None)
        if wide is not None:
            raise InputError(
                f"{path}: row {wide} has {len(rows[wide - 1])} cells for {width} columns; give rows of one length"
            )
        filled = [(*row, *("",) * (width - len(row))) for row in rows]
        cells = [pa.array([row[i] for row in filled], pa.string()) for i in range(width)]
        self._table, self.number_format = pa.Table.from_arrays(cells, names=unique(self.names)), numbers

    @cached_property
    def columns(self) -> list[Column]:
        """What all cells of each column say."""
        surveys = [Survey(name, self.number_format) for name in self.names]
        for survey, column in zip(surveys, self._table.columns, strict=True):
            survey.update(column)
        return [survey.finish() for survey in surveys]

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks with the columns at ``at`` as bands; cells that are no numbers become NaN."""
        bands = [self._table.column_names[i] for i in at]
        for start in range(0, self._table.num_rows, rows):
            yield parsed(self._table.slice(start, rows), bands, self.number_format)

    def last_rows(self, count: int) -> tuple[list[list[str]], bool]:
        """The cells of the last rows as text, and whether these are all rows."""
        return as_text(self._table.slice(max(0, self._table.num_rows - count))), self._table.num_rows <= count


def as_text(table: pa.Table) -> list[list[str]]:
    """The rows of a table as text, without its columns of other types."""
    texts = [c.to_pylist() for c in table.columns if pa.types.is_string(c.type) or pa.types.is_large_string(c.type)]
    return [["" if cell is None else cell for cell in row] for row in zip(*texts, strict=True)]


class MatrixFile:
    """Spectra ``(n, bands)`` with what else is known of each."""

    def __init__(
        self,
        bands: Sequence[str],
        values: NDArray[np.float64],
        others: dict[str, pa.Array],
        decisions: tuple[Decision, ...],
        notes: tuple[str, ...] = (),
    ) -> None:
        """``others``: columns of ``n`` cells, in front of the bands."""
        self.notes, self.decisions = notes, decisions
        self.rows: int | None = len(values)
        self.names = (*others, *bands)
        self._values, self._others = values, others
        self.number_format = POINTS

    @cached_property
    def columns(self) -> list[Column]:
        """What all cells of each column say."""
        surveys = [Survey(name) for name in self.names]
        for survey, column in zip(surveys, self._columns(slice(None)), strict=True):
            survey.update(column)
        return [survey.finish() for survey in surveys]

    def _columns(self, rows: slice) -> list[pa.Array]:
        """All columns of some rows."""
        others = [column[rows] for column in self._others.values()]
        return [*others, *(from_numpy(np.ascontiguousarray(band[rows])) for band in self._values.T)]

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks with the columns at ``at``, each of them a band, as bands."""
        first = len(self._others)
        for start in range(0, len(self._values), rows):
            part = slice(start, start + rows)
            values = np.full((len(at), len(self._values[part])), np.nan, np.float32)
            for target, i in zip(values, at, strict=True):
                if i >= first:
                    target[...] = clipped(self._values[part, i - first])
            yield Chunk(values.T, pa.Table.from_arrays(self._columns(part), names=unique(self.names)))

    def last_rows(self, count: int) -> tuple[list[list[str]], bool]:
        """What is known of the last spectra in words, and whether these are all."""
        part = slice(max(0, len(self._values) - count), None)
        table = pa.Table.from_arrays([column[part] for column in self._others.values()], names=list(self._others))
        return as_text(table), len(self._values) <= count
