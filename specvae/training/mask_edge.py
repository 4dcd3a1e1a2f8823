"""Whether what sets the cut lies along the edges of a mask, as the rims of clouds do that the mask did not reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Invalid
from specvae.thresholds.tiles import CalibrationTiles
from specvae.training.folds import dilate
from specvae.training.highest_squares import held_maps
from specvae.training.sampling import Region

__all__ = ["mask_edge_warning"]

WIDEST = 6
"""Pixels from a mask within which its edge is looked for."""
MOST_OF_THEM = 2 / 3
"""Share of the pixels above the cut that lie along the edge from which on a warning is given."""
TIMES = 5.0
"""How many times more of them than of all held-out pixels lie there, at least."""
FEWEST = 8
"""Pixels above the cut under which nothing is said."""


def mask_edge_warning(regions: Sequence[Region], tiles: CalibrationTiles, cut: float) -> str | None:
    """A warning where most held-out pixels above the ``cut``, nats, lie along the edges of what a mask leaves out; else None.

    With the fewest pixels of ``--mask-buffer`` that take most of them away.
    """
    above, everywhere = _counts(regions, tiles, cut)
    if above[0] < FEWEST:
        return None
    for buffer in range(1, WIDEST + 1):
        share, usual = above[buffer] / above[0], everywhere[buffer] / everywhere[0]
        if share >= MOST_OF_THEM and share >= TIMES * usual:
            return (
                f"{share:.0%} of the {above[0]:,} held-out pixels above the default cut lie within {buffer} pixel(s) of what the "
                f"mask leaves out, where {usual:.1%} of all lie: the rims of clouds seem to reach beyond the mask and set the cut. "
                f"--mask-buffer {buffer} leaves them out, in fit and in score"
            )
    return None


def _counts(
    regions: Sequence[Region], tiles: CalibrationTiles, cut: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Held-out pixels above the cut, and all: ``(WIDEST + 1,)`` each, at 0 in all, at k within k pixels of a mask."""
    above, everywhere = np.zeros(WIDEST + 1, np.int64), np.zeros(WIDEST + 1, np.int64)
    for region, score in held_maps(regions, tiles):
        cube = region.cube
        masked = cube.reason == Invalid.MASK
        held, high = np.isfinite(score), np.nan_to_num(score, nan=-np.inf) > cut
        above[0] += int(high.sum())
        everywhere[0] += int(held.sum())
        inside = region.window.shift(-cube.window.row, -cube.window.col).slices
        for buffer in range(1, WIDEST + 1) if masked.any() else ():
            edge = dilate(masked, buffer)[inside]
            above[buffer] += int((edge & high).sum())
            everywhere[buffer] += int((edge & held).sum())
    return above, everywhere
