"""Normal scores: a score's p-value as the quantile of a standard normal law, which alerts compare from date to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from specvae.alerts.kernel.library import Table
from specvae.alerts.past import STEP
from specvae.thresholds.p_value_curve import SMALLEST

__all__ = ["PValueCurve"]

LARGEST = 1 - 1e-4
"""The largest p-value of a normal score: of the lowest held-out score the exact one is 1, whose normal score is infinite."""


SHARPNESS = 13
"""Bits after the leading one by which scores are distinguished, above the lowest one less one: of ten nats to a thousandth."""


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

    @property
    def _lowest(self) -> np.float32:
        """What is taken from a score, so that the lowest one of the curve becomes 1."""
        return np.float32(self.score[0] - 1)

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        """The normal score of each number with SHARPNESS bits after the leading one, from 1 to the curve's end; last, NaN."""
        count = int(_place(np.array([np.float32(self.score[-1]) - self._lowest], np.float32))[0]) + 2
        bits = (np.arange(count, dtype=np.uint32) << (23 - SHARPNESS)) + _ONE
        scores = bits.view(np.float32).astype(np.float64) + float(self._lowest)
        values = np.interp(scores, self.score, self.normal_score)
        return np.append(values, np.nan).astype(np.float32)

    @property
    def table(self) -> Table:
        """The table that :meth:`normal_scores` reads, for what reads it in C."""
        return Table(self._table, 23 - SHARPNESS, self._lowest, _bits(self._table.size - 2))

    def normal_scores(self, scores: NDArray[np.floating]) -> NDArray[np.float32]:
        """Normal scores of scores of any shape; NaN where the score is."""
        # A table by the leading bits of a number: interpolation takes ten times as long.
        table = self._table
        above = np.asarray(scores, np.float32) - self._lowest
        np.maximum(above, np.float32(1), out=above)
        np.minimum(above, _bits(table.size - 2), out=above)
        at = _place(above)
        return np.asarray(np.take(table, np.minimum(at, np.uint32(table.size - 1), out=at)))

    @cached_property
    def _usual(self) -> NDArray[np.float32]:
        """The score of each normal score in units of STEP, from the lowest int16 on."""
        steps = np.arange(-32768, 32768) * STEP
        return np.asarray(np.interp(steps, self.normal_score, self.score), np.float32)

    def usual_scores(self, centres: NDArray[np.int16]) -> NDArray[np.float32]:
        """The scores, nats, of normal scores in units of STEP: the inverse of :meth:`normal_scores` between the curve's ends."""
        return np.asarray(np.take(self._usual, centres.astype(np.int32) + 32768))


_ONE = np.float32(1).view(np.uint32)


def _bits(place: int) -> np.float32:
    """The number at a place of the table."""
    return np.float32(np.array((place << (23 - SHARPNESS)) + int(_ONE), np.uint32).view(np.float32))


def _place(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The place of numbers of at least 1 in the table; of no number, one far beyond it."""
    at = numbers.view(np.uint32) - _ONE
    at >>= np.uint32(23 - SHARPNESS)
    return at
