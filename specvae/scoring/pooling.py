"""Evidence over space: how far a pixel's log score stands above that of the ground around it.

A score says what a pixel costs by itself and its context; evidence says whether that is much for this neighbourhood. A
rough roof or a field of stones costs much everywhere and stands out nowhere. It is a contrast, not nats: never a
score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HALO", "blind_beyond", "pool", "reach_of", "stored_reach"]

SIDE = np.float32(0.1065)
"""Weight of each of the two neighbours in a row: a Gaussian of half a pixel, cut at three pixels."""
REACH = 10
"""Pixels from the centre to the ring's outer edge, at most, and in models of earlier versions: it is 21 pixels across."""
NARROWEST = 6
"""The least of it: of a narrower ring, next to nothing is left outside its guard."""
GUARD = 0.4
"""Pixels from the centre to the ring's inner edge, over those to its outer one: the middle 9 of 21 pixels are not looked at."""
ALIKE = 1 / np.e
"""Autocorrelation of the ranks of normal scores at the distance that the ring reaches to: farther off is other ground."""
RANKED = 20_000
"""Scores that ranks are counted among, about."""
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


def blind_beyond(reach: int) -> str:
    """What a reader of evidence must know."""
    side = 2 * reach + 1
    return (
        f"it compares a pixel with the {side} x {side} pixels around it, as far as normal scores are alike, and cannot see what is "
        "larger than that, such as a fire; the score can"
    )


def stored_reach(provenance: Mapping[str, Any]) -> int:
    """How far the ring of a model reaches, by the provenance that holds it; of earlier versions none does."""
    return int(provenance.get("pooling", {}).get("reach", REACH))


def reach_of(maps: Sequence[NDArray[np.floating]]) -> int:
    """How far the ring is to reach, 6 to 10 pixels, by maps of normal scores ``(rows, cols)``, NaN where invalid.

    It is the distance at which the autocorrelation of their ranks has fallen to 1/e. No label is read, and few targets move no
    ranks.
    """
    scores = np.concatenate([m[np.isfinite(m)] for m in maps] or [np.empty(0)])
    known = np.sort(scores[:: max(1, scores.size // RANKED)])
    if known.size < 2 or known[0] == known[-1]:
        return REACH
    ranks = [
        np.where(np.isfinite(m), np.searchsorted(known, np.nan_to_num(m)) / known.size - 0.5, np.nan) for m in maps
    ]
    alike = [_products(ranks, lag) / _products(ranks, 0) for lag in range(1, REACH + 1)]
    below = [lag for lag, value in enumerate(alike, start=1) if value < ALIKE]
    if not below:
        return REACH
    # Between the last lag above and the first below, on a line.
    last = 1.0 if below[0] == 1 else alike[below[0] - 2]
    length = below[0] - (ALIKE - alike[below[0] - 1]) / (last - alike[below[0] - 1])
    return int(np.clip(round(length), NARROWEST, REACH))


def _products(ranks: Sequence[NDArray[np.floating]], lag: int) -> float:
    """The mean product of ranks so many rows or columns apart, where both are valid; 0 where none are."""
    turned = [one for r in ranks for one in (r, r.T) if len(one) > lag]
    pairs = [(one[lag:], one[: len(one) - lag]) for one in turned]
    total = sum(float(np.nansum(one * other)) for one, other in pairs)
    count = sum(int(np.isfinite(one * other).sum()) for one, other in pairs)
    return total / max(count, 1)


def pool(score: NDArray[np.floating], reach: int = REACH) -> NDArray[np.float32]:
    """Scores ``(rows, cols)``, NaN where invalid -> evidence of the same shape, NaN there too; the ring's ``reach`` in pixels.

    The log score, smoothed by a Gaussian of half a pixel over valid neighbours, less 0.8 times the two-thirds quantile
    of the log scores in a ring around it. A quantile, not a mean, since what is strange around must not hide what is
    strange here. Beyond the border of the array its mirror image is seen, which is right at the border of a scene.
    """
    valid = np.isfinite(score)
    logs = np.log(np.maximum(np.where(valid, score, 1.0), FLOOR)).astype(np.float32) * valid
    # Normalised convolution (Knutsson and Westin, 1993): invalid pixels weigh nothing, above and below the fraction bar.
    smooth = _smoothed(logs) / np.maximum(_smoothed(valid.astype(np.float32)), FLOOR)
    around = _around(np.where(valid, logs, np.float32(np.nan)), reach)
    return np.where(valid, smooth - WEIGHT * around, np.float32(np.nan)).astype(np.float32)


def _smoothed(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over 3 x 3 pixels, weighted (side, 1 - 2 side, side) along each axis; nothing beyond the border."""
    for axis in (0, 1):
        padded = np.pad(maps, [(1, 1) if a == axis else (0, 0) for a in (0, 1)])
        low, mid, high = (np.take(padded, range(i, i + maps.shape[axis]), axis) for i in range(3))
        maps = (np.float32(1.0) - 2 * SIDE) * mid + SIDE * (low + high)
    return maps


def _around(logs: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The quantile of what is valid in each pixel's ring, mirrored at the border; 0 where nothing is."""
    rows, cols = logs.shape
    wide, guard = np.pad(logs, reach, mode="symmetric"), round(GUARD * reach)
    steps = range(0, 2 * reach + 1, SPACING)
    offsets = [(r, c) for r in steps for c in steps if max(abs(r - reach), abs(c - reach)) > guard]
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
