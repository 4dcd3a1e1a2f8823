"""The generalised Pareto tail beyond the resolution of the data: its fit, its checks, its uncertainty.

Pickands, Annals of Statistics 3 (1975). Estimator: Zhang and Stephens, Technometrics 51 (2009), the posterior mean
over a grid of the profile likelihood: no iteration, and one pass serves every bootstrap replicate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.pareto import pareto_survival
from specvae.thresholds.tail_law import TailLaw, pareto_quantile

__all__ = ["Tail", "TailSummary", "anderson_darling_p_value", "fit_pareto", "fit_tail"]

MIN_EXCESSES = 50
"""Excesses under which no tail is fitted."""
MIN_EFFECTIVE_EXCESSES = 15
"""Effective sample size of the excesses under which a fit extrapolates nothing."""
MAX_EXCESSES = 10_000
"""Excesses of the first fit, at most: more would only reach down into the bulk and cost time."""
LARGEST_SHARE = 0.10
"""The tail starts at the top tenth at most: below it lies the bulk, which no Pareto law describes."""
FEWER = 1.5
"""Each further fit takes so many times fewer excesses."""
MAX_SHAPE = 0.5
"""A shape whose 5 % bound is above this has no variance: nothing is extrapolated."""
REJECTED_BELOW = 0.05
"""p-value of the Anderson-Darling test below which a fit is rejected."""
PIXELS_PER_RATE = 0.04
"""The tail serves down to this many expected calibration pixels above the cut: 25 times beyond the largest score."""
SHAPE_PRIOR = (0.2, 0.25)
"""Mean and standard deviation of the normal prior of the shape: worth some twenty independent excesses."""
INTERVAL_FACTOR = (1.0, 35.0)
"""Widening of percentile intervals of an extrapolated rate: the first, and the second over the effective excesses.

Without it they cover 72 to 89 % instead of 90 % on multivariate t, the less the fewer excesses there are in effect: a
replicate's shape is drawn towards that of its prior, as the fit's own is."""
SHAPE_INTERVAL_FACTOR = 1.2
"""Widening of the percentile interval of the shape, for the same reason."""

# Upper quantiles of the Anderson-Darling statistic with both parameters estimated, by simulation (400 excesses,
# 4,000 draws a shape; tests/thresholds/test_tail.py draws some anew). The idea of such a table: Choulakian and
# Stephens (2001).
AD_SHAPES = np.array([-0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.9])
AD_P = np.array([0.5, 0.25, 0.1, 0.05, 0.01, 0.001])
AD_QUANTILES = np.array(
    [
        [0.428, 0.630, 0.909, 1.134, 1.568, 2.093],
        [0.413, 0.607, 0.875, 1.099, 1.631, 2.664],
        [0.395, 0.555, 0.792, 0.985, 1.407, 2.173],
        [0.370, 0.525, 0.723, 0.888, 1.268, 1.751],
        [0.366, 0.511, 0.702, 0.847, 1.260, 1.757],
        [0.353, 0.489, 0.659, 0.791, 1.171, 1.579],
        [0.340, 0.478, 0.655, 0.779, 1.120, 1.528],
    ]
)

Floats = NDArray[np.float64]


class TailSummary(TypedDict):
    """What a report and a model say of a tail; the fields of :class:`Tail` say what each is."""

    start: float
    share: float
    shape: float
    scale: float
    excesses: int
    effective_excesses: float
    p_value: float
    shape_interval: list[float]
    smallest_rate: float
    refused: str | None


@dataclass(frozen=True, eq=False)
class Tail(TailLaw):
    """A tail that was fitted to scores: its law, its checks and its uncertainty."""

    excesses: int
    """Number of scores above ``start``."""
    effective_excesses: float
    """Effective sample size: how many independent excesses carry as much information as these correlated ones."""
    p_value: float
    """p-value of the Anderson-Darling test of the fit, whose statistic is divided by the design effect."""
    shape_interval: tuple[float, float]
    """90 % interval of the shape."""
    refused: str | None
    """Why the tail does not extrapolate, in words; None where it does."""
    draws: tuple[Floats, Floats, Floats]
    """``(replicates,)`` each: share, shape and scale of the block bootstrap."""
    spread: float
    """Widening of the intervals for the few blocks that hold the largest scores."""

    def rate_interval(self, value: float, rate: float) -> tuple[float, float]:
        """90 % interval of the rate that realises above ``value``, which was set for ``rate``."""
        realised = self.draws[0] * pareto_survival(value - self.start, self.draws[1], self.draws[2])
        low, high = np.quantile(realised, [0.05, 0.95])
        # A replicate whose tail ends below the cut realises 0, which has no logarithm. The interval is widened in the
        # logarithm, since rates in a tail are uncertain by factors.
        floor = rate * 1e-3
        low, high = (rate * (max(end, floor) / rate) ** self.spread for end in (low, high))
        return float(min(low, rate)), float(min(max(high, rate), 1.0))

    def value_interval(self, rate: float) -> tuple[float, float]:
        """90 % interval of the cut for ``rate``, nats."""
        values = pareto_quantile(rate, self.start, *self.draws)
        low, high = np.quantile(values, [0.05, 0.95])
        middle = self.threshold(rate)
        low = max(middle - self.spread * max(middle - low, 0), min(self.start, middle))
        return float(low), float(middle + self.spread * max(high - middle, 0))

    def summary(self) -> TailSummary:
        """The tail and its checks as JSON values, without the bootstrap."""
        return {
            "start": self.start,
            "share": self.share,
            "shape": self.shape,
            "scale": self.scale,
            "excesses": self.excesses,
            "effective_excesses": self.effective_excesses,
            "p_value": self.p_value,
            "shape_interval": list(self.shape_interval),
            "smallest_rate": self.smallest_rate,
            "refused": self.refused,
        }


def fit_pareto(
    excesses: Floats, weights: Floats | None = None, design_effect: float | None = None
) -> tuple[Floats, Floats]:
    """Shape and scale, ``(replicates,)`` each, of the generalised Pareto law of ``excesses`` ``(n,)``, ascending, > 0.

    ``weights`` ``(replicates, n)`` counts how often each excess was drawn; all once where not given. With a
    ``design_effect`` the likelihood is that of so many times fewer independent excesses, and the shape has a prior
    around 0.2 (Vehtari et al., JMLR 25 (2024), regularise their tails likewise). Without it, a few blocks with one odd
    object among them would raise the cut above any score that is ever seen.
    """
    n = excesses.size
    weights = np.ones((1, n)) if weights is None else weights
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1.0)
    # The law has one free parameter once the shape is profiled out: theta = -shape / scale, on a grid that Zhang and
    # Stephens place by the first quartile and the largest excess, so that it is dense where the likelihood is.
    points = 30 + int(np.sqrt(n))
    grid = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    grid = grid / (3 * excesses[int(n / 4 + 0.5) - 1]) + 1 / excesses[-1]
    # For a given theta the likelihood is greatest at this shape: one dimension remains to be integrated over.
    shape = weights @ np.log1p(-grid[:, None] * excesses).T / total
    shape = np.where(np.abs(shape) < 1e-12, 1e-12, shape)  # a replicate may hold no excess at all
    # The log likelihood there: n (log(theta / k) + k - 1) in Zhang and Stephens, whose k is minus the shape.
    profile = total * (np.log(np.maximum(-grid / shape, 1e-300)) - shape - 1)
    if design_effect is not None:
        mean, deviation = SHAPE_PRIOR
        profile = profile / design_effect - 0.5 * ((shape - mean) / deviation) ** 2
    # Less its maximum: the likelihood of thousands of excesses is no number that a float can hold.
    posterior = np.exp(profile - profile.max(axis=1, keepdims=True))
    theta = (posterior @ grid) / posterior.sum(axis=1)
    shape = np.einsum("rn,rn->r", weights, np.log1p(-theta[:, None] * excesses)) / total[:, 0]
    shape = np.where(np.abs(shape) < 1e-9, 1e-9, shape)
    return shape, np.maximum(-shape / theta, np.finfo(np.float64).tiny)


def anderson_darling_p_value(excesses: Floats, shape: float, scale: float, design_effect: float) -> float:
    """p-value of the Anderson-Darling statistic of a fit to ``excesses`` (ascending), within [0.0005, 0.5].

    The statistic is divided by the design effect, since dependent pixels stray further (Rao and Scott, 1984).
    """
    cdf = np.clip(1 - pareto_survival(excesses, shape, scale), 1e-12, 1 - 1e-12)
    n = excesses.size
    odd = 2 * np.arange(1, n + 1) - 1
    # Each order statistic has its mirror image beside it: log F of the i-th, log(1 - F) of the i-th from the top.
    statistic = -n - float(np.mean(odd * (np.log(cdf) + np.log1p(-cdf[::-1]))))
    quantiles = [np.interp(shape, AD_SHAPES, column) for column in AD_QUANTILES.T]
    known, log_p = np.array(quantiles), np.log(AD_P)
    # The p-value goes on falling past the table, to half of its last entry, so that rejected fits still compare.
    beyond = max(0.0, statistic / design_effect - known[-1])
    return float(np.exp(np.interp(statistic / design_effect, known, log_p) - min(beyond, np.log(2))))


def fit_tail(scores: NDArray[np.floating], bootstrap: BlockBootstrap) -> Tail | None:
    """The tail of ``scores`` ``(n,)`` that starts as low as the fit is not rejected; None under 50 excesses.

    Where the start lies is a bargain: a low one has many excesses but extends into the bulk, which is no Pareto law; a
    high one has a law that holds, and too few excesses to know it. So the largest count that the Anderson-Darling test
    accepts is taken, from the top tenth (at most 10,000 pixels) down by thirds. Where none is accepted, the fit with
    the highest p-value is returned with the reason of its refusal, for those who insist on a rate.
    """
    count = min(int(LARGEST_SHARE * scores.size), MAX_EXCESSES)
    best: Tail | None = None
    while count >= MIN_EXCESSES:
        tail = _fit_top(scores, count, bootstrap)
        if tail is not None and tail.refused is None:
            return tail
        if best is None or (tail is not None and tail.p_value > best.p_value):
            best = tail or best
        count = int(count / FEWER)
    return best


def _fit_top(scores: NDArray[np.floating], count: int, bootstrap: BlockBootstrap) -> Tail | None:
    """The tail of what exceeds the ``count + 1``-th largest score, with its checks; None where ties leave too little."""
    top = _top(scores, count)
    if top is None:
        return None
    start, chosen, excess = top
    effect = bootstrap.design_effect(chosen)
    effective = chosen.size / effect
    shape, scale = (float(v[0]) for v in fit_pareto(excess, None, effect))
    shapes, scales = fit_pareto(excess, bootstrap.weights[:, bootstrap.labels[chosen]], effect)
    # The largest excesses steer the shape, so that the blocks that hold them are the ones that must not be few.
    few = bootstrap.widening(chosen[-max(MIN_EXCESSES // 2, chosen.size // 20) :])
    low, high = (shape + SHAPE_INTERVAL_FACTOR * few * (float(q) - shape) for q in np.quantile(shapes, [0.05, 0.95]))
    p_value = anderson_darling_p_value(excess, shape, scale, effect)
    return Tail(
        start=start,
        share=chosen.size / scores.size,
        shape=shape,
        scale=scale,
        excesses=chosen.size,
        effective_excesses=effective,
        p_value=p_value,
        shape_interval=(low, high),
        smallest_rate=PIXELS_PER_RATE / scores.size,
        refused=_refusal(effective, low, p_value),
        draws=(np.maximum(bootstrap.rates(chosen), 1e-300), shapes, scales),
        spread=(INTERVAL_FACTOR[0] + INTERVAL_FACTOR[1] / max(effective, 1.0)) * few,
    )


def _top(scores: NDArray[np.floating], count: int) -> tuple[float, NDArray[np.intp], Floats] | None:
    """The ``count + 1``-th largest score, the indices of those above it, ascending, and their excesses; None if ties.

    Ties leave too few above it, or all excesses but a few of one size: no law can be fitted to those.
    """
    # Linear in all scores; only the few above the start are sorted.
    start = float(np.partition(scores, scores.size - count - 1)[scores.size - count - 1])
    chosen = np.nonzero(scores > start)[0]
    if chosen.size < MIN_EXCESSES:
        return None
    chosen = chosen[np.argsort(scores[chosen], kind="stable")]
    excess = scores[chosen].astype(np.float64) - start
    first_quartile = excess[int(excess.size / 4 + 0.5) - 1]
    # The grid of the fit divides by the first quartile of the excesses.
    if excess[-1] <= 0 or first_quartile <= excess[-1] * 1e-12:
        return None
    return start, chosen, excess


def _refusal(effective: float, lowest_shape: float, p_value: float) -> str | None:
    """Why a fit does not extrapolate, in words; None where it does."""
    if effective < MIN_EFFECTIVE_EXCESSES:
        return f"too few excesses: they tell as much as {effective:.0f} independent scores, {MIN_EFFECTIVE_EXCESSES} needed"
    if lowest_shape > MAX_SHAPE:
        return f"the tail is too heavy: its shape is above {MAX_SHAPE:g} ({lowest_shape:.2f} at its lower bound)"
    if p_value < REJECTED_BELOW:
        return f"the generalised Pareto fit is rejected (p = {p_value:.3g})"
    return None
