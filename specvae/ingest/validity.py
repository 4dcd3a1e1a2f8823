"""From stored values to physical ones and the reason why a pixel is not usable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.layer import Layer
from specvae.spectra import Invalid

__all__ = ["Mask", "equals", "fill_reasons", "keep_first", "to_physical"]

Array = NDArray[Any]
Mask = NDArray[np.bool_]
LARGEST = float(np.finfo(np.float32).max)


def equals(values: Array, told: float) -> Mask | None:
    """Where stored ``values`` are the stored value ``told``, NaN included; None where that type cannot hold it.

    Floats compare in their own type, the large ones within two units in the last place, as GDAL does.
    """
    if math.isnan(told):
        return np.isnan(values) if values.dtype.kind == "f" else None
    if values.dtype.kind != "f":
        limits = np.iinfo(values.dtype) if values.dtype.kind in "iu" else None
        if told != int(told) or (limits and not limits.min <= told <= limits.max):
            return None
        return np.asarray(values == values.dtype.type(int(told)))
    with np.errstate(over="ignore"):  # declared in decimal, or for a wider type
        same = values.dtype.type(told)
    if abs(told) < 1e6 or not np.isfinite(same):
        return np.asarray(values == same)
    low, high = same, same
    for _ in range(2):
        low, high = np.nextafter(low, values.dtype.type(-np.inf)), np.nextafter(high, values.dtype.type(np.inf))
    return np.asarray((values >= low) & (values <= high))


def fill_reasons(reason: NDArray[np.uint8], stored: Array, layers: tuple[Layer, ...]) -> None:
    """Write into ``reason`` ``(rows, cols)`` why any one band makes a pixel unusable: nodata, NaN, saturated."""
    for band, layer in zip(stored, layers, strict=True):
        if layer.nodata is not None and (missing := equals(band, layer.nodata)) is not None:
            keep_first(reason, missing, Invalid.NODATA)
        if band.dtype.kind == "f":
            finite = np.isfinite(band)
            if not finite.all():
                keep_first(reason, ~finite, Invalid.NAN)
        if layer.saturated is not None and (full := equals(band, layer.saturated)) is not None:
            keep_first(reason, full, Invalid.SATURATED)


def keep_first(reason: NDArray[np.uint8], where: Mask, code: Invalid) -> None:
    """Write ``code`` where ``where`` holds; of two reasons, the smaller stays (nodata, mask, NaN, saturated, outside)."""
    if code == Invalid.NODATA:
        np.copyto(reason, np.uint8(code), where=where)
    elif where.any():
        np.copyto(reason, np.uint8(code), where=where & ((reason == 0) | (reason > code)))


def to_physical(stored: Array, layers: tuple[Layer, ...], out: Sequence[NDArray[np.float32]]) -> None:
    """Scale and offset by band into ``out``, float32 ``(rows, cols)`` each; finite stays finite."""
    for band, layer, target in zip(stored, layers, out, strict=True):
        if layer.scale == 1.0 and layer.offset == 0.0 and band.dtype.itemsize <= 4:
            target[...] = band
        elif band.dtype.itemsize <= 2:
            np.multiply(band, np.float32(layer.scale), out=target, dtype=np.float32)
            target += np.float32(layer.offset)
        else:
            with np.errstate(invalid="ignore", over="ignore"):
                target[...] = np.clip(band * np.float64(layer.scale) + layer.offset, -LARGEST, LARGEST)
