"""Intervals of a realised false-alarm rate that respect that neighbouring pixels are not independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVEL", "REPLICATES", "BlockBootstrap", "widen"]

LEVEL = 0.90
"""Probability that an interval covers what realises."""
REPLICATES = 200
"""Replicates of the bootstrap: its 5 and 95 % quantiles then rest on ten values each."""
NORMAL_KURTOSIS = 3.0


@dataclass(frozen=True, eq=False)
class BlockBootstrap:
    """Blocks of pixels drawn with replacement, as many as there are, so that each keeps its neighbours together.

    Pixels of one block are alike, so resampling pixels would make intervals far too narrow. A replicate is a weight a
    block, how often it was drawn: every statistic of all replicates is then one product of matrices.
    """

    labels: NDArray[np.int64]
    """``(n,)``: block of each score, 0 to blocks - 1."""
    weights: NDArray[np.float64]
    """``(replicates, blocks)``: how often each block was drawn."""
    totals: NDArray[np.float64]
    """``(replicates,)``: pixels in each replicate."""

    @classmethod
    def of(cls, labels: NDArray[np.int64], replicates: int = REPLICATES, seed: int = 0) -> BlockBootstrap:
        """Draw the replicates, seeded."""
        sizes = np.bincount(labels)
        blocks = sizes.size
        # How often each of n blocks comes up in n draws with replacement is one
        # multinomial draw: no list of indices is made.
        drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=replicates)
        weights = drawn.astype(np.float64)
        return cls(labels, weights, np.maximum(weights @ sizes, 1.0))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return int(self.weights.shape[1])

    def rates(self, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """``(replicates,)``: share of the pixels at these indices in each replicate."""
        counts = np.bincount(self.labels[chosen], minlength=self.blocks)
        return np.asarray(self.weights @ counts / self.totals)

    def design_effect(self, chosen: NDArray[np.int64]) -> float:
        """How many times the variance of the share of ``chosen`` exceeds that of independent pixels; at least 1."""
        share = chosen.size / self.labels.size
        if not 0 < share < 1:
            return 1.0
        independent = share * (1 - share) / self.labels.size
        # An estimate below 1 is the noise of few replicates, and would claim more than independent pixels can say.
        return max(1.0, float(np.var(self.rates(chosen)) / independent))

    def widening(self, chosen: NDArray[np.int64]) -> float:
        """How much wider an interval gets because few blocks hold the pixels ``chosen``: Student's t over the normal.

        Degrees of freedom by Satterthwaite's argument: an estimated variance over blocks whose contributions have
        kurtosis K is as uncertain as that of 2 blocks / (K - 1) normal contributions.
        """
        sizes = np.bincount(self.labels, minlength=self.blocks)
        residual = np.bincount(self.labels[chosen], minlength=self.blocks) - sizes * (chosen.size / self.labels.size)
        square, fourth = float(np.sum(residual**2)), float(np.sum(residual**4))
        # Where all blocks hold the same share there is no kurtosis to estimate; that of the normal law is neutral.
        kurtosis = self.blocks * fourth / square**2 if square > 0 else NORMAL_KURTOSIS
        # A kurtosis is at least 1, and is exactly 1 where all residuals have one size: the division needs its guard.
        return widen(min(self.blocks - 1, 2 * self.blocks / max(kurtosis - 1, 1e-9)))

    def rate_interval(self, chosen: NDArray[np.int64]) -> tuple[float, float]:
        """90 % interval of the rate that realises above a cut with the pixels ``chosen`` at or above it.

        Korn and Graubard (Survey Methodology 24, 1998): the exact interval of independent data, here that of an order
        statistic, Beta(k, n + 1 - k), at the effective number of pixels, lowered for few blocks by Student's t.
        """
        n, k = self.labels.size, chosen.size
        effective = n / self.design_effect(chosen) / self.widening(chosen) ** 2
        hits = k * effective / n
        from scipy.special import betaincinv

        low, high = betaincinv(max(hits, 1e-9), effective + 1 - hits, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)


def widen(freedom: float) -> float:
    """The quantile of Student's t over that of the normal law at 90 %, for so many degrees of freedom (at least 2)."""
    from scipy.special import ndtri, stdtrit

    top = (1 + LEVEL) / 2
    # Under 2 degrees of freedom an interval says nothing any more: the factor is 1.8 at 2, and 3.8 at 1.
    return float(stdtrit(max(freedom, 2.0), top) / ndtri(top))
