"""The trimmed tail: the law of normal scores, fitted below the trim quantile because anomalies may lie above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.pareto import pareto_excess, pareto_survival

__all__ = ["MIN_SCORES", "TrimmedTail", "TrimmedTailSummary", "fit_trimmed_tail"]

BINS = 400
"""Bins of equal count that the scores between start and stop are gathered in, so that a fit costs the same for any number."""
SHAPES = np.linspace(-0.5, 0.9, 29)
"""The first grid's shapes."""
LOG_SCALES = np.linspace(-2.0, 1.6, 37)
"""The first grid's logarithms of the scale, over the distance from start to stop."""
FINER = 25
"""Points a side of the second grid, laid over the range that the first one finds probable."""
SHAPE_PRIOR = (0.2, 0.25)
"""Mean and standard deviation of the normal prior of the shape: a law that is cut off says little about its own tail."""
MIN_SCORES = 60
"""Scores between start and stop under which no law is fitted."""
PIXELS_PER_RATE = 0.04
"""Normal pixels expected above the cut of the smallest rate that the law serves."""
LEAST_RATE = 1e-5
"""No smaller rate is served, however many the pixels: what lies above the stop was never seen."""

Floats = NDArray[np.float64]


class TrimmedTailSummary(TypedDict):
    """What a report and a model say of a trimmed tail; the fields of :class:`TrimmedTail` say what each is."""

    start: float
    stop: float
    share: float
    shape: float
    scale: float
    used: int
    kept: int
    fit: float
    smallest_rate: float


@dataclass(frozen=True, eq=False)
class TrimmedTail:
    """A generalised Pareto law above ``start``, fitted to the scores between ``start`` and ``stop`` alone."""

    start: float
    """Nats."""
    stop: float
    """Nats: the trim quantile. Scores above it may be anomalies and are not used."""
    share: float
    """Share of normal pixels above ``start``, those expected above ``stop`` included."""
    shape: float
    scale: float
    """Nats."""
    used: int
    """Scores between ``start`` and ``stop``."""
    at_most_stop: int
    """Scores at or below ``stop``, those below ``start`` included."""
    distance: float
    """Largest distance of the law's cumulative distribution from that of the scores, between ``start`` and ``stop``."""
    draws: tuple[Floats, Floats, Floats]
    """``(replicates,)`` each: share, shape and scale in the replicates of the block bootstrap."""
    spread: float
    """Factor on the width of intervals, for the few blocks that hold the largest of the scores used."""

    @property
    def normal(self) -> float:
        """Expected number of normal pixels: those at or below ``stop`` and those that the law puts above it."""
        beyond = float(pareto_survival(self.stop - self.start, self.shape, self.scale))
        return self.at_most_stop + self.used * beyond / max(1 - beyond, 1e-9)

    @property
    def hidden(self) -> float:
        """Expected number of normal pixels above ``stop``, hidden among what may be anomalies."""
        return self.normal - self.at_most_stop

    @property
    def smallest_rate(self) -> float:
        """The smallest false-alarm rate that the law serves."""
        return max(PIXELS_PER_RATE / max(self.normal, 1.0), LEAST_RATE)

    def survival(self, scores: NDArray[np.floating] | float) -> Floats:
        """P(score > s) of normal pixels, for s at or above ``start``."""
        excess = np.maximum(np.asarray(scores, np.float64) - self.start, 0.0)
        return self.share * pareto_survival(excess, self.shape, self.scale)

    def threshold(self, rate: float) -> float:
        """The cut that a share ``rate`` of normal pixels exceeds, nats, for rates up to ``share``."""
        beyond = min(rate / self.share, 1.0)
        return float(self.start + pareto_excess(beyond, self.shape, self.scale))

    def rate_interval(self, value: float, rate: float) -> tuple[float, float]:
        """90 % interval of the rate that realises above ``value``, which was set for ``rate``."""
        share, shape, scale = self.draws
        realised = np.maximum(share * pareto_survival(value - self.start, shape, scale), rate * 1e-3)
        low, high = (rate * (float(q) / rate) ** self.spread for q in np.quantile(realised, [0.05, 0.95]))
        return min(low, rate), min(max(high, rate), 1.0)

    def value_interval(self, rate: float) -> tuple[float, float]:
        """90 % interval of the cut for ``rate``, nats."""
        share, shape, scale = self.draws
        values = self.start + pareto_excess(np.minimum(rate / share, 1.0), shape, scale)
        low, high = np.quantile(values, [0.05, 0.95])
        middle = self.threshold(rate)
        low = max(middle - self.spread * max(middle - low, 0), min(self.start, middle))
        return float(low), float(middle + self.spread * max(high - middle, 0))

    def summary(self) -> TrimmedTailSummary:
        """The law and its fit as JSON values, without the bootstrap."""
        return {
            "start": self.start,
            "stop": self.stop,
            "share": self.share,
            "shape": self.shape,
            "scale": self.scale,
            "used": self.used,
            "kept": self.at_most_stop,
            "fit": self.distance,
            "smallest_rate": self.smallest_rate,
        }


def fit_trimmed_tail(scores: NDArray[np.floating], bootstrap: BlockBootstrap, trim: float) -> TrimmedTail | None:
    """Fit the law between a lower quantile (8 times ``trim`` from the top, 0.1 to 0.4) and the quantile 1 - ``trim``.

    The estimate is the posterior mean over a grid of shapes and scales, under the likelihood of a law that is cut off
    at the trim quantile; for the data and for each replicate of the block bootstrap. None where fewer than 60 scores
    lie between the two quantiles.
    """
    start, stop = (float(q) for q in np.quantile(scores, [1 - np.clip(8 * trim, 0.1, 0.4), 1 - trim]))
    chosen = np.nonzero((scores > start) & (scores <= stop))[0]
    if chosen.size < MIN_SCORES or stop <= start:
        return None
    chosen = chosen[np.argsort(scores[chosen], kind="stable")]
    excess = scores[chosen].astype(np.float64) - start
    centres, counts = _binned(excess, chosen, bootstrap)
    used = counts.sum(axis=1)
    shape, scale = _posterior_mean(centres, counts, stop - start)
    at_most_stop = np.bincount(bootstrap.labels[scores <= stop], minlength=bootstrap.blocks)
    # Of the law's mass a part lies above the stop: what was seen between start and stop stands for more.
    beyond = pareto_survival(stop - start, shape, scale)
    above = used / np.maximum(1 - beyond, 1e-9)
    below = np.r_[at_most_stop.sum(), bootstrap.weights @ at_most_stop] - used
    share = above / np.maximum(above + below, 1.0)
    # No score beyond the stop was used, so they are compared with the law given that it stops there too.
    law = (1 - pareto_survival(excess, shape[0], scale[0])) / (1 - beyond[0])
    return TrimmedTail(
        start=start,
        stop=stop,
        share=float(share[0]),
        shape=float(shape[0]),
        scale=float(scale[0]),
        used=chosen.size,
        at_most_stop=int(at_most_stop.sum()),
        distance=float(np.max(np.abs(law - (np.arange(chosen.size) + 0.5) / chosen.size))),
        draws=(share[1:], shape[1:], scale[1:]),
        spread=bootstrap.widening(chosen[-chosen.size // 5 :]),
    )


def _binned(excess: Floats, chosen: NDArray[np.int64], bootstrap: BlockBootstrap) -> tuple[Floats, Floats]:
    """Mean excess of each bin ``(bins,)``, and counts by bin ``(1 + replicates, bins)``: of the data, then resampled.

    ``excess`` ``(n,)`` ascends and belongs to the pixels ``chosen``.
    """
    bins = np.arange(chosen.size) * min(BINS, chosen.size) // chosen.size
    centres = np.bincount(bins, excess) / np.bincount(bins)
    counts = np.zeros((bootstrap.blocks, int(bins[-1]) + 1))
    # add.at, since ``+=`` with repeated indices would count each pair of block and bin only once.
    np.add.at(counts, (bootstrap.labels[chosen], bins), 1.0)
    return centres, np.vstack([counts.sum(axis=0), bootstrap.weights @ counts])


def _posterior_mean(centres: Floats, counts: Floats, width: float) -> tuple[Floats, Floats]:
    """Shape and scale, ``(draws,)`` each, for excesses ``(bins,)`` that occur ``counts`` ``(draws, bins)`` times.

    Computed on a coarse grid first, then on a fine one over the range that the coarse one finds probable for any of
    the draws: one grid fine enough everywhere would take thirty times as many points.
    """
    axes = SHAPES, np.log(width) + LOG_SCALES
    means, deviations = _posterior(centres, counts, width, *axes)
    finer = []
    for axis, mean, deviation in zip(axes, means, deviations, strict=True):
        step = axis[1] - axis[0]
        # Four deviations hold all that matters of a posterior; the part of
        # a step keeps a range from shrinking to a point.
        low, high = float(np.min(mean - 4 * deviation)) - step / 4, float(np.max(mean + 4 * deviation)) + step / 4
        finer.append(np.linspace(max(low, axis[0]), min(high, axis[-1]), FINER))
    (shape, log_scale), _ = _posterior(centres, counts, width, finer[0], finer[1])
    return shape, np.exp(log_scale)


def _posterior(
    centres: Floats, counts: Floats, width: float, shape_axis: Floats, scale_axis: Floats
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Posterior means and standard deviations, ``(draws,)`` each, of shape and log scale over a grid."""
    shapes, log_scales = (grid.ravel() for grid in np.meshgrid(shape_axis, scale_axis, indexing="ij"))
    # The density divides by the shape; at 1e-6 it is that of the exponential law to six digits.
    shapes = np.where(np.abs(shapes) < 1e-6, 1e-6, shapes)
    density = _log_density(centres, width, shapes, log_scales)
    # A law of negative shape that ends below one of the scores cannot have made them: it has no part in the mean.
    possible = np.isfinite(density).all(axis=1)
    shapes, log_scales, density = shapes[possible], log_scales[possible], density[possible]
    mean, deviation = SHAPE_PRIOR
    posterior = counts @ density.T - 0.5 * ((shapes - mean) / deviation) ** 2
    posterior = np.exp(posterior - posterior.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    means = posterior @ shapes, posterior @ log_scales
    deviations = (
        np.sqrt(np.maximum(posterior @ shapes**2 - means[0] ** 2, 0)),
        np.sqrt(np.maximum(posterior @ log_scales**2 - means[1] ** 2, 0)),
    )
    return means, deviations


def _log_density(centres: Floats, width: float, shapes: Floats, log_scales: Floats) -> Floats:
    """``(laws, bins)``: log density of each excess under each law that is cut off at ``width``; not finite if impossible."""
    scales = np.exp(log_scales)
    with np.errstate(all="ignore"):  # outside its support a law has no density; beyond its end it has all its mass
        density = -(1 + 1 / shapes)[:, None] * np.log1p((shapes / scales)[:, None] * centres) - log_scales[:, None]
        # Divided by the mass below the stop, 1 - S(width), which expm1 and log1p give without cancellation.
        density -= np.log(-np.expm1(-np.log1p(np.maximum(shapes / scales * width, -1)) / shapes))[:, None]
    return np.asarray(density)
