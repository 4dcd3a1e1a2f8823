"""Cells in which no value differs from the next, as in masks and flat fills: each kind is computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Window

__all__ = ["Uniform", "uniform_key"]

MOST = 1024
"""Results that are remembered at most."""
PROBE = 21
"""Every so many rows and columns are looked at before all are: a cell of a real scene is told by them at once."""


class Uniform:
    """Remembers what uniform cells gave; any other is computed. The same cell gives the same bits either way."""

    def __init__(self) -> None:
        self._known: dict[bytes, NDArray[Any]] = {}

    def of(self, key: bytes | None, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What ``compute`` makes of the cell that ``key`` tells, None for one that is not uniform; not to be written to."""
        if key is None:
            return compute()
        found = self._known.get(key)
        if found is None:
            found = compute()
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = found
        return found


def uniform_key(
    cells: Sequence[Window], good: NDArray[np.bool_] | None, *given: tuple[NDArray[np.floating], Window]
) -> bytes | None:
    """What tells uniform cells apart: the one column of each of ``given``, arrays ``(rows, ...)`` over their windows.

    None where the cell reaches beyond one of them, holds a pixel that is not ``good`` (over the first's window), or
    differs within; and for several cells at once, as a GPU takes them.
    """
    if len(cells) > 1:
        return None
    cell = cells[0]
    parts: list[bytes] = []
    for values, window in given:
        if cell.clip(window) != cell:
            return None
        inside = cell.shift(-window.row, -window.col).slices
        block = values[(slice(None), *inside)]
        if (block[0, 0] != block[0, 0, 0]).any():  # its first row tells most real cells
            return None
        first = block[:, :1, :1]
        if (block[:, ::PROBE, ::PROBE] != first).any():
            return None
        if good is not None and not parts and not good[inside].all():
            return None
        if (block != first).any():
            return None
        parts.append(first.tobytes())
    return b"".join(parts)
