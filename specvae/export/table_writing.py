"""Tables written completely or not at all, as CSV or Parquet by the ending of the file's name."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from specvae.errors import OutputError
from specvae.export.contents import SCORES_CSV, SCORES_PARQUET
from specvae.export.csv_lines import header_line, lines_of
from specvae.files.atomic import atomic_file
from specvae.ingest.table.arrow_arrays import from_numpy
from specvae.ingest.table.arrow_files import is_columnar
from specvae.ingest.table.reading import Table

__all__ = ["ScoresWriter", "other_columns", "scores_name", "write_columns", "write_scores"]


def scores_name(source: str) -> str:
    """``scores.parquet`` for a Parquet table, else ``scores.csv``."""
    return (SCORES_PARQUET if is_columnar(source) else SCORES_CSV).name


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
        self._is_parquet = self.path.suffix == ".parquet"
        self._stack = ExitStack()
        self._text: BinaryIO | None = None
        self._parquet: pa.parquet.ParquetWriter | None = None

    def __enter__(self) -> ScoresWriter:
        self._beside = self._stack.enter_context(atomic_file(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._parquet is not None:
                self._parquet.close()
            if kind is not None:
                raise error or kind()

    def write(self, others: pa.Table, scores: dict[str, NDArray[Any]], plain: Container[str] = ()) -> None:
        """Append rows: the columns they came with and the new ones, whose names win over old ones.

        ``plain``: names of columns of text that hold nothing but numbers and missing cells.
        """
        harmless = {i for i, name in enumerate(others.column_names) if name in plain}
        table = _renamed(others, set(scores))
        for name, values in scores.items():
            table = table.append_column(name, from_numpy(values, nan_is_null=not self._is_parquet))
        try:
            if self._is_parquet:
                self._write_parquet(table)
            else:
                self._write_text(table, harmless)
        except pa.ArrowException as error:
            raise OutputError(f"{self.path} cannot be written: {error}") from error

    def write_columns(self, columns: dict[str, NDArray[Any]]) -> None:
        """Append rows of new columns alone."""
        first, *_ = columns.values()
        self.write(pa.table({"": pa.nulls(len(first))}).select([]), columns)

    def _write_text(self, table: pa.Table, harmless: Container[int]) -> None:
        if self._text is None:
            self._text = self._stack.enter_context(self._beside.open("wb"))
            self._text.write(header_line(table.column_names))
        for lines in lines_of(table, harmless):
            self._text.write(lines)

    def _write_parquet(self, table: pa.Table) -> None:
        if self._parquet is None:
            kinds = {f.name: pa.types.is_floating(f.type) or pa.types.is_integer(f.type) for f in table.schema}
            texts = [name for name, is_number in kinds.items() if not is_number]
            options = {"compression": "zstd", "compression_level": 1, "use_dictionary": texts or False}
            self._parquet = pa.parquet.ParquetWriter(self._beside, table.schema, **options)
        schema = self._parquet.schema
        self._parquet.write_table(table.cast(schema) if table.schema != schema else table)


def _renamed(table: pa.Table, taken: set[str]) -> pa.Table:
    """The table with ``_input`` appended to the names of columns that the scores' names would repeat."""
    names = [f"{name}_input" if name in taken else name for name in table.column_names]
    return table.rename_columns(names) if names != table.column_names else table
