"""The survival curve of held-out scores, for plots: the share of pixels at or above each score, and the tail's law."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.tail_law import TailLaw
from specvae.thresholds.trimmed_tail import TrimmedTail

__all__ = ["SurvivalCurve", "survival_curve"]

Floats = NDArray[np.float64]


class SurvivalCurve(NamedTuple):
    """Points of a survival curve, ``(points,)`` each."""

    scores: Floats
    """Nats, ascending."""
    share: Floats
    """Share of held-out pixels at or above each score."""
    law: Floats
    """Share of pixels at or above each score by the tail's law; NaN below its start, and everywhere without a tail."""


def survival_curve(ordered: NDArray[np.floating], tail: TailLaw | TrimmedTail | None, points: int) -> SurvivalCurve:
    """About ``points`` points of the curve of ``ordered`` ``(n,)`` scores, ascending.

    Three quarters of them are at ranks evenly spaced in the logarithm, so that the rare high scores show as well as
    the bulk; the others go on evenly to the cut of the smallest rate that the tail serves.
    """
    scores = np.asarray(ordered, np.float64)
    if not scores.size:
        return SurvivalCurve(np.empty(0), np.empty(0), np.empty(0))
    ranks = np.unique(np.geomspace(1, scores.size, points * 3 // 4).astype(int))
    at = scores[scores.size - ranks][::-1]
    if tail is not None:
        farthest = tail.threshold(tail.smallest_rate)
        at = np.r_[at, np.linspace(at[-1], max(farthest, at[-1]), points - at.size + 1)[1:]]
    share = (scores.size - np.searchsorted(scores, at, side="left")) / scores.size
    law = np.where(at >= tail.start, tail.survival(at), np.nan) if tail is not None else np.full(at.size, np.nan)
    return SurvivalCurve(at, share, law)
