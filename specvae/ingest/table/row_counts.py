"""Counts over the rows of a table: how many are usable, and what a user should know of those that are not."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specvae.ingest.table.fill_values import FillSearch
from specvae.ingest.table.row_notes import LostRows, repeated_headers
from specvae.spectra import Invalid

__all__ = ["RowCounts"]


@dataclass
class RowCounts:
    """How many rows of a table are usable, and what a user should know of those that are not, chunk by chunk."""

    label: str | None
    """The column that says which rows are normal."""
    statistics: int
    """Rows at the end that hold statistics of the others."""
    lost: LostRows
    by_reason: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Invalid), np.int64))
    """Rows by the number of their reason."""
    excluded: int = 0
    """Rows that the label does not call normal."""
    fill: FillSearch = field(default_factory=FillSearch)

    def update(
        self, values: NDArray[np.float32], reason: NDArray[np.uint8], normal: NDArray[np.bool_], others: pa.Table
    ) -> None:
        """Add some rows: values ``(n, bands)``, reasons and whether the label says normal ``(n,)``, and every column."""
        self.by_reason += np.bincount(reason, minlength=len(Invalid))
        self.excluded += int((~normal).sum())
        self.lost.update(values, reason, others)
        valid = reason == Invalid.VALID
        self.fill.update(values if valid.all() else values[valid])

    @property
    def rows(self) -> int:
        """Rows that were counted."""
        return int(self.by_reason.sum())

    def notes(self) -> list[str]:
        """Notes of the rows that are left out by the label, hold no number, repeat the header, or hold a fill."""
        left_out = f"{self.excluded:,} of {self.rows:,} rows are left out: their {self.label!r} does not say normal"
        again = repeated_headers(int(self.by_reason[Invalid.MASK]), self.statistics)
        return [*([left_out] if self.excluded else []), *self.lost.notes(), *again, *self.fill.notes()]
