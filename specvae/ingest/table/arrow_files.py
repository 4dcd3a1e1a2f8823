"""Parquet, Feather and Arrow files in chunks of rows: columns of numbers, and lists that hold a spectrum in each cell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather
import pyarrow.parquet
from numpy.typing import NDArray

from specvae.errors import InputError, ReadError
from specvae.ingest.decision import Decision
from specvae.ingest.table.arrow_arrays import to_numpy
from specvae.ingest.table.cells import numbers_in
from specvae.ingest.table.chunk import Chunk
from specvae.ingest.table.columns import clipped, unique
from specvae.ingest.table.endings import ARROW_ENDINGS, PARQUET_ENDINGS
from specvae.ingest.table.memory_file import as_text
from specvae.ingest.table.number_format import POINTS, NumberFormat
from specvae.ingest.table.survey import Column, Survey, is_number
from specvae.ingest.table.wave_names import WAVE_NAMES, written

__all__ = ["ArrowFile", "is_columnar"]

MAGIC = {b"PAR1": "Parquet", b"ARRO": "Arrow", b"FEA1": "Feather"}
"""First bytes of these files, and the format's name."""
SURVEYED = 4 << 20
"""Values, about, that are held at a time while columns are surveyed."""
STREAM = 1 << 16
"""Bytes of each column of Parquet that are read at a time."""
LOOKED_AT = 1000
"""Rows from which the length of a column of lists is taken."""
LONGEST = 100_000
"""Elements of a list from which it is no spectrum."""


@dataclass(frozen=True)
class Spectra:
    """A column of lists, a spectrum in each cell."""

    name: str
    at: int
    """Position of the column."""
    names: tuple[str, ...]
    """A name for each element: the band's."""


def is_columnar(path: str) -> bool:
    """Whether a table is read as Parquet, Feather or Arrow: by its first bytes, else by its ending."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError:
        head = b""
    return head in MAGIC or path.casefold().endswith((*PARQUET_ENDINGS, *ARROW_ENDINGS))


class ArrowFile:
    """A Parquet, Feather or Arrow file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.notes: tuple[str, ...] = ()
        self.decisions: tuple[Decision, ...] = ()
        self.format = _format(path)
        try:
            self.schema, self.rows = self._opened()
            first = next(self._batches(LOOKED_AT), None)
            names = tuple(self.schema.names)  # decoded here: a damaged name need not be UTF-8
        except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
            raise InputError(f"{path} cannot be read as {self.format}: {error}") from error
        self._spectra = [] if first is None else list(_lists(first))
        self.decisions = tuple(_turned(spectra) for spectra in self._spectra)
        self.names = (*names, *(name for spectra in self._spectra for name in spectra.names))

    @property
    def number_format(self) -> NumberFormat:
        """Decimal points: such files hold numbers as numbers, and programs write them as text."""
        return POINTS

    @cached_property
    def columns(self) -> list[Column]:
        """What all cells of each column say."""
        surveys = [Survey(name) for name in self.schema.names]
        for batch in self._safe(max(LOOKED_AT, SURVEYED // max(1, len(surveys)))):
            for survey, column in zip(surveys, batch.columns, strict=True):
                survey.update(pc.cast(column, pa.string()) if pa.types.is_dictionary(column.type) else column)
        # The elements of a list are numbers by its type.
        elements = [Column(name, 1) for spectra in self._spectra for name in spectra.names]
        return [*(survey.finish() for survey in surveys), *elements]

    def iterate(self, at: tuple[int, ...], rows: int) -> Iterator[Chunk]:
        """Chunks with the columns at ``at`` as bands; behind the file's columns come the elements of its lists."""
        names, count = unique(tuple(self.schema.names)), len(self.schema.names)
        for batch in self._safe(rows):
            # What the file says of itself goes on with its rows: of GeoParquet, which column is the place, and its CRS.
            table = pa.Table.from_batches([batch]).rename_columns(names)
            table = table.replace_schema_metadata(self.schema.metadata)
            values = np.empty((len(at), table.num_rows), np.float32)
            for target, i in zip(values, at, strict=True):
                if i < count:
                    column = table.column(i)
                    target[...] = clipped(to_numpy(column) if is_number(column.type) else numbers_in(column))
            if any(i >= count for i in at):
                elements = np.concatenate([_elements(batch.column(s.at), len(s.names)) for s in self._spectra], axis=1)
                for k, i in enumerate(at):
                    if i >= count:
                        values[k] = elements[:, i - count]
            yield Chunk(values.T, table)

    def last_rows(self, count: int) -> tuple[list[list[str]], bool]:
        """The columns of text in the last rows, and whether these are all rows."""
        names = [f.name for f in self.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
        if not names or len(set(self.schema.names)) < len(self.schema.names):
            return [], False
        try:
            table = self._last(names)
        except (pa.ArrowException, OSError, ValueError, NotImplementedError):
            # A file that is damaged towards its end is refused where its rows are read, with what is wrong in it.
            return [], False
        return as_text(table.slice(max(0, table.num_rows - count))), self.rows is not None and self.rows <= count

    def _last(self, names: list[str]) -> pa.Table:
        """These columns of the last rows, as many as the file holds together."""
        if self.format == "Feather":
            return self._table.select(names)
        if self.format == "Parquet":
            last = self._parquet.metadata.num_row_groups - 1
            return self._parquet.read_row_group(last, columns=names) if last >= 0 else self.schema.empty_table()
        batch = self._arrow.get_batch(self._arrow.num_record_batches - 1)
        batch.validate(full=True)
        return pa.Table.from_batches([batch]).select(names)

    def _safe(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Blocks of at most ``rows`` rows. Raises ReadError where the file is damaged."""
        seen = 0
        try:
            for batch in self._batches(rows):
                yield batch
                seen += batch.num_rows
        except (pa.ArrowException, OSError, ValueError, NotImplementedError) as error:
            raise ReadError(f"{self.path} cannot be read past row {seen}: {error}") from error

    def _opened(self) -> tuple[pa.Schema, int | None]:
        """The schema, and how many rows there are."""
        if self.format == "Parquet":
            self._parquet = pa.parquet.ParquetFile(self.path, buffer_size=STREAM)
            return self._parquet.schema_arrow, self._parquet.metadata.num_rows
        if self.format == "Feather":
            self._table = pa.feather.read_table(self.path, memory_map=False)
            return self._table.schema, self._table.num_rows
        self._arrow = pa.ipc.open_file(self.path)
        return self._arrow.schema, None

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Blocks of at most ``rows`` rows as they are stored."""
        if self.format == "Parquet":
            yield from self._parquet.iter_batches(batch_size=rows)
            return
        if self.format == "Feather":
            yield from self._table.to_batches(max_chunksize=rows)
            return
        for at in range(self._arrow.num_record_batches):
            batch = self._arrow.get_batch(at)
            # Offsets that lead out of a damaged buffer would end the process when they are followed.
            batch.validate(full=True)
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)


def _format(path: str) -> str:
    """The format's name, by the file's first bytes, else by its ending."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    return MAGIC.get(head, "Arrow" if os.path.splitext(path)[1].casefold() in ARROW_ENDINGS else "Parquet")


def _lists(batch: pa.RecordBatch) -> Iterator[Spectra]:
    """The columns of lists of numbers that are all of one length, as spectra."""
    kinds = {i: field.type for i, field in enumerate(batch.schema) if _is_list(field.type)}
    lengths = {i: pc.mode(pc.list_value_length(batch.column(i))) for i in kinds}
    sizes = {i: mode[0]["mode"].as_py() if len(mode) else 0 for i, mode in lengths.items()}
    waves = {i for i in kinds if WAVE_NAMES.match(batch.schema.names[i].strip())}
    for i, size in sizes.items():
        if i in waves or not 1 < size <= LONGEST:
            continue
        beside = next((_elements(batch.column(w), size) for w in waves if sizes[w] == size), None)
        name = batch.schema.names[i]
        if beside is not None and len(beside) and bool((beside == beside[0]).all()):
            names = tuple(f"{name}_{written(float(wave))}" for wave in beside[0])
        else:
            names = tuple(f"{name}_{k + 1}" for k in range(size))
        yield Spectra(name, i, names)


def _turned(spectra: Spectra) -> Decision:
    """The decision that the elements of a list are bands."""
    chosen = f"each cell of {spectra.name!r} holds a list of {len(spectra.names)} numbers, which are read as bands"
    return Decision("columns", chosen, "the type of the column")


def _is_list(kind: pa.DataType) -> bool:
    """Whether a type is a list of numbers."""
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and is_number(kind.value_type))


def _elements(column: pa.Array, size: int) -> NDArray[np.float64]:
    """``(n, size)``: the lists of a column below each other; NaN where one is missing or has another length."""
    out = np.full((len(column), size), np.nan)
    lengths = np.asarray(to_numpy(pc.fill_null(pc.list_value_length(column), -1)))
    fits = lengths == size
    flat = to_numpy(pc.list_flatten(column.filter(pa.array(fits))))
    out[fits] = np.asarray(flat, np.float64).reshape(-1, size)
    return out
