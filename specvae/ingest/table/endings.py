"""Endings of the files that are read as tables, by format."""

from __future__ import annotations

__all__ = ["IDX_ENDINGS", "PARQUET_ENDINGS", "TABLE_ENDINGS"]

TEXT_ENDINGS = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
IDX_ENDINGS = ("-ubyte", "-ubyte.gz", ".idx", ".idx.gz")
TABLE_ENDINGS = (*TEXT_ENDINGS, *PARQUET_ENDINGS, *IDX_ENDINGS)
"""A file with one of these endings is a table; any other is a scene."""
