"""Numbers that a user gives as text: a value for no data, what is added to every band, and how far a mask is widened."""

from __future__ import annotations

import math

from specvae.errors import UsageError

__all__ = ["WIDEST_BUFFER", "buffer_pixels", "nodata_value", "offset_value"]

WIDEST_BUFFER = 64
"""Pixels by which a mask may be widened, at most: as far as is read around a window without a thought."""


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


def buffer_pixels(value: str | int) -> int:
    """The pixels that --mask-buffer gives. Raises UsageError for what is no number of them."""
    try:
        pixels = int(value)
    except ValueError:
        pixels = -1
    if not 0 <= pixels <= WIDEST_BUFFER:
        raise UsageError(f"--mask-buffer is {value}; give 0 to {WIDEST_BUFFER} pixels, or auto")
    return pixels
