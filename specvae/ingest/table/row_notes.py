"""What a user should know of the rows and columns of a table that are not used, in sentences without a full stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.spectra import Invalid

__all__ = ["dropped_columns", "empty_columns", "lost_rows", "repeated_headers", "unread_labels"]


def lost_rows(values: NDArray[np.float32], reason: NDArray[np.uint8], bands: BandSet, others: pa.Table) -> list[str]:
    """A note of the rows that are not valid, with the band that costs most of them; none where all are valid."""
    lost = np.flatnonzero(reason == Invalid.NAN)
    if not lost.size:
        return []
    missing = ~np.isfinite(values[lost])
    worst = int(missing.sum(axis=0).argmax())
    name, count = bands.labels[worst], int(missing[:, worst].sum())
    words = _words(others, name, lost[missing[:, worst]])
    return [
        f"{lost.size:,} of {len(values):,} rows are not valid: a band holds no number in them; "
        f"most often {name}, in {count:,} rows{words}"
    ]


def repeated_headers(reason: NDArray[np.uint8], statistics: int) -> list[str]:
    """A note of the rows left out since they repeat the header; ``statistics`` rows at the end are left out for another reason."""
    count = int((reason == Invalid.MASK).sum()) - statistics
    if count <= 0:
        return []
    rows = "1 row is left out: it repeats" if count == 1 else f"{count:,} rows are left out: they repeat"
    return [f"{rows} the numbers in the header, as in tables that were joined"]


def empty_columns(names: Sequence[str]) -> list[str]:
    """A note of the columns whose headers are like those of the bands and that hold no number; none where there are none."""
    if not names:
        return []
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return [
        f"left out, for they hold no number at all: {shown}; a workbook holds none where a formula was never computed"
    ]


def _words(others: pa.Table, name: str, rows: NDArray[np.intp]) -> str:
    """What stands in some cells of a column in place of numbers, in words; empty where nothing does."""
    if name not in others.column_names:
        return ""
    cells = others.column(name).take(pa.array(rows[:1000])).to_pylist()
    words = dict.fromkeys(str(cell).strip() for cell in cells if isinstance(cell, str) and cell.strip())
    return f" ({', '.join(list(words)[:3])})" if words else ""


def dropped_columns(names: tuple[str, ...]) -> list[str]:
    """A note of the columns of numbers that are no bands, though nothing in their names says what else they are."""
    if not names:
        return []
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return [f"columns of numbers that are not read as bands: {shown}; choose with --bands"]


def unread_labels(names: list[str]) -> list[str]:
    """A note where columns look like labels and none was named; none otherwise."""
    if not names:
        return []
    return [
        f"{', '.join(map(repr, names[:3]))} is no band but may be a label, and a fit takes every row for normal: "
        f"where one is not, give --label-column {names[0]}"
    ]
