"""The false-alarm rate of any cut, in agreement with the cuts that thresholds are set at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.calibration import Calibration

__all__ = ["rates_of"]

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
    thresholds = [calibration.threshold(float(rate), explicit=True) for rate in KNOTS]
    # A cut of zero nats or less has no logarithm, in which the rates between knots are interpolated.
    knots = {t.value: t.false_alarm_rate for t in thresholds if t.false_alarm_rate and t.value > 0}
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
