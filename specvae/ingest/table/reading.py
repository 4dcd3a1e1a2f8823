"""Tables read in chunks: spectra with reasons and labels, and every column as it came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specvae.bands import BandMatch, BandSet
from specvae.errors import InputError, ModelError
from specvae.ingest.decision import Decision, guesses
from specvae.ingest.options import IngestOptions
from specvae.ingest.table.band_search import FoundBands, find_bands
from specvae.ingest.table.cells import is_one_of
from specvae.ingest.table.chunk import Chunk
from specvae.ingest.table.columns import ChunkFile
from specvae.ingest.table.headers import is_label
from specvae.ingest.table.idx import IdxFile
from specvae.ingest.table.kinds import open_chunks
from specvae.ingest.table.labels import normal_words
from specvae.ingest.table.memory_file import MatrixFile
from specvae.ingest.table.row_counts import RowCounts
from specvae.ingest.table.row_notes import LostRows, dropped_columns, empty_columns, unread_labels
from specvae.ingest.table.summary_rows import LOOKED_AT, Statistics, header_rows, statistics_at_end
from specvae.spectra import Invalid

__all__ = ["Table", "TableFile", "open_table", "read_table"]


COUNTED = 4 << 20
"""Values, about, that are held at a time while rows are counted."""
LEAST_COUNTED = 256
"""Rows that are counted at a time, at least."""


@dataclass(frozen=True)
class Table:
    """Rows of a table: a spectrum each."""

    bands: BandSet
    """The bands, in the order of the values."""
    values: NDArray[np.float32]
    """``(n, bands)``; what stands in an invalid row means nothing."""
    reason: NDArray[np.uint8]
    """``(n,)`` of :class:`~specvae.spectra.Invalid`."""
    normal: NDArray[np.bool_]
    """``(n,)``: True where the label says normal; everywhere without a label column."""
    others: pa.Table
    """Every column as it came, bands included, in order."""
    notes: list[str] = field(default_factory=list)
    """What a user should know about how the table is read."""
    plain: frozenset[str] = frozenset()
    """Names of the columns of text that hold nothing but numbers and missing cells."""
    decisions: tuple[Decision, ...] = ()
    """What was decided about how the table is read."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``(n,)``, True = usable."""
        return np.asarray(self.reason == Invalid.VALID)

    def part(self, start: int, stop: int) -> Table:
        """The rows from ``start`` up to ``stop``, as views."""
        if (start, stop) == (0, len(self)):
            return self
        rows = slice(start, stop)
        others = self.others.slice(start, stop - start)
        arrays = self.values[rows], self.reason[rows], self.normal[rows]
        return Table(self.bands, *arrays, others, self.notes, self.plain, self.decisions)


def _joined(parts: list[Table]) -> Table:
    """Tables of the same bands below each other."""
    if len(parts) == 1:
        return parts[0]
    # Values are held by column: they are joined as (bands, n) and transposed, which copies no column twice.
    values = np.concatenate([p.values.T for p in parts], axis=1).T
    reason, normal = (np.concatenate([getattr(p, name) for p in parts]) for name in ("reason", "normal"))
    plain = frozenset.intersection(*(p.plain for p in parts))
    others = _below([p.others for p in parts])
    first = parts[0]
    return Table(first.bands, values, reason, normal, others, list(first.notes), plain, first.decisions)


def _below(tables: list[pa.Table]) -> pa.Table:
    """Columns below each other; one that is numbers here and text there becomes text."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException:
        # A column that is empty in one chunk has no type there, and identifiers turn from numbers to text midway in a
        # file.
        mixed = {
            at for at in range(len(tables[0].schema)) if len({str(table.schema.field(at).type) for table in tables}) > 1
        }
        schemas = [
            pa.schema([f.with_type(pa.string()) if at in mixed else f for at, f in enumerate(table.schema)])
            for table in tables
        ]
        return pa.concat_tables([table.cast(schema) for table, schema in zip(tables, schemas, strict=True)])


@dataclass(frozen=True)
class TableFile:
    """How a table is read, decided from its header and all of its rows."""

    path: str
    """The file."""
    source: ChunkFile
    """The table as it is read chunk by chunk, turned where its rows are no spectra."""
    names: tuple[str, ...]
    """All columns."""
    at: tuple[int, ...]
    """Positions of the bands delivered, in order."""
    bands: BandSet
    """The bands delivered, in order."""
    label: str | None
    """The column that says which rows are normal."""
    normal: frozenset[str]
    """Its words for normal rows, in lower case."""
    nodata: float | None
    """A value that marks a missing cell."""
    notes: tuple[str, ...]
    """What a user should know, the decisions that were guessed among it."""
    decisions: tuple[Decision, ...] = ()
    """What was decided about how it is read: header, columns, rows."""
    rows: int | None = None
    """How many there are, where the file says so."""
    statistics: int = 0
    """Rows at its end that hold statistics of the others, and are left out."""

    @property
    def other_columns(self) -> list[str]:
        """The columns that are no bands, in order."""
        bands = set(self.at)
        return [name for i, name in enumerate(self.names) if i not in bands]

    # A quarter of a million rows of 200 bands are 200 MiB.
    def chunks(self, rows: int = 262_144) -> Iterator[Table]:
        """The rows, ``rows`` at a time, fewer in the last. Raises ReadError where the file is damaged midway."""
        waiting: list[Table] = []  # files come in chunks of their own size
        for chunk in self.source.iterate(self.at, rows):
            waiting.append(self._table(chunk))
            # The rows that may be the last ones wait for what comes behind them.
            while sum(map(len, waiting)) >= rows + self.statistics:
                joined = _joined(waiting)
                yield joined.part(0, rows)
                waiting = [joined.part(rows, len(joined))] if len(joined) > rows else []
        if waiting:
            yield from self._last(_joined(waiting), rows)

    def _last(self, table: Table, rows: int) -> Iterator[Table]:
        """The last rows, ``rows`` at a time, without those that hold statistics of the others."""
        if self.statistics:
            table.reason[-self.statistics :] = Invalid.MASK
        for start in range(0, len(table), rows):
            yield table.part(start, min(start + rows, len(table)))

    def read(self) -> Table:
        """All rows, with a note of how many the label column excludes. Raises InputError where no row is normal."""
        parts = list(self.chunks())
        if not parts:
            raise InputError(f"{self.path} has no row; expected a spectrum a row")
        table = _joined(parts)
        counts = self._counted([table])
        return replace(table, notes=[*table.notes, *counts.notes()])

    def count(self) -> RowCounts:
        """How many rows are usable and what a user should know of them, chunk by chunk: no row is held.

        Raises InputError where no row is normal, or there is none.
        """
        counts = self._counted(self.chunks(max(LEAST_COUNTED, COUNTED // len(self.bands))))
        if not counts.rows:
            raise InputError(f"{self.path} has no row; expected a spectrum a row")
        return counts

    def _counted(self, tables: Iterable[Table]) -> RowCounts:
        """The counts over tables. Raises InputError where the label calls no row normal."""
        counts = RowCounts(self.label, self.statistics, LostRows(self.bands))
        for table in tables:
            counts.update(table.values, table.reason, table.normal, table.others)
        if self.label is not None and counts.rows == counts.excluded > 0:
            raise InputError(
                f"{self.path}: no row of {self.label!r} is {' or '.join(sorted(self.normal))}; give --normal-value"
            )
        return counts

    def _table(self, chunk: Chunk) -> Table:
        """A chunk with the reason for which a row is not usable: a cell that is nodata, or no finite number."""
        values = chunk.values
        reason = np.zeros(len(values), np.uint8)
        np.copyto(reason, np.uint8(Invalid.NAN), where=~np.isfinite(values).all(axis=1))
        if (again := header_rows(values, self.bands.names or ())) is not None:
            np.copyto(reason, np.uint8(Invalid.MASK), where=again)
        # After NaN, for nodata comes first among reasons. Compared as float32, as the values are: 0.1 in float64 equals
        # none.
        if self.nodata is not None:
            np.copyto(reason, np.uint8(Invalid.NODATA), where=(values == np.float32(self.nodata)).any(axis=1))
        normal, notes = self._normal(chunk.table), list(self.notes)
        return Table(self.bands, values, reason, normal, chunk.table, notes, chunk.plain, self.decisions)

    def _normal(self, table: pa.Table) -> NDArray[np.bool_]:
        """Where the label says normal, ``(n,)``; everywhere without a label column."""
        if self.label is None:
            return np.ones(table.num_rows, bool)
        text = table.column(self.names.index(self.label))
        return is_one_of(text, set(self.normal))


def _matched(match: BandSet | None, bands: BandSet, path: str) -> BandMatch | None:
    """How a table's bands serve a model's; None without one. Raises ModelError that names the table."""
    try:
        return None if match is None else match.match(bands)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def open_table(path: str, options: IngestOptions | None = None, match: BandSet | None = None) -> TableFile:
    """Decide how a table is read.

    Raises InputError for what is no table of spectra or lacks the label column, ModelError where its bands do not
    serve ``match``, a model's bands.
    """
    options = options or IngestOptions()
    if options.offset is not None:
        raise InputError(f"{path} is a table, whose columns share no offset: leave --offset out, or change the columns")
    found = find_bands(open_chunks(path, options), options, match, path)
    file, at, bands = found.file, list(found.at), list(found.bands)
    names = file.names
    if options.label_column is not None and options.label_column not in names:
        raise InputError(f"{path} has no column {options.label_column!r}; it has {', '.join(names[:20])}")
    matched = _matched(match, BandSet(tuple(bands)), path)
    if matched is not None:
        at, bands = [at[i] for i in matched.order], [bands[i] for i in matched.order]
    statistics, how = _statistics(file, options)
    normal, decisions = _normal_words(options, (*file.decisions, *found.decisions, *how))
    notes = [*file.notes, *guesses(decisions), *([matched.warning] if matched and matched.warning else [])]
    if match is None and not isinstance(file, IdxFile):
        notes += _unused(found, options)
    return TableFile(
        path=path,
        source=file,
        names=names,
        at=tuple(at),
        bands=BandSet(tuple(bands)),
        label=options.label_column,
        normal=normal,
        nodata=options.nodata if isinstance(options.nodata, float | int) else None,
        notes=tuple(notes),
        decisions=decisions,
        rows=file.rows,
        statistics=len(statistics),
    )


def _unused(found: FoundBands, options: IngestOptions) -> list[str]:
    """Notes of columns that are no bands though they may be, and of those that may be labels."""
    notes = [] if options.bands else [*dropped_columns(found.dropped), *empty_columns(found.empty)]
    others = [name for i, name in enumerate(found.file.names) if i not in set(found.at)]
    return notes if options.label_column else notes + unread_labels([name for name in others if is_label(name)])


def _statistics(file: ChunkFile, options: IngestOptions) -> tuple[Statistics, tuple[Decision, ...]]:
    """The statistics in the last rows, and the decision about them; with --layout every row is a spectrum."""
    if options.layout != "auto":
        return Statistics(), ()
    found = statistics_at_end(*file.last_rows(LOOKED_AT))
    turned = isinstance(file, MatrixFile)
    return found, (found.decision(f"--layout {'bands-first' if turned else 'bands-last'}"),) if found else ()


def _normal_words(
    options: IngestOptions, decisions: tuple[Decision, ...]
) -> tuple[frozenset[str], tuple[Decision, ...]]:
    """The words for normal rows, and the decisions with the one about them, where a column of labels is named."""
    if options.label_column is None:
        return frozenset(), decisions
    words, how = normal_words(options.label_column, options.normal_value)
    return frozenset(words), (*decisions, how)


def read_table(path: str, options: IngestOptions | None = None, match: BandSet | None = None) -> Table:
    """All rows of a table; see :func:`open_table`."""
    return open_table(path, options, match).read()
