"""Rows a second of a table: the same spectra as Parquet and as CSV, read, scored and written again."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from specvae.benchmarks.report import Row
from specvae.benchmarks.speed.processes import timed_process

__all__ = ["table_rows"]

BANDS, NORMAL = 10, 20_000
CHUNK = 500_000


def table_rows(work: Path, rows: int) -> list[Row]:
    """Score ``rows`` spectra of ten correlated bands from both formats, by a model of ``NORMAL`` of them."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, BANDS)).astype(np.float32)
    normal, model = work / "normal.parquet", work / "table.specvae"
    pa.parquet.write_table(_spectra(rng, mixing, NORMAL), normal)
    timed_process([sys.executable, "-m", "specvae", "fit", str(normal), "--model", str(model)])
    found = []
    for suffix in ("parquet", "csv"):
        path = work / f"rows.{suffix}"
        _write(path, rng, mixing, rows)
        command = ["score", str(path), "--model", str(model), "--out", str(work / "table"), "--overwrite"]
        timing = timed_process([sys.executable, "-m", "specvae", *command])
        path.unlink()
        values = {"seconds": timing.seconds, "rows_per_s": rows / timing.seconds, "peak_mib": timing.peak_mib}
        found += [Row("table", suffix, name, value, 1, timing.seconds) for name, value in values.items()]
    return found


def _spectra(rng: np.random.Generator, mixing: NDArray[np.float32], rows: int) -> pa.Table:
    spectra = rng.normal(size=(rows, len(mixing))).astype(np.float32) @ mixing
    spectra += 0.1 * rng.normal(size=spectra.shape).astype(np.float32)
    return pa.table({f"band_{i + 1}": np.ascontiguousarray(spectra[:, i]) for i in range(spectra.shape[1])})


def _write(path: Path, rng: np.random.Generator, mixing: NDArray[np.float32], rows: int) -> None:
    schema = _spectra(rng, mixing, 1).schema
    make = pa.csv.CSVWriter if path.suffix == ".csv" else pa.parquet.ParquetWriter
    with make(path, schema) as writer:
        for start in range(0, rows, CHUNK):
            writer.write_table(_spectra(rng, mixing, min(CHUNK, rows - start)))
