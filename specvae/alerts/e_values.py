"""e-values: evidence against a hypothesis that may be multiplied from look to look and stopped at any time.

A p-value becomes an e-value by a calibrator, and the product of the e-values of successive looks, each valid given the looks
before, is a test martingale: by Ville's inequality the chance that it ever exceeds c is at most 1 / c (Vovk and Wang 2021,
"E-values: calibration, combination and applications", Annals of Statistics 49).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["YEAR", "log_e_values", "needed_evidence", "start_weight"]

Floats = NDArray[np.float64]
YEAR = 365.25
"""Days of a year, over which the false-alert rate is meant."""
SMALL = 1e-3
"""Nats of -log p below which the calibrator's series takes the place of its formula, which cancels there."""


def log_e_values(log_p: NDArray[np.floating]) -> Floats:
    """log e of p-values given as log p <= 0, of any shape, by the calibrator (1 - p + p log p) / (p (log p)^2).

    It is the mixture of all calibrators kappa p^(kappa - 1) with kappa uniform in 0..1 (Vovk and Wang 2021, section 2), so that
    nothing has to be chosen: small p-values are rewarded almost as much as by the best kappa.

    Examples
    --------
    >>> np.exp(log_e_values(np.log([1.0, 0.1, 1e-3, 1e-6]))).round(2).tolist()
    [0.5, 1.26, 20.79, 5239.14]
    """
    x = -np.minimum(np.asarray(log_p, np.float64), 0.0)
    at = np.maximum(x, SMALL)
    # e = (exp(x) - 1 - x) / x^2 with x = -log p, written so that nothing overflows.
    large = at - 2 * np.log(at) + np.log1p(-(1 + at) * np.exp(-at))
    return np.where(x < SMALL, np.log(0.5 + x / 6), large)


def needed_evidence(places: int, rate: float) -> float:
    """Nats that confirm: a place of so many pixels then has at most ``rate`` falsely confirmed pixels a year, on average.

    Each pixel's martingale starts at 1 a year and exceeds ``places / rate`` with a chance of at most ``rate / places``; the
    expected number of pixels that do so is the sum of these chances, however the pixels depend on each other.
    """
    return float(np.log(places / rate))


def start_weight(days: NDArray[np.floating]) -> Floats:
    """The share of a year's capital that is bet on an alert that starts at this look, ``days`` after the look before.

    An anomaly may start at any look. The martingale is the sum over all starts of weight times the product of the e-values
    since; the weights of a year add up to one, however often the ground is looked at.
    """
    return np.asarray(np.clip(days, 1.0, YEAR) / YEAR, np.float64)
