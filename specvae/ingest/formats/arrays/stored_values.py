"""What the attributes of a cube say of its stored values: scale, offset, fills, the range that is valid, and their sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.arrays.reader import Missing
from specvae.ingest.formats.arrays.tree import ArrayNode

__all__ = ["Stored", "stored_of"]

FILLS = (
    *("_fillvalue", "missing_value", "data_ignore_value", "nodata", "nodata_value", "no_data_value", "no_data"),
    *("fill_value", "fillvalue", "_fill_value", "ignore_value"),
)
"""Attributes that state a fill, the most trusted first."""


@dataclass(frozen=True)
class Stored:
    """How the values of a cube are stored."""

    dtype: str
    """The type that they are read as."""
    scale: float
    offset: float
    nodata: float | None
    missing: Missing
    unsigned: bool

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided about values that are missing, beside the fill of each band."""
        out = []
        if self.missing.fills:
            chosen = f"{', '.join(f'{fill:g}' for fill in self.missing.fills)} is missing too"
            out.append(Decision("fill", chosen, "its attributes, which state several fills"))
        low, high = self.missing.low, self.missing.high
        if low is not None or high is not None:
            ends = (
                f"below {low:g}"
                if high is None
                else f"above {high:g}"
                if low is None
                else f"outside {low:g} to {high:g}"
            )
            out.append(Decision("fill", f"stored values {ends} are missing", "the valid range in its attributes"))
        return tuple(out)


def stored_of(cube: ArrayNode) -> Stored:
    """How a cube is stored, by its attributes. Raises InputError for a scale that makes no sense."""
    low = {key.casefold(): value for key, value in cube.attrs.items()}
    scale, offset = (_number(low.get(key), default) for key, default in (("scale_factor", 1.0), ("add_offset", 0.0)))
    if not scale or not np.isfinite([scale, offset]).all():
        raise InputError(f"{cube.name} has scale {scale:g} and offset {offset:g}; they must be finite, not 0")
    # NEON's is what values were multiplied by; that of CF multiplies what is stored.
    scale = 1 / scale if scale >= 100 else scale
    unsigned = str(low.get("_unsigned", "")).casefold() == "true" and cube.dtype.kind == "i"
    turn = 2.0 ** (8 * cube.dtype.itemsize) if unsigned else 0.0
    fills = [_number(low[key], np.nan) for key in FILLS if key in low]
    fills = [fill + turn if fill < 0 else fill for fill in fills]
    others = tuple(dict.fromkeys(fill for fill in fills[1:] if np.isfinite(fill) and fill != fills[0]))
    least, largest = (
        end + turn if end is not None and end < 0 else end for end in _range(low, cube.dtype, scale, offset)
    )
    missing = Missing(others, least, largest)
    dtype = np.dtype(cube.dtype.str.replace("i", "u")) if unsigned else cube.dtype
    return Stored(dtype.name, scale, offset, fills[0] if fills else None, missing, unsigned)


def _range(
    attrs: dict[str, object], dtype: np.dtype[np.generic], scale: float, offset: float
) -> tuple[float | None, float | None]:
    """The least and the largest stored value that is valid; None where the attributes state none, or none that can be."""
    both = attrs.get("valid_range")
    ends: list[object] = list(both) if isinstance(both, np.ndarray) and both.shape == (2,) else []
    ends = ends or [attrs.get("valid_min"), attrs.get("valid_max")]
    numbers = [None if end is None else _number(end, np.nan) for end in ends]
    # CF states them as they are stored; floats beside whole numbers that are scaled are physical ones.
    physical = dtype.kind in "iu" and scale != 1 and any(isinstance(end, (float, np.floating)) for end in ends)
    out = [n if n is None or not np.isfinite(n) else (n - offset) / scale if physical else n for n in numbers]
    low, high = (None if n is None or not np.isfinite(n) else float(n) for n in out)
    return (None, None) if low is not None and high is not None and low >= high else (low, high)


def _number(value: object, default: float) -> float:
    """An attribute as a number, or ``default``."""
    try:
        return float(str(value))
    except ValueError:
        return default
