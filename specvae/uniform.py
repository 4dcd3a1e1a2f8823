"""Cells in which no value differs from the next, as in masks and flat fills: each kind is computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Uniform"]

MOST = 1024
"""Results that are remembered at most."""
PROBES = 8
"""Columns that are looked at before all are: a cell of a real scene is told by them at once."""


class Uniform:
    """Remembers what uniform cells gave; any other is computed. The same cell gives the same bits either way."""

    def __init__(self) -> None:
        self._known: dict[bytes, NDArray[Any]] = {}

    def of(self, compute: Callable[[], Tensor], *given: Tensor) -> NDArray[Any]:
        """What ``compute`` makes of the cells ``given``, ``(rows, n)`` each; not to be written to."""
        key = uniform_key(given)
        if key is None:
            return compute().cpu().numpy()
        found = self._known.get(key)
        if found is None:
            found = compute().cpu().numpy()
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[key] = found
        return found


def uniform_key(given: tuple[Tensor, ...]) -> bytes | None:
    """What tells uniform cells apart: their one column and their size; None on a GPU, and where a column differs."""
    parts = []
    for tensor in given:
        if tensor.device.type != "cpu":
            return None
        block = tensor.numpy()
        first, step = block[:, :1], max(1, block.shape[1] // PROBES)
        if (block[:, ::step] != first).any() or (block != first).any():
            return None
        parts.append(first.tobytes())
    return b"".join(parts) + np.int64(given[0].shape[1]).tobytes()
