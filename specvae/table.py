"""Tables of pixel spectra, CSV or Parquet: a row a spectrum, band columns found, other columns carried along."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.outputs.atomic import atomic_file
from specvae.raster.bands import choose
from specvae.raster.options import IngestOptions
from specvae.spectra import Band, BandSet, Invalid

__all__ = ["Table", "band_columns", "read_table", "write_table"]

NORMAL_VALUES = {"0", "0.0", "false", "normal"}
HEADER = re.compile(
    r"^\s*(?:b|r|wl|w|x|wavelength|reflectance|band|nm)?[_\s]?(\d+(?:\.\d+)?)\s*(nm|um|µm|cm-1)?\s*$", re.IGNORECASE
)


@dataclass(frozen=True)
class Table:
    """Spectra of a table."""

    values: NDArray[np.float32]
    """``(n, bands)``"""
    reason: NDArray[np.uint8]
    """``(n,)`` of Invalid."""
    bands: BandSet
    normal: NDArray[np.bool_]
    """``(n,)``: what the label column says; all True without one."""
    frame: pd.DataFrame
    """The whole table, as read."""
    band_names: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


def read_table(path: str, options: IngestOptions | None = None, match: BandSet | None = None) -> Table:
    """Read a CSV or Parquet of spectra.

    Raises InputError for a table without numeric columns or without the label column, ModelError where its bands
    do not match a model's.
    """
    options = options or IngestOptions()
    frame = _frame(path)
    columns = band_columns(frame, options.label_column)
    if not columns:
        raise InputError(f"{path} has no numeric column; expected one column a band and one row a spectrum")
    every = BandSet(tuple(_band(str(name)) for name in columns))
    numeric = list(frame.columns[[pd.api.types.is_numeric_dtype(t) for t in frame.dtypes]])
    notes: list[str] = []
    if options.bands:
        wide = BandSet(tuple(_band(str(name)) for name in numeric))
        try:
            order = choose(options.bands, every)
        except Exception:
            order, columns, every = choose(options.bands, wide), numeric, wide
        columns, every = [columns[i] for i in order], every.take(order)
    elif match is not None and all(match.names) and set(match.names) <= {str(c) for c in numeric}:
        columns = [next(c for c in numeric if str(c) == name) for name in match.names]
        every = BandSet(tuple(_band(str(name)) for name in columns))
    if match is not None:
        matched = match.match(every)
        columns, every = [columns[i] for i in matched.order], every.take(matched.order)
        notes += [matched.warning] if matched.warning else []
    with np.errstate(over="ignore"):
        values = frame[columns].to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32)
    reason = np.where(np.isfinite(values).all(axis=1), Invalid.VALID, Invalid.NAN).astype(np.uint8)
    if options.nodata and options.nodata != "auto":
        reason[(values == np.float32(options.nodata)).any(axis=1)] = Invalid.NODATA
    return Table(values, reason, every, _normal_rows(frame, options, path), frame, tuple(map(str, columns)), notes)


def _frame(path: str) -> pd.DataFrame:
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}")
    try:
        if Path(path).suffix.lower() in {".parquet", ".pq"}:
            return pd.read_parquet(path)
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            head = file.readline()
        delimiter = max(",;\t|", key=head.count)
        decimal = "," if delimiter == ";" else "."
        return pd.read_csv(path, sep=delimiter, decimal=decimal, encoding="utf-8-sig", low_memory=False)
    except Exception as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from None


def band_columns(frame: pd.DataFrame, label_column: str | None = None) -> list[Any]:
    """The columns that are bands: those with wavelength-like headers where there are two or more, else all numeric."""
    numeric = [
        name
        for name, kind in zip(frame.columns, frame.dtypes, strict=True)
        if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind) and str(name) != label_column
    ]
    spectral = [name for name in numeric if HEADER.match(str(name))]
    return spectral if len(spectral) >= 2 else numeric


def _band(header: str) -> Band:
    """A band from a column's header; plain numbers from 300 up are wavelengths in nanometres."""
    match = HEADER.match(header)
    if not match:
        return Band(header)
    number, unit = float(match.group(1)), (match.group(2) or "").lower()
    if unit == "cm-1" or not (unit or 300 <= number <= 20_000):
        return Band(header)
    return Band(header, number * (1e3 if unit in {"um", "µm"} else 1.0))


def _normal_rows(frame: pd.DataFrame, options: IngestOptions, path: str) -> NDArray[np.bool_]:
    if options.label_column is None:
        return np.ones(len(frame), bool)
    names = {str(name): name for name in frame.columns}
    if options.label_column not in names:
        shown = ", ".join(list(names)[:20])
        raise InputError(f"{path} has no column {options.label_column!r}; it has {shown}")
    text = frame[names[options.label_column]].astype(str).str.strip().str.lower()
    wanted = {options.normal_value.strip().lower()} if options.normal_value is not None else NORMAL_VALUES
    rows = text.isin(wanted).to_numpy()
    if not rows.any():
        raise InputError(
            f"{path}: no row of {options.label_column!r} is {' or '.join(sorted(wanted))}; give --normal-value"
        )
    return np.asarray(rows, bool)


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a CSV or Parquet whole or not at all; text that a spreadsheet would run as a formula is quoted."""
    with atomic_file(path) as beside:
        if path.suffix == ".parquet":
            frame.to_parquet(beside, index=False)
            return
        safe = frame.copy()
        for name in safe.columns:
            if safe[name].dtype == object or pd.api.types.is_string_dtype(safe[name]):
                safe[name] = safe[name].map(lambda v: f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t\r" else v)
        safe.to_csv(beside, index=False)
