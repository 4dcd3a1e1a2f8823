"""Arrays packed for a page: quantised, split into byte planes, deflated, base64."""

from __future__ import annotations

import base64
import io
import math
import zlib
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from specvae.export.report.quicklook import stretched

__all__ = [
    "PackedArray",
    "Scale",
    "jpeg",
    "packed_floats",
    "packed_numbers",
    "packed_places",
    "packed_scores",
    "packed_shares",
    "packed_signed",
    "scale_of",
]

LEVELS = 65534
"""Levels of a 16-bit score, from 1 on; 0 marks an invalid pixel."""
STEPS = ((600_000, 1), (1_100_000, 16), (math.inf, 32))
"""Pixels of a picture, and the number of which its levels are multiples up to that size."""


class PackedArray(TypedDict):
    """An array inside the page's JSON, which a script reads without parsing a digit."""

    dtype: str
    """``u1``, ``u2``, ``u4``, ``f4`` or ``f8``: unsigned integers or floats of so many bytes, little-endian."""
    base64: str
    """The bytes."""


@dataclass(frozen=True)
class Scale:
    """Scores between ``low`` and ``high`` on a logarithmic scale of 16 bits: log(1 + score - low)."""

    low: float
    high: float

    def position(self, score: NDArray[np.floating]) -> NDArray[np.float64]:
        """0 at ``low``, 1 at ``high``."""
        # A scene of one score alone has no span, and its pixels lie at 0.
        span = math.log1p(self.high - self.low) or 1.0
        return np.asarray(np.log1p(np.clip(np.asarray(score, np.float64) - self.low, 0, None)) / span)


def scale_of(score: NDArray[np.floating]) -> Scale:
    """The scale that holds all finite scores."""
    good = score[np.isfinite(score)]
    if not good.size:
        return Scale(0.0, 1.0)
    low, high = float(good.min()), float(good.max())
    return Scale(low, high if high > low else low + 1.0)


def packed_scores(score: NDArray[np.float32], scale: Scale, threshold: float) -> str:
    """16-bit levels, 0 where invalid. What lies above ``threshold`` lies above its level: rounding flips no pixel.

    Of a large picture the last bits, which would be half of the page, are left out.
    """
    step = next(step for most, step in STEPS if score.size <= most)
    # Rounding could bring a pixel that is above the threshold to the level of the threshold itself. The levels of both
    # sides are pushed apart, so that the page at the reported threshold flags the very pixels of anomaly.tif.
    level = 1 + step * np.round(LEVELS / step * np.nan_to_num(scale.position(score))).astype(np.int64)
    if math.isfinite(threshold) and scale.low <= threshold < scale.high:
        cut = 1 + round(LEVELS * float(scale.position(np.array([threshold]))[0]))
        above = np.nan_to_num(score, nan=-np.inf) > threshold
        level = np.where(above, np.maximum(level, cut + 1), np.minimum(level, cut))
    level[~np.isfinite(score)] = 0
    return _packed(np.clip(level, 0, LEVELS + 1).astype(">u2"))


def packed_shares(part: NDArray[np.float32], total: NDArray[np.float32]) -> str:
    """``part / total`` in 0..1 as one byte of 64 steps."""
    # A score may be 0 or negative, of which nothing has a share; the page shows such a share as 0 or 1.
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(np.clip(part / total, 0, 1))
    # 64 steps rather than 256: a reader sees no difference, and deflate has fewer bits to store.
    return _packed((np.round(share * 63) * 4).astype(np.uint8))


def packed_signed(values: NDArray[np.floating]) -> str:
    """``(n, bands)``, each row as bytes between minus and plus its largest size: 127 is 0, 254 the size, 0 minus it."""
    size = np.abs(values).max(axis=1, keepdims=True, initial=0.0)
    share = np.nan_to_num(values / np.where(size > 0, size, 1.0))
    return _packed(np.round(127 + 127 * share).astype(np.uint8))


def packed_floats(values: NDArray[np.floating]) -> str:
    """The first three bytes of each float32 (15 bits of mantissa)."""
    # Half of the last bit that stays is added before the cut, which rounds; in 64 bits, since the highest NaN would
    # overflow 32 and come out as 0, a spectrum's value that is not there.
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = np.minimum(bits.astype(np.uint64) + 0x80, 0xFFFFFFFF).astype(">u4")
    planes = rounded.ravel().view(np.uint8).reshape(-1, 4).T[:3]
    return _encoded(planes.tobytes())


def packed_numbers(values: ArrayLike, dtype: str = "f4") -> PackedArray:
    """A short array, row by row, as a :class:`PackedArray`; the page reads what is not finite as null.

    Examples
    --------
    >>> packed_numbers([1.0, 0.5])
    {'dtype': 'f4', 'base64': 'AACAPwAAAD8='}
    """
    raw = np.asarray(values).astype(f"<{dtype}").tobytes()
    return {"dtype": dtype, "base64": base64.b64encode(raw).decode("ascii")}


def packed_places(values: NDArray[np.int64]) -> PackedArray:
    """Rows or columns, which are never negative, in as few bytes as hold the largest."""
    return packed_numbers(values, np.min_scalar_type(int(values.max(initial=0))).str[1:])


def _packed(values: NDArray[np.generic]) -> str:
    """Byte planes, the highest first, so that deflate sees like beside like."""
    flat = np.ascontiguousarray(values).ravel()
    return _encoded(flat.view(np.uint8).reshape(-1, flat.dtype.itemsize).T.tobytes())


def _encoded(raw: bytes) -> str:
    """Bytes as the page's script unpacks them with what every browser has: base64, then zlib."""
    # Runs and a Huffman code alone: the last digits of spectra are noise, in which a search for matches of any length
    # takes five times as long to save 5 %.
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return base64.b64encode(packer.compress(raw) + packer.flush()).decode("ascii")


def jpeg(composite: NDArray[np.float32]) -> str:
    """``(3, rows, cols)`` stretched as in the quicklook, as a JPEG in base64."""
    pixels = (stretched(composite) * 255).astype(np.uint8)
    # A large picture is compressed more, to keep the page below 5 MB; the scores, which matter, are packed apart.
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=82 if pixels.size < 3 * STEPS[0][0] else 74)
    return base64.b64encode(file.getvalue()).decode("ascii")
