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
    """A note of a fill that stands apart from all others in several of the valid rows ``(n, bands)``; else none.

    It is a usual fill, or the least or largest number.
    """
    finite = values[np.isfinite(values)]
    # Any other number that is repeated far outside of all others stands for nothing too.
    ends = [float(finite.min()), float(finite.max())] if len(finite) else []
    for fill in (*FILLS, *ends):
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
    others = others[np.isfinite(others)]
    if not len(others):
        return False
    low, high = float(others.min()), float(others.max())
    return fill < low - (high - low) or fill > high + (high - low)
