"""Some rows of a table: bands as float32, the rest as it came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Chunk"]


@dataclass(frozen=True)
class Chunk:
    """Some rows."""

    values: NDArray[np.float32]
    """``(n, bands)``, NaN where a cell is no number; held by column."""
    table: pa.Table
    """Every column as it came; of images, every column but the pixels."""
