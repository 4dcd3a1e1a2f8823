"""Chunks of rows out of CSV and Parquet files, by pyarrow: bands as float32, other columns as they came."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from specvae.errors import InputError, ReadError
from specvae.ingest.decision import Decision
from specvae.ingest.table.arrow_arrays import to_numpy
from specvae.ingest.table.cells import MISSING, numbers_in, read_cells
from specvae.ingest.table.chunk import Chunk
from specvae.ingest.table.dialect import Dialect, read_dialect
from specvae.ingest.table.endings import PARQUET_ENDINGS
from specvae.ingest.table.idx import IdxFile, is_idx

__all__ = ["ChunkFile", "is_parquet", "open_chunks", "unique"]

SAMPLE = 200
"""Rows that are looked at to decide what the columns hold."""
BLOCK = 1 << 20
"""Bytes of text that are parsed at once. pyarrow reads about 30 blocks ahead, so that larger ones are half a gigabyte."""
MOST_TEXT = 0.2
"""Share of cells that may be no numbers in a column of numbers."""


class ChunkFile(Protocol):
    """A table that can be read in chunks."""

    names: tuple[str, ...]
    """All columns."""
    notes: tuple[str, ...]
    """What a user should know about how it is read."""
    decisions: tuple[Decision, ...]
    """What was decided about how it is read."""
    rows: int | None
    """How many there are, where the file says so."""

    @property
    def sample(self) -> list[NDArray[Any] | None]:
        """First values of each column as float64, None where they are no numbers."""

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks of about ``rows`` rows with the columns at ``at`` as bands."""


def is_parquet(path: str) -> bool:
    """Whether a table is read as Parquet: by its first bytes, else by its ending."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError:
        head = b""
    return head == b"PAR1" or path.casefold().endswith(PARQUET_ENDINGS)


def open_chunks(path: str) -> ChunkFile:
    """The table at ``path``. Raises InputError where it is none."""
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist" if not os.path.exists(path) else f"{path} is no file")
    if is_idx(path):
        return IdxFile(path)
    return ParquetFile(path) if is_parquet(path) else CsvFile(path)


def unique(names: tuple[str, ...]) -> list[str]:
    """Names made different from each other, so that columns can be carried by name."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        out.append(f"{name}.{count}" if count else name)
    return out


class CsvFile:
    """A CSV file of any common dialect."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.rows: int | None = None
        self.dialect: Dialect = read_dialect(path)
        self.names = self.dialect.names
        self.notes: tuple[str, ...] = ()
        self.decisions = _csv_decisions(self.dialect)

    @cached_property
    def sample(self) -> list[NDArray[Any] | None]:
        """First values of each column as float64, None where they are no numbers."""
        width = len(self.names)
        # A row of another length has its cells in the wrong columns.
        rows = [row for row in self.dialect.rows[:SAMPLE] if len(row) == width]
        return [_numbers([row[i] for row in rows], self.dialect.decimal) for i in range(width)]

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks with the columns at ``at`` as bands; cells that are no numbers become NaN."""
        names = unique(self.names)
        bands = [names[i] for i in at]
        seen = 0
        try:
            for batch in self._batches(names, newlines=self.dialect.quoted_newlines):
                seen += batch.num_rows
                yield from self._cut(batch, bands, rows)
        except pa.ArrowInvalid as error:
            yield from self._slow(names, bands, rows, seen, error)

    def _slow(self, names: list[str], bands: list[str], rows: int, skip: int, error: Exception) -> Iterator[Chunk]:
        """The rows past the ``skip`` given already, with newlines in quotes, where the fast reading stopped at one."""
        if self.dialect.quoted_newlines:
            raise ReadError(f"{self.path} cannot be read past row {skip}: {error}") from error
        try:
            for batch in self._batches(names, newlines=True):
                if skip >= batch.num_rows:
                    skip -= batch.num_rows
                    continue
                yield from self._cut(batch.slice(skip), bands, rows)
                skip = 0
        except pa.ArrowException as wrong:
            raise ReadError(f"{self.path} cannot be read: {wrong}") from wrong

    def _batches(self, names: list[str], *, newlines: bool) -> Iterator[pa.RecordBatch]:
        """Blocks of the file as pyarrow parses them, every column as text."""
        dialect = self.dialect
        # pyarrow reads UTF-8 itself, with or without a byte order mark; for other encodings it goes through Python,
        # slowly.
        encoding = "utf8" if dialect.encoding in ("utf-8", "utf-8-sig") else dialect.encoding
        read = pa.csv.ReadOptions(
            column_names=names, skip_rows=dialect.header_lines, block_size=BLOCK, encoding=encoding
        )
        # Looking for newlines inside quotes keeps pyarrow from parsing blocks side by side: only where it must.
        parse = pa.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=newlines)
        # Text is written back as it came: an identifier 007 as 007, and a band without being formatted anew.
        convert = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        with pa.csv.open_csv(self.path, read, parse, convert) as reader:
            yield from reader

    def _cut(self, batch: pa.RecordBatch, bands: list[str], rows: int) -> Iterator[Chunk]:
        """Chunks of at most ``rows`` rows out of a block."""
        for start in range(0, batch.num_rows, rows):
            yield _parsed(pa.Table.from_batches([batch.slice(start, rows)]), bands, self.dialect.decimal)


class ParquetFile:
    """A Parquet file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.notes: tuple[str, ...] = ()
        self.decisions: tuple[Decision, ...] = ()
        try:
            self._file = pa.parquet.ParquetFile(path)
            self._schema = self._file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read as Parquet: {error}") from error
        self.names = tuple(self._schema.names)
        self.rows: int | None = self._file.metadata.num_rows

    @cached_property
    def sample(self) -> list[NDArray[Any] | None]:
        """First values of each column as float64, None where they are no numbers."""
        try:
            first = next(self._file.iter_batches(batch_size=SAMPLE), None)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path} cannot be read as Parquet: {error}") from error
        if first is None:
            return [np.empty(0) if _is_number(kind) else None for kind in self._schema.types]
        return [to_numpy(column) if _is_number(column.type) else None for column in first.columns]

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks with the columns at ``at`` as bands."""
        names = unique(self.names)
        bands = [names[i] for i in at]
        seen = 0
        try:
            for batch in self._file.iter_batches(batch_size=rows):
                table = pa.Table.from_batches([batch]).rename_columns(names)
                yield Chunk(_matrix(table, bands), table)
                seen += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise ReadError(f"{self.path} cannot be read past row {seen}: {error}") from error


def _csv_decisions(dialect: Dialect) -> tuple[Decision, ...]:
    """What was decided about the text of a CSV file."""
    decisions = []
    if not dialect.header_lines:
        chosen = "the first row is data, not a header: columns are called c1, c2, ..."
        decisions.append(Decision("header", chosen, "its cells, all numbers", ("a header",), guessed=True))
    if dialect.decimal == ",":
        decisions.append(Decision("format", "decimal commas", "its cells", ("thousands commas",), guessed=True))
    return tuple(decisions)


def _parsed(table: pa.Table, bands: list[str], decimal: str) -> Chunk:
    """A chunk of text: its bands as numbers, held by column, and as the text that is written back."""
    out = np.empty((len(bands), table.num_rows), np.float32)
    plain = []
    for target, name in zip(out, bands, strict=True):
        cells = read_cells(table.column(name), decimal)
        target[...] = _clipped(cells.numbers)
        if cells.plain:
            plain.append(name)
            table = table.set_column(table.column_names.index(name), name, cells.text)
    return Chunk(out.T, table, frozenset(plain))


def _matrix(table: pa.Table, bands: list[str]) -> NDArray[np.float32]:
    """The bands ``(n, bands)`` as float32, held by column, filled one after another without a copy of the table."""
    out = np.empty((len(bands), table.num_rows), np.float32)
    for target, name in zip(out, bands, strict=True):
        column = table.column(name)
        target[...] = _clipped(to_numpy(column) if _is_number(column.type) else numbers_in(column))
    return out.T


def _clipped(values: NDArray[Any]) -> NDArray[Any]:
    """Values that fit float32: finite ones beyond its range are put at its end, so that they stay finite."""
    # Cast as they are, they would become infinite and their rows invalid, though the file holds a number.
    limit = np.finfo(np.float32).max
    if values.dtype != np.float64:
        return values
    return np.where(np.isfinite(values), np.clip(values, -limit, limit), values)


def _numbers(cells: list[str], decimal: str) -> NDArray[Any] | None:
    """Cells as float64 where most are numbers or missing and one at least is a number, else None."""
    text = [cell.strip() for cell in cells]
    if decimal == ",":
        text = [cell.replace(",", ".") for cell in text]
    out = np.full(len(text), np.nan)
    wrong = 0
    for i, cell in enumerate(text):
        if cell in MISSING:
            continue
        try:
            out[i] = float(cell)
        except ValueError:
            wrong += 1
    return None if wrong > MOST_TEXT * len(text) or (text and wrong == len(text)) else out


def _is_number(kind: pa.DataType) -> bool:
    """Whether a type of pyarrow is one of numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
