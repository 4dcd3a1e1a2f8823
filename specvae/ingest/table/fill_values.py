"""Values of a table that look like a fill that nobody declared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill_notes"]

FILLS = (-9999.0, -999.0, -99.0, -32768.0, -1.23e34, -3.4028234663852886e38, 65535.0, 32767.0, 9999.0, 1e20, 9.96921e36)
"""Values that are used as fill without being declared."""
FEWEST_FILLED = 2
"""Rows that hold a fill, at least, before it is said."""


def fill_notes(values: NDArray[np.float32]) -> list[str]:
    """A note of a usual fill that stands apart from all others in several of the valid rows ``(n, bands)``; else none."""
    for fill in FILLS:
        at = values == np.float32(fill)
        rows = int(at.any(axis=1).sum())
        if FEWEST_FILLED <= rows < len(values) and _stands_apart(values[~at], fill):
            where = "all bands" if bool(at[at.any(axis=1)].all()) else f"{int(at.any(axis=0).sum())} bands"
            return [
                f"{fill:g} stands in {where} of {rows:,} rows and looks like a fill; use --nodata {fill:g} if it is"
            ]
    return []


def _stands_apart(others: NDArray[np.float32], fill: float) -> bool:
    """Whether a fill is far below or above all other values."""
    low, high = float(others.min()), float(others.max())
    return fill < low - (high - low) or fill > high + (high - low)
