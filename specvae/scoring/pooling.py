"""Evidence over space: how far a pixel's log score stands above that of the ground around it.

A score says what a pixel costs by itself and its context; evidence says whether that is much for this neighbourhood. A
rough roof or a field of stones costs much everywhere and stands out nowhere. It is a contrast, not nats: never a
score.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLIND_BEYOND", "HALO", "pool"]

SIDE = np.float32(0.1065)
"""Weight of each of the two neighbours in a row: a Gaussian of half a pixel, cut at three pixels."""
REACH = 10
"""Pixels from the centre to the ring's outer edge: it is 21 pixels across."""
GUARD = 4
"""Pixels from the centre to the ring's inner edge: its middle 9 x 9 pixels are not looked at."""
SPACING = 2
"""Every so many pixels along each axis belong to the ring: neighbours score alike, and a quarter of them costs a quarter."""
QUANTILE = 2 / 3
"""Quantile of the ring's log scores that stands for the ground."""
WEIGHT = np.float32(0.8)
"""Share of the ground's log score that is subtracted."""
FLOOR = np.float32(1e-3)
"""Least score in nats of which the logarithm is taken."""
HALO = REACH
"""Pixels around a window that its evidence depends on."""
BLIND_BEYOND = (
    f"it compares a pixel with the {2 * REACH + 1} x {2 * REACH + 1} pixels around it and cannot see what is larger than "
    "that, such as a fire; the score can"
)
"""What a reader of evidence must know."""


def pool(score: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scores ``(rows, cols)``, NaN where invalid -> evidence of the same shape, NaN there too.

    The log score, smoothed by a Gaussian of half a pixel over valid neighbours, less 0.8 times the two-thirds quantile
    of the log scores in a ring around it. A quantile, not a mean, since what is strange around must not hide what is
    strange here. Beyond the border of the array its mirror image is seen, which is right at the border of a scene.
    """
    valid = np.isfinite(score)
    logs = np.log(np.maximum(np.where(valid, score, 1.0), FLOOR)).astype(np.float32) * valid
    # Normalised convolution (Knutsson and Westin, 1993): invalid pixels weigh nothing, above and below the fraction bar.
    smooth = _smoothed(logs) / np.maximum(_smoothed(valid.astype(np.float32)), FLOOR)
    around = _around(np.where(valid, logs, np.float32(np.nan)))
    return np.where(valid, smooth - WEIGHT * around, np.float32(np.nan)).astype(np.float32)


def _smoothed(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over 3 x 3 pixels, weighted (side, 1 - 2 side, side) along each axis; nothing beyond the border."""
    for axis in (0, 1):
        padded = np.pad(maps, [(1, 1) if a == axis else (0, 0) for a in (0, 1)])
        low, mid, high = (np.take(padded, range(i, i + maps.shape[axis]), axis) for i in range(3))
        maps = (np.float32(1.0) - 2 * SIDE) * mid + SIDE * (low + high)
    return maps


def _around(logs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The quantile of what is valid in each pixel's ring, mirrored at the border; 0 where nothing is."""
    rows, cols = logs.shape
    wide = np.pad(logs, REACH, mode="symmetric")
    steps = range(0, 2 * REACH + 1, SPACING)
    offsets = [(r, c) for r in steps for c in steps if max(abs(r - REACH), abs(c - REACH)) > GUARD]
    out = np.zeros((rows, cols), np.float32)
    # Strips bound the memory: the ring is a hundred values a pixel.
    strip = max(1, 50_000 // max(1, cols))
    for top in range(0, rows, strip):
        high = min(strip, rows - top)
        ring = np.stack([wide[top + r : top + r + high, c : c + cols] for r, c in offsets])
        # NaN sorts last: the valid scores come first, and `count` of them are ranked.
        ring.sort(axis=0)
        count = np.isfinite(ring).sum(axis=0)
        rank = np.floor(QUANTILE * np.maximum(count - 1, 0) + 0.5).astype(np.intp)
        quantile = np.take_along_axis(ring, rank[None], axis=0)[0]
        out[top : top + high] = np.where(count > 0, quantile, np.float32(0.0))
    return out
