"""Scores written beside the columns they came with: CSV or Parquet as the input was, whole or not at all."""

from __future__ import annotations

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from specvae.errors import OutputError
from specvae.export.contents import SCORES_CSV, SCORES_PARQUET
from specvae.files.atomic import atomic_file
from specvae.ingest.table.columns import is_parquet

__all__ = ["ScoresWriter", "scores_name", "write_scores"]

DANGEROUS = r"^[\s]*[=+\-@\t\r]"
NUMBER = r"^[\s]*[+-]?(\d+[.,]?\d*|[.,]\d+|inf|nan)([eE][+-]?\d+)?%?[\s]*$"


def scores_name(source: str) -> str:
    """``scores.parquet`` for a Parquet table, else ``scores.csv``."""
    return (SCORES_PARQUET if is_parquet(source) else SCORES_CSV).name


def write_scores(path: Path, others: pa.Table, scores: dict[str, NDArray[Any]]) -> None:
    """A whole table with its new columns; see :class:`ScoresWriter`."""
    with ScoresWriter(path) as writer:
        writer.write(others, scores)


class ScoresWriter:
    """Writes chunks of a table with new columns, beside the target, renamed into place when all is well."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stack = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> ScoresWriter:
        self._beside = self._stack.enter_context(atomic_file(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._writer is not None:
                self._writer.close()
            if kind is not None:
                raise error or kind()

    def write(self, others: pa.Table, scores: dict[str, NDArray[Any]]) -> None:
        """Some rows: the columns they came with and the new ones, whose names win over old ones."""
        table = _renamed(others, set(scores))
        plain = self.path.suffix != ".parquet"
        if plain:
            table = _harmless(table)
        for name, values in scores.items():
            table = table.append_column(name, pa.array(values, from_pandas=plain))
        try:
            if self._writer is None:
                self._schema = table.schema
                self._writer = self._open()
            elif plain and table.schema != self._schema:
                # A column that was numbers so far and now is text: a CSV can go on with that.
                self._writer.close()
                self._schema = table.schema
                self._writer = self._rows()
            self._writer.write_table(table.cast(self._schema) if table.schema != self._schema else table)
        except pa.ArrowException as error:
            raise OutputError(f"{self.path} cannot be written: {error}") from error

    def write_columns(self, columns: dict[str, NDArray[Any]]) -> None:
        """Some rows of new columns alone."""
        first, *_ = columns.values()
        self.write(pa.table({"": pa.nulls(len(first))}).select([]), columns)

    def _open(self) -> Any:
        if self.path.suffix == ".parquet":
            texts = [f.name for f in self._schema if not (pa.types.is_floating(f.type) or pa.types.is_integer(f.type))]
            told = {"compression": "zstd", "compression_level": 1, "use_dictionary": texts or False}
            return pa.parquet.ParquetWriter(self._beside, self._schema, **told)
        self._file = self._stack.enter_context(self._beside.open("wb"))
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(self._schema.names)  # pyarrow would quote every name
        self._file.write(header.getvalue().encode())
        return self._rows()

    def _rows(self) -> Any:
        told = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
        return pa.csv.CSVWriter(self._file, self._schema, write_options=told)


def _renamed(table: pa.Table, taken: set[str]) -> pa.Table:
    """Columns whose names the scores need get ``_input`` behind theirs."""
    names = [f"{name}_input" if name in taken else name for name in table.column_names]
    return table.rename_columns(names) if names != table.column_names else table


def _harmless(table: pa.Table) -> pa.Table:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay."""
    for at, kind in enumerate(table.schema.types):
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = table.column(at)
            danger = pc.match_substring_regex(column, DANGEROUS)
            if pc.any(danger).as_py():
                danger = pc.and_(danger, pc.invert(pc.match_substring_regex(column, NUMBER)))
                safe = pc.if_else(danger, pc.binary_join_element_wise("'", column, ""), column)
                table = table.set_column(at, table.column_names[at], safe)
    names = [f"'{name}" if name[:1] in "=+-@\t\r" and name else name for name in table.column_names]
    return table.rename_columns(names)
