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
    """The law beyond the largest of them; None where ranks are all there is."""
    hidden: float = 0.0
    """Normal pixels expected among the scores that were trimmed away, above all of ``ordered``."""

    def of(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """P(a normal pixel scores as high), of any shape; NaN where the score is.

        Uniform on k / (n + 1) for exchangeable scores up to the largest held-out one. Beyond it the tail's, never above
        the p-value of the next rank, so that p-values fall as scores rise.
        """
        scores = np.asarray(scores, np.float32)  # as the held-out scores are stored, so that ties stay ties
        p = conformal_p_values(self.ordered, scores, self.hidden)
        beyond = scores > self.ordered[-1] if self.ordered.size else np.zeros(scores.shape, bool)
        if self.tail is None or not np.any(beyond):
            return p
        next_rank = (1.0 + self.hidden) / (self.ordered.size + self.hidden + 1.0)
        p = np.array(p)
        p[beyond] = np.minimum(self.tail.survival(scores[beyond]), next_rank)
        return p
