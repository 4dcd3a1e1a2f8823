"""Tables written completely or not at all, as CSV or Parquet by the ending of the file's name."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from specvae.errors import OutputError
from specvae.export.contents import SCORES_CSV, SCORES_PARQUET
from specvae.files.atomic import atomic_file
from specvae.ingest.table.arrow_arrays import from_numpy
from specvae.ingest.table.columns import is_parquet
from specvae.ingest.table.reading import Table

__all__ = ["ScoresWriter", "other_columns", "scores_name", "write_columns", "write_scores"]

DANGEROUS = r"^[\s]*[=+\-@\t\r]"
"""Text that spreadsheets take for a formula, and run."""
NUMBER = r"^[\s]*[+-]?(\d+[.,]?\d*|[.,]\d+|inf|nan)([eE][+-]?\d+)?%?[\s]*$"


class TableWriter(Protocol):
    """What pyarrow's writers of CSV and of Parquet have in common."""

    def write_table(self, table: pa.Table) -> None:
        """Append rows."""

    def close(self) -> None:
        """Write what is buffered, and end the file."""


def scores_name(source: str) -> str:
    """``scores.parquet`` for a Parquet table, else ``scores.csv``."""
    return (SCORES_PARQUET if is_parquet(source) else SCORES_CSV).name


def write_scores(path: Path, others: pa.Table, scores: dict[str, NDArray[Any]]) -> None:
    """Write a table with its new columns at once; see :class:`ScoresWriter`."""
    with ScoresWriter(path) as writer:
        writer.write(others, scores)


def write_columns(path: Path, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> None:
    """Write columns of equal length. Raises OutputError where they cannot be written."""
    arrays = [pa.array(values, from_pandas=True) for values in columns.values()]
    write_scores(path, pa.Table.from_arrays(arrays, names=list(columns)), {})


def other_columns(table: Table) -> pa.Table:
    """The columns of a table that are not bands, unchanged."""
    bands = set(table.bands.names)
    return table.others.select([name for name in table.others.column_names if name not in bands])


class ScoresWriter:
    """Write chunks of a table with new columns to a file beside the target, renamed into place when all is well."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stack = ExitStack()
        self._writer: TableWriter | None = None

    def __enter__(self) -> ScoresWriter:
        self._beside = self._stack.enter_context(atomic_file(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._writer is not None:
                self._writer.close()
            # Raised inside of the stack, so that the unfinished file beside the target is removed, not renamed.
            if kind is not None:
                raise error or kind()

    def write(self, others: pa.Table, scores: dict[str, NDArray[Any]]) -> None:
        """Append rows: the columns they came with and the new ones, whose names win over old ones."""
        table = _renamed(others, set(scores))
        is_text = self.path.suffix != ".parquet"
        if is_text:
            table = _harmless(table)
        for name, values in scores.items():
            table = table.append_column(name, from_numpy(values, nan_is_null=is_text))
        try:
            if self._writer is None:
                self._schema = table.schema
                self._writer = self._open()
            elif is_text and table.schema != self._schema:
                # A column that was numbers so far and now is text: a CSV can go on with that.
                self._writer.close()
                self._schema = table.schema
                self._writer = self._rows()
            self._writer.write_table(table.cast(self._schema) if table.schema != self._schema else table)
        except pa.ArrowException as error:
            raise OutputError(f"{self.path} cannot be written: {error}") from error

    def write_columns(self, columns: dict[str, NDArray[Any]]) -> None:
        """Append rows of new columns alone."""
        first, *_ = columns.values()
        self.write(pa.table({"": pa.nulls(len(first))}).select([]), columns)

    def _open(self) -> TableWriter:
        """Begin the file, of which the first chunk has set the columns."""
        if self.path.suffix == ".parquet":
            # Numbers rarely repeat, and a dictionary of them would be as long as the column, and slower to write.
            texts = [f.name for f in self._schema if not (pa.types.is_floating(f.type) or pa.types.is_integer(f.type))]
            options = {"compression": "zstd", "compression_level": 1, "use_dictionary": texts or False}
            parquet: TableWriter = pa.parquet.ParquetWriter(self._beside, self._schema, **options)
            return parquet
        self._file = self._stack.enter_context(self._beside.open("wb"))
        header = io.StringIO()
        # The header is Python's own, since pyarrow would quote every name in it.
        csv.writer(header, lineterminator="\n").writerow(self._schema.names)
        self._file.write(header.getvalue().encode())
        return self._rows()

    def _rows(self) -> TableWriter:
        """A writer of further rows of the CSV, with the types of the latest chunk."""
        options = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
        writer: TableWriter = pa.csv.CSVWriter(self._file, self._schema, write_options=options)
        return writer


def _renamed(table: pa.Table, taken: set[str]) -> pa.Table:
    """The table with ``_input`` appended to the names of columns that the scores' names would repeat."""
    names = [f"{name}_input" if name in taken else name for name in table.column_names]
    return table.rename_columns(names) if names != table.column_names else table


def _harmless(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before every text that a spreadsheet would run as a formula; numbers stay."""
    for at, kind in enumerate(table.schema.types):
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = table.column(at)
            danger = pc.match_substring_regex(column, DANGEROUS)
            if pc.any(danger).as_py():
                danger = pc.and_(danger, pc.invert(pc.match_substring_regex(column, NUMBER)))
                safe = pc.if_else(danger, pc.replace_substring_regex(column, "^", "'"), column)
                table = table.set_column(at, table.column_names[at], safe)
    names = [f"'{name}" if name[:1] in "=+-@\t\r" and name else name for name in table.column_names]
    return table.rename_columns(names)
