"""Numbers that a user gives as text: a value for no data, and what is added to every band."""

from __future__ import annotations

import math

from specvae.errors import UsageError

__all__ = ["nodata_value", "offset_value"]


def nodata_value(text: str) -> float | None:
    """The number that --nodata gives; None for ``none``. Raises UsageError for what is no number."""
    if text.strip().casefold() == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--nodata is {text!r}; give a number, nan or auto") from None


def offset_value(value: str | float) -> float:
    """The number that --offset gives. Raises UsageError for what is none."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"--offset is {value!r}; give a number in the unit of the bands, or auto")
    return number
