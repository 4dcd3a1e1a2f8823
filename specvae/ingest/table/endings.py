"""Endings of the files that are read as tables, by format."""

from __future__ import annotations

__all__ = [
    *("ARROW_ENDINGS", "CONTENT_ENDINGS", "IDX_ENDINGS", "LIBRARY_ENDINGS", "PARQUET_ENDINGS", "SPECTROMETER_ENDINGS"),
    *("TABLE_ENDINGS", "WORKBOOK_ENDINGS"),
]

PLAIN_ENDINGS = (".csv", ".tsv", ".tab", ".txt")
TEXT_ENDINGS = (*PLAIN_ENDINGS, *(f"{end}.gz" for end in PLAIN_ENDINGS))
PARQUET_ENDINGS = (".parquet", ".pq", ".geoparquet")
ARROW_ENDINGS = (".feather", ".arrow", ".ipc")
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods")
IDX_ENDINGS = ("-ubyte", "-ubyte.gz", ".idx", ".idx.gz")
SPECTROMETER_ENDINGS = (".asd", ".sig", ".sed")
"""Files of field spectrometers, one spectrum each."""
LIBRARY_ENDINGS = (".sli", ".esl")
"""Spectral libraries of ENVI."""
CONTENT_ENDINGS = (".dat", ".asc", ".dat.gz", ".asc.gz")
"""What may be a table or a raster, and is looked into."""
TABLE_ENDINGS = (
    *(*TEXT_ENDINGS, *PARQUET_ENDINGS, *ARROW_ENDINGS, *WORKBOOK_ENDINGS),
    *(*IDX_ENDINGS, *SPECTROMETER_ENDINGS, *LIBRARY_ENDINGS),
)
"""A file with one of these endings is a table; any other is a scene, unless it is looked into and found to be one."""
