"""The speed of tables: spectra of one law as Parquet and as CSV, read, scored and written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from specvae.benchmarks.report import Row
from specvae.benchmarks.speed.processes import timed_command

__all__ = ["table_rows"]

BANDS, NORMAL = 10, 20_000
"""Bands of the spectra, and rows that the model is fitted on."""
COMPONENTS, NOISE = 4, 0.1
"""The spectra mix this many components, with noise of this deviation in every band."""
CHUNK = 500_000
"""Rows made and written at once, so that the benchmark itself stays small."""


def table_rows(work: Path, rows: int) -> list[Row]:
    """Score ``rows`` spectra of ten correlated bands from both formats with one model; rows of ``metrics.json``."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(COMPONENTS, BANDS)).astype(np.float32)
    normal, model = work / "normal.parquet", work / "table.specvae"
    pa.parquet.write_table(_spectra(rng, mixing, NORMAL), normal)
    timed_command("fit", normal, "--model", model)
    measured = []
    for suffix in ("parquet", "csv"):
        path = work / f"rows.{suffix}"
        _write(path, rng, mixing, rows)
        timing = timed_command("score", path, "--model", model, "--out", work / "table", "--overwrite")
        path.unlink()
        values = {"seconds": timing.seconds, "rows_per_s": rows / timing.seconds, "peak_mib": timing.peak_mib}
        measured += [Row("table", suffix, name, value, 1, timing.seconds) for name, value in values.items()]
    return measured


def _spectra(rng: np.random.Generator, mixing: NDArray[np.float32], rows: int) -> pa.Table:
    """Random spectra as a table with a column a band."""
    spectra = rng.normal(size=(rows, len(mixing))).astype(np.float32) @ mixing
    spectra += NOISE * rng.normal(size=spectra.shape).astype(np.float32)
    return pa.table({f"band_{i + 1}": np.ascontiguousarray(spectra[:, i]) for i in range(spectra.shape[1])})


def _write(path: Path, rng: np.random.Generator, mixing: NDArray[np.float32], rows: int) -> None:
    """Write a table of random spectra in the format of the file's ending."""
    schema = _spectra(rng, mixing, 1).schema
    make = pa.csv.CSVWriter if path.suffix == ".csv" else pa.parquet.ParquetWriter
    with make(path, schema) as writer:
        # A row group of Parquet, or a piece of CSV, at a time: all rows
        # together would be the benchmark's own peak memory.
        for start in range(0, rows, CHUNK):
            writer.write_table(_spectra(rng, mixing, min(CHUNK, rows - start)))
