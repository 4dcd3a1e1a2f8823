"""The shift between two models' scores, by rank: what a fold's model scores, in the nats of the model that is shipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RankShift"]

SHARES = np.array([0.9, 0.75, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02])
"""Shares of the pixels above each score at which the two models are compared."""
ENOUGH = 30
"""Pixels above a score from which on its shift is measured."""
FADING = np.array([0.5, 0.2, 0.1, 0.05])
"""Shares over the last of those above: on the way to the last of these the shift fades out, evenly in their logarithm."""


@dataclass(frozen=True, eq=False)
class RankShift:
    """A rising map from one model's scores to another's, linear between knots, without a change in the far tail.

    A fold's model is fitted to fewer pixels in fewer steps, so that it scores a little higher everywhere. How much is seen on
    the pixels that both models were fitted to: their scores are compared rank by rank. In the far tail the map fades out.
    There a model of a fold scores high what is rare and was missing in its training, and that, not the shortness of its
    training, is what the shipped model will do with what is rare in another scene; a map learned on pixels that both have
    seen knows nothing of it.

    Examples
    --------
    >>> scores = np.random.default_rng(0).exponential(size=10_000)
    >>> shift = RankShift.fit(1.2 * scores, scores)
    >>> np.round(shift.of(np.array([1.2, 3.6])), 2).tolist()
    [1.0, 3.0]
    >>> shift.of(np.array([30.0])).tolist()
    [30.0]
    """

    knots: NDArray[np.float64]
    """``(knots,)``: scores of the first model, nats, ascending; empty where nothing is shifted."""
    targets: NDArray[np.float64]
    """``(knots,)``: the second model's scores of the same rank."""

    @classmethod
    def fit(cls, scores: NDArray[np.floating], others: NDArray[np.floating]) -> RankShift:
        """From the scores ``(n,)`` that the two models give the same pixels; no shift where they are too few."""
        shares = SHARES[SHARES * scores.size >= ENOUGH]
        if not shares.size:
            return cls(np.empty(0), np.empty(0))
        at = 1 - np.r_[shares, shares[-1] * FADING]
        weight = np.r_[np.ones(shares.size), 1 - np.log(FADING) / np.log(FADING[-1])]
        knots = np.quantile(np.asarray(scores, np.float64), at)
        targets = knots + weight * (np.quantile(np.asarray(others, np.float64), at) - knots)
        # Higher scores stay higher, also where the map would fade out faster than the scores rise.
        return cls(knots, np.maximum.accumulate(targets))

    def of(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Scores of the first model, of any shape, in the nats of the second; NaN stays NaN."""
        nats: NDArray[np.float64] = np.asarray(scores, np.float64)
        if not self.knots.size:
            return nats
        # Outside the knots the shift of the nearest one holds: below the bulk that of the bulk, in the far tail none.
        shifts = np.interp(nats, self.knots, self.targets - self.knots)
        return np.asarray(nats + shifts)

    @property
    def ratio(self) -> float:
        """The second model's score over the first's where a tenth of the pixels lies above; 1 where nothing is shifted."""
        if not self.knots.size:
            return 1.0
        where = int(np.argmin(np.abs(SHARES[: self.knots.size - FADING.size] - 0.1)))
        return float(self.targets[where] / self.knots[where]) if self.knots[where] > 0 else 1.0
