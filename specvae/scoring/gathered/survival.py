"""How many pixels score above any value: a histogram over bins that are the same for every scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.scoring.gathered.score_bins import ScoreBins
from specvae.spectra import ScoredWindow

__all__ = ["Survival", "SurvivalHistogram"]

BINS = ScoreBins(16)
"""Bins 1/128 to 1/256 of the score wide: finer than a page can show, and half a megabyte of counts."""


@dataclass(frozen=True, eq=False)
class Survival:
    """Counts of scores by bin, and what derives from them."""

    counts: NDArray[np.int64]
    """``(2**16,)``, ascending."""

    @property
    def total(self) -> int:
        """Number of scores."""
        return int(self.counts.sum())

    def count_above(self, threshold: float) -> int:
        """Scores above ``threshold``, less those in the bin that holds it, which may lie on either side of it."""
        if np.isnan(threshold):
            raise ValueError("a threshold of NaN has nothing above it")
        if threshold == np.inf:
            return 0
        if threshold == -np.inf:
            return self.total
        # The threshold's own bin is left out, so that the count is a lower bound and never claims a pixel too many.
        return int(self.counts[int(BINS.of(np.array([threshold], np.float32))[0]) + 1 :].sum())

    def counts_above(self, thresholds: NDArray[np.floating]) -> NDArray[np.int64]:
        """:meth:`count_above` of each of some thresholds ``(n,)``."""
        return np.array([self.count_above(float(threshold)) for threshold in thresholds], np.int64)

    def points(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The lower edges of the bins that hold scores, ascending, and how many scores lie in each or above it."""
        occupied = np.nonzero(self.counts)[0]
        above = np.cumsum(self.counts[::-1])[::-1]
        return BINS.lower_edges[occupied], above[occupied]

    def quantile(self, share: float) -> float | None:
        """The lower edge of the bin below which a ``share`` of the scores lie; None where there are none."""
        if not self.total:
            return None
        rank = min(int(share * self.total), self.total - 1)
        return float(BINS.lower_edges[int(np.searchsorted(np.cumsum(self.counts), rank, side="right"))])


class SurvivalHistogram:
    """Accumulator of :class:`Survival`; NaN and infinite scores are left out."""

    def __init__(self) -> None:
        self._counts = np.zeros(BINS.size, dtype=np.int64)

    def update(self, piece: ScoredWindow) -> None:
        """Count the scores of one window."""
        self.add(piece.parts.score)

    def add(self, scores: NDArray[np.float32]) -> None:
        """Count scores of any shape."""
        self._counts += BINS.count(scores)

    def merge(self, other: SurvivalHistogram) -> None:
        """Add another's counts."""
        self._counts += other._counts

    def finish(self) -> Survival:
        """What was counted so far."""
        return Survival(self._counts.copy())
