"""Stored values as physical ones, and the reason why a pixel is not usable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.layer import Layer
from specvae.spectra import Invalid

__all__ = ["Mask", "decode", "equals", "holds", "keep_first"]

Array = NDArray[Any]
Mask = NDArray[np.bool_]
LARGEST = float(np.finfo(np.float32).max)
"""Largest finite float32."""


def equals(values: Array, wanted: float) -> Mask | None:
    """Where stored ``values`` are the stored value ``wanted``, NaN included; None where that type cannot hold it.

    Floats compare in their own type, the large ones within two units in the last place, as GDAL does: a fill such as
    -3.4028235e38 is declared in decimal, and comes back from its text a little off.
    """
    if math.isnan(wanted):
        return np.isnan(values) if values.dtype.kind == "f" else None
    if values.dtype.kind != "f":
        limits = np.iinfo(values.dtype) if values.dtype.kind in "iu" else None
        # A fill of -9999 declared for bytes is common: no pixel can hold it, and as a byte it would be 241, a real
        # value.
        if wanted != int(wanted) or (limits and not limits.min <= wanted <= limits.max):
            return None
        return np.asarray(values == values.dtype.type(int(wanted)))
    with np.errstate(over="ignore"):  # declared in decimal, or for a wider type
        same = values.dtype.type(wanted)
    # Fills such as -9999 are exact in float32, and the numbers next to them may be measured ones.
    if abs(wanted) < 1e6 or not np.isfinite(same):
        return np.asarray(values == same)
    low, high = same, same
    with np.errstate(over="ignore"):  # next to the largest number is infinity, which numpy warns of
        for _ in range(2):
            low, high = np.nextafter(low, values.dtype.type(-np.inf)), np.nextafter(high, values.dtype.type(np.inf))
    return np.asarray((values >= low) & (values <= high))


def holds(dtype: str, wanted: float) -> bool:
    """Whether a pixel of this type can have the stored value ``wanted``.

    Examples
    --------
    >>> holds("uint16", -9999.0), holds("int16", -9999.0), holds("uint8", float("nan"))
    (False, True, False)
    """
    return equals(np.zeros(1, np.dtype(dtype)), wanted) is not None


def decode(stored: Array, layers: tuple[Layer, ...], values: Sequence[Array], reason: NDArray[np.uint8]) -> None:
    """Stored bands as physical values, and the reasons why pixels are not usable, both written in place.

    ``stored`` is ``(bands, rows, cols)``, ``values`` has an array ``(rows, cols)`` for each band, and ``reason``
    ``(rows, cols)`` is written to where any one band makes a pixel unusable: nodata, NaN or saturated.
    """
    for band, layer, target in zip(stored, layers, values, strict=True):
        if layer.nodata is not None and (missing := equals(band, layer.nodata)) is not None:
            keep_first(reason, missing, Invalid.NODATA)
        if band.dtype.kind == "f":
            # Most windows are finite throughout: to see that is cheaper than to write through an empty mask.
            finite = np.isfinite(band)
            if not finite.all():
                keep_first(reason, ~finite, Invalid.NAN)
        if layer.saturated is not None and (full := equals(band, layer.saturated)) is not None:
            keep_first(reason, full, Invalid.SATURATED)
        _to_physical(band, layer, target)


def keep_first(reason: NDArray[np.uint8], where: Mask, code: Invalid) -> None:
    """Write ``code`` where ``where`` holds; of two reasons, the smaller stays (nodata, mask, NaN, saturated, outside)."""
    if code == Invalid.NODATA:
        # No reason comes before this one, so that there is no need to look at what is written already.
        np.copyto(reason, np.uint8(code), where=where)
    elif where.any():
        np.copyto(reason, np.uint8(code), where=where & ((reason == 0) | (reason > code)))


def _to_physical(band: Array, layer: Layer, target: Array) -> None:
    """Scale and offset of one band into ``target``; what is finite stays finite.

    Types of one or two bytes are exact in float32. Wider ones are scaled in float64, since a float32 product of a
    large count would be rounded twice, and are clipped to what float32 can hold.
    """
    if layer.scale == 1.0 and layer.offset == 0.0 and band.dtype.itemsize <= 4:
        target[...] = band
    elif band.dtype.itemsize <= 2:
        np.multiply(band, np.float32(layer.scale), out=target, dtype=np.float32)
        target += np.float32(layer.offset)
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            target[...] = np.clip(band * np.float64(layer.scale) + layer.offset, -LARGEST, LARGEST)
