"""What a user should know of the rows and columns of a table that are not used, in sentences without a full stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.spectra import Invalid

__all__ = ["LostRows", "dropped_columns", "empty_columns", "repeated_headers", "unread_labels"]


@dataclass
class LostRows:
    """Rows that are not valid since a band holds no number in them, chunk by chunk."""

    bands: BandSet
    rows: int = 0
    """Rows that were looked at."""
    lost: int = 0
    missing: NDArray[np.int64] | None = None
    """``(bands,)``: rows without a number in each band."""
    words: dict[int, str] = field(default_factory=dict)
    """What stands in place of numbers, in words, by the band that cost most rows when it was met."""

    def update(self, values: NDArray[np.float32], reason: NDArray[np.uint8], others: pa.Table) -> None:
        """Add some rows ``(n, bands)`` with their reasons and other columns."""
        self.rows += len(values)
        lost = np.flatnonzero(reason == Invalid.NAN)
        if not lost.size:
            return
        self.lost += int(lost.size)
        missing = ~np.isfinite(values[lost])
        counts = missing.sum(axis=0)
        self.missing = counts if self.missing is None else self.missing + counts
        worst = int(self.missing.argmax())
        if worst not in self.words:
            self.words[worst] = _words(others, self.bands.labels[worst], lost[missing[:, worst]])

    def notes(self) -> list[str]:
        """A note of these rows, with the band that costs most of them; none where all are valid."""
        if self.missing is None:
            return []
        worst = int(self.missing.argmax())
        return [
            f"{self.lost:,} of {self.rows:,} rows are not valid: a band holds no number in them; "
            f"most often {self.bands.labels[worst]}, in {self.missing[worst]:,} rows{self.words.get(worst, '')}"
        ]


def repeated_headers(masked: int, statistics: int) -> list[str]:
    """A note of ``masked`` rows that repeat the header; ``statistics`` among them are left out for another reason."""
    count = masked - statistics
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
