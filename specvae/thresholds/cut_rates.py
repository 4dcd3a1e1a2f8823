"""The false-alarm rate of any cut, in agreement with the cuts that thresholds are set at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.calibration import TABLE_RATES, Calibration
from specvae.thresholds.conformal import conformal_rank

__all__ = ["cut_of", "rates_of"]

KNOTS = 10.0 ** -np.arange(1.0, 6.01, 0.25)
"""Rates whose cuts are asked for; between them the rate follows a power law of the cut, as a Pareto tail does."""


def rates_of(calibration: Calibration, cuts: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rate ``(n,)`` that a threshold at each of the cuts ``(n,)``, nats, has; NaN without held-out scores.

    The share of held-out pixels down to the rate of 0.1, then what inverts :meth:`Calibration.threshold`, so that a page
    expects as many false alarms at the reported cut as its report does.
    """
    cuts = np.asarray(cuts, np.float64)
    if not calibration.size or not cuts.size:
        return np.full(cuts.shape, np.nan)
    rates = calibration.p_values(cuts)
    asked = [cut_of(calibration, float(rate)) for rate in KNOTS]
    # A cut of zero nats or less has no logarithm, in which the rates between knots are interpolated.
    knots = {value: rate for value, rate in asked if value > 0}
    if not knots:
        return rates
    values = np.array(sorted(knots))
    # Cuts by different methods (rank, tail) may cross by a little; a rate never rises with the cut.
    steps = np.minimum.accumulate([knots[value] for value in values])
    beyond = cuts >= values[0]
    rates[beyond] = np.exp(np.interp(np.log(cuts[beyond]), np.log(values), np.log(steps)))
    # Where the ranks end and the interpolation begins the two may differ by a
    # little; in the order of the cuts the running minimum closes the step.
    order = np.argsort(cuts)
    return np.asarray(np.minimum.accumulate(rates[order])[np.argsort(order)])


def cut_of(calibration: Calibration, rate: float) -> tuple[float, float]:
    """The cut, nats, for a rate that is asked for explicitly, and the rate that it has: those of its threshold.

    Without the intervals of a threshold, which take a bootstrap of the held-out scores; there must be some of these.
    """
    law, n = calibration.law, calibration.size
    if rate in TABLE_RATES or law.contaminated:  # a model file holds the thresholds of the table
        threshold = calibration.threshold(rate, explicit=True)
        return threshold.value, threshold.false_alarm_rate or rate
    if conformal_rank(n, rate) or law.tail_law is not None:
        return law.cut(rate), rate
    return float(law.normal[-1]), 1 / (n + 1)
