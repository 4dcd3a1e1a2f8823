"""Conformal p-values and thresholds: ranks among held-out scores, valid at any sample size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDING", "conformal_p_values", "conformal_rank", "conformal_threshold"]

ROUNDING = 1e-12
"""Relative allowance for a rate that decimal digits cannot write exactly: 1e-3 of 999 scores is rank 1, not 0."""


def conformal_p_values(
    ordered: NDArray[np.floating], scores: NDArray[np.floating], hidden: float = 0.0
) -> NDArray[np.float64]:
    """p-values of ``scores`` by their rank among calibration scores: ``(1 + #{calibration >= score}) / (n + 1)``.

    Uniform on k / (n + 1) where the scores are exchangeable, and at most so with ties (Vovk et al., Algorithmic
    Learning in a Random World). ``ordered`` ``(n,)`` is sorted ascending; NaN scores give NaN. ``hidden`` counts normal
    pixels that are expected above all of ``ordered`` but are not in it.
    """
    above = ordered.size - np.searchsorted(ordered, scores, side="left")
    return np.where(np.isnan(scores), np.nan, (1.0 + above + hidden) / (ordered.size + hidden + 1.0))


def conformal_rank(n: int, rate: float) -> int:
    """The largest k with k / (n + 1) <= rate: the cut is the k-th largest of ``n`` scores; 0 is beyond all of them."""
    return int(np.floor(rate * (n + 1) * (1 + ROUNDING)))


def conformal_threshold(ordered: NDArray[np.floating], rate: float) -> float:
    """The cut with ``score > cut`` if and only if the conformal p-value is at most ``rate``; inf if there is none."""
    k = conformal_rank(ordered.size, rate)
    # Only a rate that is 1 but for rounding asks for more ranks than there are scores; every score is above that cut.
    if k > ordered.size:
        return -np.inf
    return float(ordered[ordered.size - k]) if k else np.inf
