"""Chronochrome, the linear baseline of two dates: Mahalanobis distance of what the earlier date did not let expect.

Schaum and Stocker, *Long-interval chronochrome target detection* (1997): the later spectrum is regressed on the earlier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chronochrome"]

ROUNDS = 10
"""How many times the worst pixels are dropped and the regression is solved again."""
MOST = 200_000
"""Pixels that it is learned from, at most, evenly taken."""


@dataclass(frozen=True)
class Chronochrome:
    """A regression of the later bands on the earlier, and the covariance of its residual."""

    weights: NDArray[np.float64]
    """``(bands, earlier + 1)``: slopes, and the offset last."""
    precision: NDArray[np.float64]
    """``(bands, bands)``: inverse of the residual's covariance."""

    @classmethod
    def fit(cls, later: NDArray[np.floating], earlier: NDArray[np.floating], trim: float) -> Chronochrome:
        """Learn from ``(bands, n)`` and ``(earlier, n)``; the ``trim`` share that changed most is dropped, again and again."""
        step = max(1, later.shape[1] // MOST)
        x, one = np.asarray(later[:, ::step], np.float64), _with_one(earlier[:, ::step])
        keep = np.ones(x.shape[1], bool)
        for _ in range(ROUNDS if trim else 1):
            weights = np.linalg.lstsq(one[:, keep].T, x[:, keep].T, rcond=None)[0].T
            residual = x - weights @ one
            covariance = np.cov(residual[:, keep]).reshape(len(x), len(x))
            # A band that never varied has no variance to divide by.
            ridge = 1e-6 * max(float(np.trace(covariance)) / len(x), 1e-12)
            precision = np.linalg.inv(covariance + ridge * np.eye(len(x)))
            distance = (residual * (precision @ residual)).sum(axis=0)
            keep = distance <= np.quantile(distance, 1.0 - trim)
        return cls(np.asarray(weights, np.float64), np.asarray(precision, np.float64))

    def scores(self, later: NDArray[np.floating], earlier: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(n,)`` squared Mahalanobis distances of ``(bands, n)`` given ``(earlier, n)``."""
        residual = np.asarray(later, np.float64) - self.weights @ _with_one(earlier)
        return np.asarray((residual * (self.precision @ residual)).sum(axis=0))


def _with_one(earlier: NDArray[np.floating]) -> NDArray[np.float64]:
    """The bands with a row of ones behind them."""
    return np.concatenate([np.asarray(earlier, np.float64), np.ones((1, earlier.shape[1]))])
