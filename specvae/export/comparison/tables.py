"""Two tables compared column by column: rows of scores, thresholds, explanations, and objects with their outlines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from specvae.errors import InputError
from specvae.export.comparison.finding import Finding, State, values

if TYPE_CHECKING:
    import pandas

__all__ = ["compare_tables"]

OUTLINES = (".gpkg", ".geojson")


def compare_tables(name: str, a: Path, b: Path, tolerance: float) -> list[Finding]:
    """One finding of the numbers of rows where they differ, else one a column."""
    first, second = _read(a), _read(b)
    if len(first) != len(second):
        return [Finding(name, State.DIFFERS, where=f"{len(first):,} rows and {len(second):,}")]
    shared = [column for column in first.columns if column in second.columns]
    alone = [Finding(f"{name} {c}", State.DIFFERS, where="only in A") for c in first.columns if c not in shared]
    alone += [Finding(f"{name} {c}", State.DIFFERS, where="only in B") for c in second.columns if c not in shared]
    return [_column(f"{name} {column}", first[column], second[column], tolerance) for column in shared] + alone


def _read(path: Path) -> pandas.DataFrame:
    """The table of a file; outlines as their well-known binary, so that they compare as they stand."""
    import pandas

    try:
        if path.suffix in OUTLINES:
            return _outlines(path)
        if path.suffix == ".parquet":
            return pandas.read_parquet(path)
        return pandas.read_csv(path)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}") from None


def _outlines(path: Path) -> pandas.DataFrame:
    import pandas
    import pyogrio

    frame = pyogrio.read_dataframe(path)
    columns = {name: frame[name] for name in frame.columns if name != "geometry"}
    if "geometry" in frame.columns:
        columns["geometry"] = frame.geometry.to_wkb(hex=True)
    return pandas.DataFrame(columns)


def _column(what: str, a: pandas.Series[float], b: pandas.Series[float], tolerance: float) -> Finding:
    kinds = {a.dtype.kind, b.dtype.kind}
    if kinds <= set("iuf"):
        return values(what, a.to_numpy(np.float64), b.to_numpy(np.float64), tolerance)
    unequal = np.flatnonzero((a.fillna("").astype(str) != b.fillna("").astype(str)).to_numpy())
    if not unequal.size:
        return Finding(what, State.EQUAL, None, 0, len(a))
    row = int(unequal[0])
    where = f"first in row {row}: {str(a.iloc[row])[:60]!r} and {str(b.iloc[row])[:60]!r}"
    return Finding(what, State.DIFFERS, None, int(unequal.size), len(a), where)
