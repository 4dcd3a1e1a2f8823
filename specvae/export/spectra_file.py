"""Small tables written whole: named columns as CSV or Parquet, by the file's ending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from specvae.export.table_writing import write_scores
from specvae.ingest.table.reading import Table

__all__ = ["other_columns", "write_columns"]


def write_columns(path: Path, columns: Mapping[str, Sequence[Any] | NDArray[Any]]) -> None:
    """Write columns of equal length. Raises OutputError where they cannot be written."""
    arrays = [pa.array(values, from_pandas=True) for values in columns.values()]
    write_scores(path, pa.Table.from_arrays(arrays, names=list(columns)), {})


def other_columns(table: Table) -> pa.Table:
    """The columns of a table that are not bands, as they came."""
    bands = set(table.bands.names)
    return table.others.select([name for name in table.others.column_names if name not in bands])
