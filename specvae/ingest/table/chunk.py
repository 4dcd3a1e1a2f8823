"""A chunk: some rows of a table, its bands as float32 and every column as it came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Chunk"]


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table, one below another."""

    values: NDArray[np.float32]
    """``(n, bands)``, NaN where a cell is no number; held by column."""
    table: pa.Table
    """Every column as it came; of images, every column but the pixels."""
    plain: frozenset[str] = frozenset()
    """Names of the columns of text that hold nothing but numbers and missing cells."""
