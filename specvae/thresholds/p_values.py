"""p-values of pixels: ranks among held-out normal scores, and beyond the largest of them the law of their tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.conformal import conformal_p_values
from specvae.thresholds.tail_law import TailLaw
from specvae.thresholds.trimmed_tail import TrimmedTail

__all__ = ["PixelPValues"]


@dataclass(frozen=True, eq=False)
class PixelPValues:
    """The p-value of any score: how probable a normal pixel scores as high.

    Examples
    --------
    >>> PixelPValues(np.array([1.0, 2.0, 3.0], np.float32), None).of(np.array([0.5, 2.0, 9.0])).tolist()
    [1.0, 0.75, 0.25]
    """

    ordered: NDArray[np.float32]
    """``(n,)``: held-out normal scores, ascending, nats."""
    tail: TailLaw | TrimmedTail | None
    """The law of the highest scores; None where ranks are all there is."""
    begin: float = np.inf
    """Nats: above it the law holds, below it ranks do, as for the cuts."""
    hidden: float = 0.0
    """Normal pixels expected among the scores that were trimmed away, above all of ``ordered``."""

    def of(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """P(a normal pixel scores as high), of any shape; NaN where the score is.

        Uniform on k / (n + 1) for exchangeable scores as far as ranks serve. Above ``begin`` it is the law's, never above
        the p-value of the lowest rank there, so that p-values fall as scores rise, and a score is above the cut of a rate
        where its p-value is at most the rate.
        """
        scores = np.asarray(scores, np.float32)  # as the held-out scores are stored, so that ties stay ties
        p = conformal_p_values(self.ordered, scores, self.hidden)
        beyond = scores > self.begin
        if self.tail is None or not np.any(beyond):
            return p
        above = self.ordered.size - np.searchsorted(self.ordered, self.begin, side="right")
        lowest = (1.0 + above + self.hidden) / (self.ordered.size + self.hidden + 1.0)
        p = np.array(p)
        p[beyond] = np.minimum(self.tail.survival(scores[beyond]), lowest)
        return p
