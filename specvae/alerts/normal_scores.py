"""Normal scores: a score's p-value as the quantile of a standard normal law, which alerts compare from date to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from specvae.thresholds.p_value_curve import SMALLEST

__all__ = ["PValueCurve"]

LARGEST = 1 - 1e-4
"""The largest p-value of a normal score: of the lowest held-out score the exact one is 1, whose normal score is infinite."""


@dataclass(frozen=True, eq=False)
class PValueCurve:
    """The normal score of any score: the quantile of a standard normal law that as few normal pixels exceed.

    Normal scores of normal pixels have zero mean and unit spread whatever the unit of the score, and stay finite.

    Examples
    --------
    >>> curve = PValueCurve.of({"score": [0.0, 1.0, 4.0], "p_value": [1.0, 0.5, 1e-3]})
    >>> curve.normal_scores(np.array([1.0, 4.0, np.nan], np.float32)).astype(float).round(2).tolist()
    [-0.0, 3.09, nan]
    """

    score: NDArray[np.float64]
    """``(points,)`` ascending, nats."""
    normal_score: NDArray[np.float64]
    """``(points,)`` ascending."""

    @staticmethod
    def of(points: Mapping[str, Sequence[float]]) -> PValueCurve:
        """The curve of points as report.json holds them. Raises ValueError where they are none."""
        score, p = (np.asarray(points.get(name, ()), np.float64) for name in ("score", "p_value"))
        if not score.size or score.shape != p.shape or np.any(np.diff(score) <= 0) or np.any(np.diff(p) > 0):
            raise ValueError("a curve of p-values needs ascending scores and as many p-values that do not rise")
        return PValueCurve(score, -ndtri(np.clip(p, SMALLEST, LARGEST)))

    def normal_scores(self, scores: NDArray[np.floating]) -> NDArray[np.float32]:
        """Normal scores of scores of any shape; NaN where the score is."""
        return np.asarray(np.interp(scores, self.score, self.normal_score), np.float32)

    def scores(self, normal_scores: NDArray[np.floating]) -> NDArray[np.float32]:
        """The scores of normal scores of any shape: the inverse of :meth:`normal_scores` between the ends of the curve."""
        return np.asarray(np.interp(normal_scores, self.normal_score, self.score), np.float32)
