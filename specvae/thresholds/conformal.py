"""Conformal p-values and thresholds: ranks among held-out scores, valid at any sample size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["conformal_p_values", "conformal_rank", "conformal_threshold"]


def conformal_p_values(ordered: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """``(1 + #{calibration >= score}) / (n + 1)``: uniform on k / (n + 1) where exchangeable, at most so with ties.

    ``ordered`` ``(n,)`` is sorted ascending; NaN scores give NaN. Vovk et al., Algorithmic Learning in a Random
    World.
    """
    above = ordered.size - np.searchsorted(ordered, scores, side="left")
    return np.where(np.isnan(scores), np.nan, (1.0 + above) / (ordered.size + 1.0))


def conformal_rank(n: int, rate: float) -> int:
    """The largest k with k / (n + 1) <= rate: the cut is the k-th largest score; 0 = beyond all."""
    return int(np.floor(rate * (n + 1) * (1 + 1e-12)))


def conformal_threshold(ordered: NDArray[np.floating], rate: float) -> float:
    """The cut such that ``score > cut`` if and only if its conformal p-value is at most ``rate``; inf if none is."""
    k = conformal_rank(ordered.size, rate)
    if k > ordered.size:
        return -np.inf
    return float(ordered[ordered.size - k]) if k else np.inf
