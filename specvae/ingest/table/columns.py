"""Tables of any kind as chunks of rows: bands as float32, other columns as they came; CSV by pyarrow here."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from specvae.errors import InputError, ReadError, one_line
from specvae.ingest.decision import Decision
from specvae.ingest.options import IngestOptions
from specvae.ingest.table.cells import read_cells
from specvae.ingest.table.chunk import Chunk
from specvae.ingest.table.dialect import Dialect, is_gzip, last_lines, read_dialect
from specvae.ingest.table.header_line import COMMENT
from specvae.ingest.table.number_format import GROUPS, NumberFormat
from specvae.ingest.table.survey import Column, Survey

__all__ = ["ChunkFile", "CsvFile", "clipped", "parsed", "unique"]

BLOCK = 1 << 20
"""Bytes of text that are parsed at once. pyarrow reads about 30 blocks ahead, so that larger ones are half a gigabyte."""


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
    def number_format(self) -> NumberFormat:
        """How the numbers in its columns of text are written."""

    @property
    def columns(self) -> list[Column]:
        """What all cells of each column say; the table is read for it."""

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks of about ``rows`` rows with the columns at ``at`` as bands."""

    def last_rows(self, count: int) -> tuple[list[list[str]], bool]:
        """The text in the last rows, of columns of text at least, and whether these are all rows."""


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
    """A CSV file of any common dialect, compressed by gzip or not."""

    def __init__(self, path: str, options: IngestOptions, dialect: Dialect | None = None) -> None:
        self.path = path
        self.rows: int | None = None
        self.dialect: Dialect = dialect or read_dialect(path, options.decimal)
        self.names = self.dialect.header.names
        self.notes: tuple[str, ...] = ()
        self.decisions = self.dialect.decisions

    @property
    def number_format(self) -> NumberFormat:
        """The decimal mark and the separator of thousands."""
        return self.dialect.numbers

    @cached_property
    def columns(self) -> list[Column]:
        """What all cells of each column say."""
        columns = self._survey()
        # Thousands may be separated in the bright bands alone, or far down in the file.
        mark = next((mark for column in columns for word in column.examples if (mark := self._thousands(word))), "")
        if not mark:
            return columns
        numbers = NumberFormat(self.dialect.numbers.decimal, mark)
        how = Decision("format", str(numbers), "cells further down", ("text",), guessed=True)
        self.decisions = (*self.decisions, how)
        self.dialect = replace(self.dialect, numbers=numbers)
        return self._survey()

    def _thousands(self, word: str) -> str:
        """The separator of thousands in a word that is no number yet; empty where it has none."""
        numbers = self.dialect.numbers
        if numbers.thousands:
            return ""
        whole = re.split(re.escape(numbers.decimal), word.lstrip("+-"))[0]
        return next((mark for mark, form in GROUPS.items() if mark != numbers.decimal and form.match(whole)), "")

    @cached_property
    def _ends_in_comments(self) -> bool:
        """Whether a comment stands among the last lines; pyarrow complains of odd rows in no UTF-8 when it is to ask us."""
        lines, _ = last_lines(self.path, self.dialect.encoding, self.dialect.header.lines)
        return any(COMMENT.match(line) for line in lines) and not any("\ufffd" in line for line in lines)

    def _passed_over(self, row: pa.csv.InvalidRow) -> str:
        """What becomes of a row of another length: a comment is passed over, anything else is an error."""
        if row.text is None or not COMMENT.match(row.text):
            return "error"
        if not any(how.about == "rows" for how in self.decisions):
            chosen = f"lines among the rows that are comments are passed over, such as {one_line(row.text, 60)!r}"
            self.decisions = (*self.decisions, Decision("rows", chosen, "the mark that they begin with", guessed=True))
        return "skip"

    def _survey(self) -> list[Column]:
        names = unique(self.names)
        surveys = [Survey(name, self.dialect.numbers) for name in self.names]
        for batch in self._all_batches(names):
            for survey, column in zip(surveys, batch.columns, strict=True):
                survey.update(column)
        return [survey.finish() for survey in surveys]

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks with the columns at ``at`` as bands; cells that are no numbers become NaN."""
        names = unique(self.names)
        bands = [names[i] for i in at]
        for batch in self._all_batches(names):
            for start in range(0, batch.num_rows, rows):
                yield parsed(pa.Table.from_batches([batch.slice(start, rows)]), bands, self.dialect.numbers)

    def last_rows(self, count: int) -> tuple[list[list[str]], bool]:
        """The cells of the last rows as text, and whether these are all rows."""
        lines, whole = last_lines(self.path, self.dialect.encoding, self.dialect.header.lines)
        reader = csv.reader(lines, delimiter=self.dialect.delimiter)
        try:
            rows = [row for row in reader if row]
        except csv.Error:
            return [], False
        return rows[-count:], whole and len(rows) <= count

    def _all_batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Blocks of the file, every column as text. Raises ReadError where a row is damaged."""
        seen = 0
        try:
            for batch in self._batches(names, newlines=self.dialect.quoted_newlines):
                seen += batch.num_rows
                yield batch
        except pa.ArrowInvalid as error:
            yield from self._slow(names, seen, error)
        except OSError as error:
            raise ReadError(f"{self.path} cannot be read past row {seen}: {error}") from error

    def _slow(self, names: list[str], skip: int, error: Exception) -> Iterator[pa.RecordBatch]:
        """The rows past the ``skip`` given already, with newlines in quotes, where the fast reading stopped at one."""
        if self.dialect.quoted_newlines:
            raise ReadError(f"{self.path} cannot be read past row {skip}: {error}") from error
        try:
            for batch in self._batches(names, newlines=True):
                if skip >= batch.num_rows:
                    skip -= batch.num_rows
                    continue
                yield batch.slice(skip)
                skip = 0
        except (pa.ArrowException, OSError) as wrong:
            raise ReadError(f"{self.path} cannot be read: {wrong}") from wrong

    def _batches(self, names: list[str], *, newlines: bool) -> Iterator[pa.RecordBatch]:
        """Blocks of the file as pyarrow parses them, every column as text."""
        dialect = self.dialect
        # pyarrow reads UTF-8 itself, with or without a byte order mark; for other encodings it goes through Python,
        # slowly.
        encoding = "utf8" if dialect.encoding in ("utf-8", "utf-8-sig") else dialect.encoding
        read = pa.csv.ReadOptions(
            column_names=names, skip_rows=dialect.header.lines, block_size=BLOCK, encoding=encoding
        )
        # Looking for newlines inside quotes keeps pyarrow from parsing blocks side by side: only where it must.
        parse = pa.csv.ParseOptions(
            delimiter=dialect.delimiter,
            newlines_in_values=newlines,
            invalid_row_handler=self._passed_over if self._ends_in_comments else None,
        )
        # Text is written back as it came: an identifier 007 as 007, and a band without being formatted anew.
        convert = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
        source = pa.OSFile(self.path)
        source = pa.CompressedInputStream(source, "gzip") if is_gzip(self.path) else source
        with pa.csv.open_csv(source, read, parse, convert) as reader:
            yield from reader


def parsed(table: pa.Table, bands: list[str], numbers: NumberFormat) -> Chunk:
    """A chunk of text: its bands as numbers, held by column, and as the text that is written back."""
    out = np.empty((len(bands), table.num_rows), np.float32)
    plain = []
    for target, name in zip(out, bands, strict=True):
        cells = read_cells(table.column(name), numbers)
        target[...] = clipped(cells.numbers)
        if cells.plain:
            plain.append(name)
            table = table.set_column(table.column_names.index(name), name, cells.text)
    return Chunk(out.T, table, frozenset(plain))


def clipped(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Values that fit float32: finite ones beyond its range are put at its end, so that they stay finite."""
    # Cast as they are, they would become infinite and their rows invalid, though the file holds a number.
    limit = np.finfo(np.float32).max
    if values.dtype != np.float64:
        return values
    return np.where(np.isfinite(values), np.clip(values, -limit, limit), values)


def existing_file(path: str) -> None:
    """Raise InputError for what is no file."""
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist" if not os.path.exists(path) else f"{path} is no file")
