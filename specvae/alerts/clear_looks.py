"""Clear looks: which valid pixels of a night are looks at the ground, and what is seen there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EDGE", "HALO", "View", "view_of"]

Bits = NDArray[np.bool_]
Floats = NDArray[np.float32]
EDGE = 4
"""Pixels around a cloud that are no clear looks: masks end before clouds and their shadows do."""
HALO = 7
"""Rows beyond a window that decide what its looks are: EDGE + 2 for clouds, and what overshadows a pixel."""


@dataclass(frozen=True, eq=False)
class View:
    """What is seen of some rows in one night, ``(rows, cols)`` each."""

    score: Floats
    """Nats, NaN where invalid."""
    alone: Floats
    """Normal scores; 0 where the look is not clear."""
    around: Floats
    """Mean normal score of the clear pixels among the 3 x 3 around each."""
    clear: Bits
    """Whether it is a look: valid, and not at the edge of a cloud."""
    wide: Floats
    """The normal scores with those of up to HALO rows more above and below, the edges of clouds included: they overshadow what
    stands beside them. NaN where invalid."""
    above: int
    """How many rows more there are above."""


def view_of(score: Floats, normal: Floats, seen: Bits, first: int, rows: int) -> View:
    """The view of ``rows`` rows from row ``first`` of arrays that have up to HALO rows more above and below.

    ``seen``: ground that had a clear look before; what is invalid there tonight is taken for clouds, what never had one for the
    edge of the scene.
    """
    clear = np.isfinite(normal)
    # A single invalid pixel is a speck of the sensor: clouds are at least three pixels wide.
    cloud = _all_around(~clear & seen)
    if cloud.any():
        clear = clear & ~_any_within(cloud, EDGE + 1)
    alone = np.where(clear, normal, np.float32(0))
    count = _sum_around(clear.astype(np.float32))
    around = np.asarray(_sum_around(alone) / np.maximum(count, np.float32(1)), np.float32)
    own = slice(first, first + rows)
    return View(score[own], alone[own], around[own], clear[own], normal, first)


def _sum_around(values: Floats) -> Floats:
    """The sum over the 3 x 3 around each pixel, of the pixels inside the array."""
    total = values.copy()
    total[1:] += values[:-1]
    total[:-1] += values[1:]
    wide = total.copy()
    wide[:, 1:] += total[:, :-1]
    wide[:, :-1] += total[:, 1:]
    return wide


def _all_around(mask: Bits) -> Bits:
    """Where all of the 3 x 3 pixels around, as far as they are inside the array, are True."""
    return ~_any_within(~mask, 1)


def _any_within(mask: Bits, reach: int) -> Bits:
    """Where any pixel of the square of ``2 * reach + 1`` around is True."""
    for axis in (0, 1):
        turned = np.moveaxis(mask, axis, 0)
        grown = turned.copy()
        for step in range(1, reach + 1):
            grown[step:] |= turned[:-step]
            grown[:-step] |= turned[step:]
        mask = np.moveaxis(grown, 0, axis)
    return mask
