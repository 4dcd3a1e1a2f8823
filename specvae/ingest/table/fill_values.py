"""Values of a table that look like a fill that nobody declared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FillSearch"]

FILLS = (-9999.0, -999.0, -99.0, -32768.0, -1.23e34, -3.4028234663852886e38, 65535.0, 32767.0, 9999.0, 1e20, 9.96921e36)
"""Values that are used as fill without being declared."""
FEWEST_FILLED = 2
"""Rows that hold a fill, at least, before it is said."""


@dataclass
class FillSearch:
    """The search for a fill among the valid rows of a table, chunk by chunk."""

    fill: float | None = None
    """A usual fill, or the least or largest number, that stands apart from all others in several rows of one chunk."""
    rows: int = 0
    """Rows in which it stands."""
    filled: int = 0
    """Rows of which it fills all bands."""
    bands: NDArray[np.bool_] | None = None
    """``(bands,)``: where it stands."""

    def update(self, values: NDArray[np.float32]) -> None:
        """Add some valid rows ``(n, bands)``."""
        if self.fill is None:
            self.fill = _fill_of(values)
        if self.fill is not None:
            at = values == np.float32(self.fill)
            self.rows += int(at.any(axis=1).sum())
            self.filled += int(at.all(axis=1).sum())
            self.bands = at.any(axis=0) if self.bands is None else self.bands | at.any(axis=0)

    def notes(self) -> list[str]:
        """A note of the fill; none where there is none."""
        if self.fill is None or self.bands is None:
            return []
        where = "all bands" if self.filled == self.rows else f"{int(self.bands.sum())} bands"
        fill = f"{self.fill:g}"
        return [f"{fill} stands in {where} of {self.rows:,} rows and looks like a fill; use --nodata {fill} if it is"]


def _fill_of(values: NDArray[np.float32]) -> float | None:
    """The usual fill, or the least or largest number, that stands apart from all others in several rows; else None."""
    # Any other number that is repeated far outside of all others stands for nothing too.
    ends = [float(values.min()), float(values.max())] if len(values) else []
    for fill in (*FILLS, *ends):
        at = values == np.float32(fill)
        rows = int(at.any(axis=1).sum())
        if FEWEST_FILLED <= rows < len(values) and _stands_apart(values[~at], fill):
            return float(fill)
    return None


def _stands_apart(others: NDArray[np.float32], fill: float) -> bool:
    """Whether a fill is far below or above all other values."""
    if not len(others):
        return False
    low, high = float(others.min()), float(others.max())
    return fill < low - (high - low) or fill > high + (high - low)
