"""How many pixels score above any value: a histogram over bins fixed by the bits of a float32, the same for every scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import ScoredWindow

__all__ = ["Survival", "SurvivalHistogram"]

KEPT_BITS = 16
"""Sign, exponent and the first 7 bits of the mantissa: bins 1/128 to 1/256 of the score wide."""
SIGN = np.uint32(0x80000000)
EXPONENT = np.uint32(0x7F80)
"""All bits of the exponent, among the leading ones."""
PATTERNS = np.arange(2**KEPT_BITS, dtype=np.uint32)


def _bins(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Bin of each finite score: the leading bits of its float32, flipped so that they sort as the numbers do."""
    bits = (np.ascontiguousarray(scores, np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return _sorting(bits >> np.uint32(32 - KEPT_BITS))


def _sorting(leading: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Bin of each pattern of leading bits."""
    sign = np.uint32(1 << (KEPT_BITS - 1))
    return np.asarray(leading ^ np.where(leading & sign, np.uint32(2**KEPT_BITS - 1), sign))


def _lower_edges() -> NDArray[np.float32]:
    """``(2**16,)``: smallest score of each bin; not finite at both ends, where no score falls."""
    ordered = np.arange(2**KEPT_BITS, dtype=np.uint32) << np.uint32(32 - KEPT_BITS)
    bits = np.where(ordered & SIGN, ordered ^ SIGN, ~ordered)
    return np.asarray(bits, np.uint32).view(np.float32)


@dataclass(frozen=True, eq=False)
class Survival:
    """Counts of scores by bin, and what derives from them."""

    counts: NDArray[np.int64]
    """``(2**16,)``."""

    @property
    def total(self) -> int:
        """Number of scores."""
        return int(self.counts.sum())

    def count_above(self, threshold: float) -> int:
        """Scores above ``threshold``, within the count of the one bin that holds it (which is left out)."""
        if np.isnan(threshold):
            raise ValueError("a threshold of NaN has nothing above it")
        if threshold == np.inf:
            return 0
        if threshold == -np.inf:
            return self.total
        return int(self.counts[int(_bins(np.array([threshold], np.float32))[0]) + 1 :].sum())

    def points(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Lower edge of each bin that holds scores, ascending, and how many scores are in it or above."""
        held = np.nonzero(self.counts)[0]
        above = np.cumsum(self.counts[::-1])[::-1]
        return _lower_edges()[held], above[held]

    def quantile(self, share: float) -> float | None:
        """The lower edge of the bin below which a ``share`` of the scores lie; None where there are none."""
        if not self.total:
            return None
        rank = min(int(share * self.total), self.total - 1)
        bin_ = int(np.searchsorted(np.cumsum(self.counts), rank, side="right"))
        return float(_lower_edges()[bin_])


class SurvivalHistogram:
    """Accumulator of :class:`Survival`; NaN scores are left out, whatever the windows the result is the same."""

    def __init__(self) -> None:
        self._counts = np.zeros(2**KEPT_BITS, dtype=np.int64)

    def update(self, scored: ScoredWindow) -> None:
        """Counts the scores of one window."""
        self.add(scored.parts.score)

    def add(self, scores: NDArray[np.float32]) -> None:
        """Counts scores of any shape."""
        leading = (np.ascontiguousarray(scores, np.float32) + np.float32(0)).view(np.uint32) >> np.uint32(
            32 - KEPT_BITS
        )
        counts = np.bincount(leading.ravel(), minlength=2**KEPT_BITS)
        counts[PATTERNS & EXPONENT == EXPONENT] = 0  # infinite, or no number
        self._counts[_sorting(PATTERNS)] += counts

    def merge(self, other: SurvivalHistogram) -> None:
        """Takes the counts of ``other`` in."""
        self._counts += other._counts

    def finish(self) -> Survival:
        """What was counted so far."""
        return Survival(self._counts.copy())
