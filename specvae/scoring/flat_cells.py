"""Uniform cells, in which all pixels are alike, as in masks and flat fills: each kind of them is computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Window

__all__ = ["Uniform", "uniform_key"]

MOST = 1024
"""Results that are remembered at most; then all are forgotten, which is simpler than ranking them by age."""
PROBE = 21
"""Every so many rows and columns are compared before all are: they already differ in nearly every cell of a real scene."""


class Uniform:
    """Remembers the results of uniform cells. The same cell gives the same bits, computed or remembered."""

    def __init__(self) -> None:
        self._known: dict[bytes, NDArray[Any]] = {}

    def of(self, key: bytes | None, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The result of ``compute`` for a cell, remembered by its ``key``; None marks a cell that is not uniform. Read-only."""
        if key is None:
            return compute()
        # Without a lock: two threads that compute the same cell at once come to the same bits.
        result = self._known.get(key)
        if result is None:
            result = compute()
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = result
        return result


def uniform_key(
    cells: Sequence[Window], good: NDArray[np.bool_] | None, *given: tuple[NDArray[np.floating], Window]
) -> bytes | None:
    """The key of a uniform cell: its one column of each of ``given``, arrays ``(values, rows, cols)`` over their windows.

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
        if (block[0, 0] != block[0, 0, 0]).any():  # the first row alone already differs in most real cells
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
