"""How many of the flags at hand may be false: an upper bound that holds at every cut at once.

Post-hoc bounds (Blanchard, Neuvial and Roquain, Annals of Statistics 48, 2020): if with 95 % probability the share of normal
pixels above each cut of a family is at most a limit of its own, for all cuts together, then any set of flags, chosen after
looking, holds at most so many false ones as follows from the limits. The limits are calibrated by resampling: blocks and not
pixels are the units, since neighbours are false together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.tiles import CalibrationTiles

__all__ = ["LEVEL", "FalseShareBound", "bound_false_share"]

LEVEL = 0.95
"""Probability with which the bound holds."""
RATES = 10.0 ** -np.linspace(0.3, 6, 58)
"""Shares of the held-out pixels above the cuts of the family."""
REPLICATES = 1000
"""Resampled pairs of calibration data and scene: the 5 % that break the limits are then 50."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FalseShareBound:
    """Limits of how many normal pixels of a scene score above each cut of a family."""

    cuts: Floats
    """``(m,)`` ascending, nats."""
    most: Floats
    """``(m,)``: most normal pixels of the scene above each cut; with 95 % none of these is exceeded."""

    def share(self, cuts: NDArray[np.floating], above: Callable[[Floats], NDArray[np.integer]]) -> Floats:
        """Upper bound, ``(n,)`` in 0..1, on the share of false ones among the flags at each of ``cuts``, nats; NaN for none.

        ``above`` gives how many pixels of the scene score above each of some cuts.
        """
        wanted = np.asarray(cuts, np.float64)
        flags, beyond = np.asarray(above(wanted), np.float64), np.asarray(above(self.cuts), np.float64)
        # Above a higher cut at most so many are false, and between the two at most all.
        between = np.where(self.cuts[None] >= wanted[:, None], flags[:, None] - beyond[None], 0.0)
        false = np.minimum(flags, (self.most[None] + between).min(axis=1, initial=np.inf))
        return np.asarray(np.divide(false, flags, out=np.full(wanted.shape, np.nan), where=flags > 0), np.float64)


@lru_cache(maxsize=2)  # a report asks for a scene's limits several times
def bound_false_share(tiles: CalibrationTiles, pixels: int, seed: int = 0) -> FalseShareBound | None:
    """The limits for a scene of so many ``pixels``, from held-out normal tiles; None without tiles or pixels.

    A replicate draws calibration blocks with replacement, and of these the blocks of a scene: both the calibration and the
    scene are random. One block more, that is as bad as the worst at each cut, stands for what was not seen yet.
    """
    scores = tiles.scores
    if not scores.size or pixels < 1:
        return None
    labels = tiles.resampling_blocks
    cuts = np.unique(np.quantile(scores, 1 - RATES).astype(np.float64))
    counts = np.zeros((int(labels.max()) + 1, cuts.size + 1))
    np.add.at(counts, (labels, np.searchsorted(cuts, scores, side="left")), 1.0)
    above, sizes = counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:], np.bincount(labels).astype(np.float64)
    above = np.vstack([above, np.maximum(above.max(axis=0), 1.0)])
    sizes = np.append(sizes, sizes.max())
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=REPLICATES) / len(sizes)
    scene = random.multinomial(max(1, round(pixels / sizes.mean())), drawn).astype(np.float64)
    return FalseShareBound(cuts, pixels * _limits(scene @ above / (scene @ sizes)[:, None]))


def _limits(shares: Floats) -> Floats:
    """``(m,)``: limits that with 95 % none of the ``m`` shares of a replicate exceeds; ``shares``: ``(replicates, m)``."""
    # How extreme each replicate is at its most extreme cut: the limits are the quantiles at the level that 5 % pass.
    ascending = np.sort(shares, axis=0)
    as_large = np.stack(
        [
            len(shares) - np.searchsorted(column, own, side="left")
            for column, own in zip(ascending.T, shares.T, strict=True)
        ]
    )
    tolerated = int(np.quantile(as_large.min(axis=0), 1 - LEVEL, method="lower"))
    return np.asarray(ascending[len(shares) - max(1, tolerated)])
