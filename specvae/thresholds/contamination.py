"""The tail below the trim quantile: what normal data would have above it, and whether there is more than that."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.pareto import pareto_excess, pareto_survival

__all__ = ["Contamination", "TrimmedTail", "find_contamination", "find_gap", "fit_trimmed_tail"]

POINTS = 400
"""The scores between start and trim quantile are gathered in so many bins of equal count."""
SHAPES = np.linspace(-0.5, 0.9, 29)
LOG_SCALES = np.linspace(-2.0, 1.6, 37)
FINER = 25
"""Points a side of the second grid, laid over what the first one believes."""
SHAPE_BELIEF = (0.2, 0.25)
"""Mean and standard deviation of the shape before any data: what is cut off tells little of it."""
FEWEST = 60
"""Scores between start and trim quantile."""
PIXELS_PER_RATE = 0.04
TIMES, CHANCE = 3.0, 1e-4
"""So many times the pixels that the law allows, and so small a probability of them, are contamination."""
RARE = 0.0025
"""A smaller share in excess is rare ground, which no test without labels can tell from anomalies: it is called normal."""
APART = 8.0
"""So many times the pixels that the heaviest believable law allows are a group apart."""


@dataclass(frozen=True, eq=False)
class TrimmedTail:
    """A generalised Pareto law above ``start``, fitted to what lies between it and ``stop`` alone."""

    start: float
    stop: float
    """Nats; scores above it may be anomalies and are not used."""
    share: float
    """Share of normal pixels above ``start``, those expected above ``stop`` included."""
    shape: float
    scale: float
    used: int
    """Scores between start and stop."""
    kept: int
    """Scores at or below stop."""
    fit: float
    """Largest distance of the cumulative distributions between start and stop."""
    draws: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    """``(replicates,)`` each: share, shape, scale of the block bootstrap."""
    spread: float

    @property
    def normal(self) -> float:
        """Expected number of normal pixels: those kept and those that the law puts above ``stop``."""
        beyond = float(pareto_survival(self.stop - self.start, self.shape, self.scale))
        return self.kept + self.used * beyond / max(1 - beyond, 1e-9)

    @property
    def smallest_rate(self) -> float:
        """The rate that it serves down to."""
        return max(PIXELS_PER_RATE / max(self.normal, 1.0), 1e-5)

    def survival(self, scores: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """P(score > s) of normal pixels for s at or above ``start``."""
        excess = np.maximum(np.asarray(scores, np.float64) - self.start, 0.0)
        return self.share * pareto_survival(excess, self.shape, self.scale)

    def threshold(self, rate: float) -> float:
        """The cut that a share ``rate`` of normal pixels exceeds, for rates up to ``share``."""
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

    def summary(self) -> dict[str, Any]:
        """JSON-ready, without the draws."""
        told = {key: value for key, value in vars(self).items() if key not in ("draws", "spread")}
        return {**told, "smallest_rate": self.smallest_rate}


@dataclass(frozen=True)
class Contamination:
    """Whether calibration data hold more extreme scores than normal data would."""

    found: bool
    share: float
    """Share of the pixels in excess of what the law of the others puts above ``level``; 0 where none."""
    level: float | None
    """Nats: where the excess stands out most; None where the question could not be put."""
    observed: int
    """Pixels above ``level``."""
    expected: float
    """Normal pixels expected there."""
    expected_upper: float
    """95 % upper bound of it."""
    reason: str

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def fit_trimmed_tail(scores: NDArray[np.floating], bootstrap: BlockBootstrap, trim: float) -> TrimmedTail | None:
    """The law of what lies between a lower quantile (8 times ``trim`` from the top, 0.1 to 0.4) and 1 - ``trim``.

    Posterior mean over a grid of shapes and scales under the likelihood of a law cut off at the trim quantile, for
    the data and for each block-bootstrap replicate. None where fewer than 60 scores lie between.
    """
    start, stop = (float(q) for q in np.quantile(scores, [1 - np.clip(8 * trim, 0.1, 0.4), 1 - trim]))
    chosen = np.nonzero((scores > start) & (scores <= stop))[0]
    if chosen.size < FEWEST or stop <= start:
        return None
    chosen = chosen[np.argsort(scores[chosen], kind="stable")]
    excess = scores[chosen].astype(np.float64) - start
    width = stop - start
    bins = np.arange(chosen.size) * min(POINTS, chosen.size) // chosen.size
    centres = np.bincount(bins, excess) / np.bincount(bins)
    counts = np.zeros((bootstrap.blocks, int(bins[-1]) + 1))
    np.add.at(counts, (bootstrap.labels[chosen], bins), 1.0)
    draws = np.vstack([counts.sum(axis=0), bootstrap.weights @ counts])
    shape, scale = _posterior_mean(centres, draws, width)
    kept = np.bincount(bootstrap.labels[scores <= stop], minlength=bootstrap.blocks)
    beyond = pareto_survival(width, shape, scale)
    above = draws.sum(axis=1) / np.maximum(1 - beyond, 1e-9)
    below = np.r_[kept.sum(), bootstrap.weights @ kept] - draws.sum(axis=1)
    share = above / np.maximum(above + below, 1.0)
    law = (1 - pareto_survival(excess, shape[0], scale[0])) / (1 - beyond[0])
    distance = float(np.max(np.abs(law - (np.arange(chosen.size) + 0.5) / chosen.size)))
    spread = bootstrap.widening(chosen[-chosen.size // 5 :])
    return TrimmedTail(
        start, stop, float(share[0]), float(shape[0]), float(scale[0]), chosen.size, int(kept.sum()), distance,
        (share[1:], shape[1:], scale[1:]), spread,
    )  # fmt: skip


def _posterior_mean(
    centres: NDArray[np.float64], draws: NDArray[np.float64], width: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shape and scale, ``(draws,)`` each, for excesses ``(bins,)`` drawn ``draws`` ``(draws, bins)`` times.

    On a coarse grid first, then on one over the range that it believes for any of the draws.
    """
    axes = SHAPES, np.log(width) + LOG_SCALES
    means, spreads = _believe(centres, draws, width, *axes)
    finer = []
    for axis, mean, spread in zip(axes, means, spreads, strict=True):
        step = axis[1] - axis[0]
        low, high = float(np.min(mean - 4 * spread)) - step / 4, float(np.max(mean + 4 * spread)) + step / 4
        finer.append(np.linspace(max(low, axis[0]), min(high, axis[-1]), FINER))
    (shape, log_scale), _ = _believe(centres, draws, width, finer[0], finer[1])
    return shape, np.exp(log_scale)


Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def _believe(
    centres: NDArray[np.float64],
    draws: NDArray[np.float64],
    width: float,
    shape_axis: NDArray[np.float64],
    scale_axis: NDArray[np.float64],
) -> tuple[Pair, Pair]:
    """Posterior means and standard deviations of shape and log scale for each draw, over a grid."""
    shapes, log_scales = (grid.ravel() for grid in np.meshgrid(shape_axis, scale_axis, indexing="ij"))
    shapes = np.where(np.abs(shapes) < 1e-6, 1e-6, shapes)
    scales = np.exp(log_scales)
    with np.errstate(all="ignore"):  # outside its support a law has no density; beyond its end it has all its mass
        density = -(1 + 1 / shapes)[:, None] * np.log1p((shapes / scales)[:, None] * centres) - log_scales[:, None]
        density -= np.log(-np.expm1(-np.log1p(np.maximum(shapes / scales * width, -1)) / shapes))[:, None]
    possible = np.isfinite(density).all(axis=1)
    shapes, log_scales, density = shapes[possible], log_scales[possible], density[possible]
    mean, sd = SHAPE_BELIEF
    belief = draws @ density.T - 0.5 * ((shapes - mean) / sd) ** 2
    belief = np.exp(belief - belief.max(axis=1, keepdims=True))
    belief /= belief.sum(axis=1, keepdims=True)
    means = belief @ shapes, belief @ log_scales
    spreads = (
        np.sqrt(np.maximum(belief @ shapes**2 - means[0] ** 2, 0)),
        np.sqrt(np.maximum(belief @ log_scales**2 - means[1] ** 2, 0)),
    )
    return means, spreads


def find_contamination(
    scores: NDArray[np.floating], trim: float, labels: NDArray[np.int64] | None = None
) -> Contamination:
    """Whether more held-out pixels are extreme than the law of those below the trim quantile allows.

    ``labels`` ``(n,)`` are the blocks of ``scores`` ``(n,)``; without them pixels are taken in 50 runs as they
    come. At cuts that keep 1/2 to 1/128 of the trimmed share (8 pixels at least), the observed count is set against
    what the law predicts, nearer to its 95 % upper bound than to its estimate: three times as many, and too many for
    chance, is contamination. Smooth heavy tails mostly stay within it; a group of anomalies does not.

    Training scores do not belong in here: what a fit trimmed it never learned, so beyond the trim quantile its own
    pixels stand out in clean data too. :func:`find_gap` judges those.
    """
    if scores.size < FEWEST or trim <= 0:
        return _undecided("too few held-out scores, or nothing trimmed, to tell anomalies from normal data")
    if labels is None:
        labels = np.arange(scores.size) * 50 // scores.size
    tail = fit_trimmed_tail(scores, BlockBootstrap.of(labels), trim)
    if tail is None:
        return _undecided("too few held-out scores below the trim quantile to tell anomalies from normal data")
    ordered = np.sort(scores)
    levels = [_level(tail, ordered, count) for count in _counts(scores.size, trim)]
    if not levels:
        return _undecided("too few held-out scores above the trim quantile to tell anomalies from normal data")
    return max(levels, key=lambda c: (c.found, c.share if c.found else c.observed / max(c.expected_upper, 1e-9)))


def find_gap(scores: NDArray[np.floating], trim: float) -> Contamination:
    """Whether training scores ``(n,)`` above the trim quantile leave behind even the heaviest tail that is believed.

    That is the generalised Pareto law of shape 1/2 through the median and the trim quantile, the limit beyond which no
    tail is extrapolated. Eight times its count is a group apart: natural scenes reach 5, a hundredth of anomalies
    10 and far more.
    """
    if scores.size < FEWEST or trim <= 0:
        return _undecided("too few training scores, or nothing trimmed, to tell anomalies from normal data")
    ordered = np.sort(scores)
    middle, stop = (float(np.quantile(ordered, share)) for share in (0.5, 1 - trim))
    if stop <= middle:
        return _undecided("half of the training scores and more are one score")
    slope = (np.sqrt(0.5 / trim) - 1) / (stop - middle)
    found = []
    for count in _counts(scores.size, trim):
        level = float(ordered[ordered.size - count])
        expected = 0.5 * scores.size / (1 + slope * (level - middle)) ** 2
        found.append(_verdict(ordered.size, count, level, expected, expected, APART * expected))
    if not found:
        return _undecided("too few training scores above the trim quantile to tell anomalies from normal data")
    return max(found, key=lambda c: (c.found, c.share if c.found else c.observed / max(c.expected, 1e-9)))


def _counts(n: int, trim: float) -> list[int]:
    """How many pixels lie above each cut that is looked at."""
    return [count for count in sorted({int(trim * n / 2**j) for j in range(1, 8)}) if count >= 8]


def _undecided(reason: str) -> Contamination:
    return Contamination(False, 0.0, None, 0, 0.0, 0.0, reason)


def _level(tail: TrimmedTail, ordered: NDArray[np.floating], count: int) -> Contamination:
    """Observed against expected above the ``count``-th largest score."""
    level = float(ordered[ordered.size - count])
    expected = float(tail.survival(level)) * tail.normal
    upper = tail.rate_interval(level, max(float(tail.survival(level)), 1e-12))[1] * tail.normal
    allowed = float(np.cbrt(max(expected, 1e-3) * upper**2))
    return _verdict(ordered.size, count, level, expected, upper, TIMES * allowed)


def _verdict(n: int, count: int, level: float, expected: float, upper: float, limit: float) -> Contamination:
    """Contamination where ``count`` is above ``limit`` and too many for chance."""
    share = max(0.0, (count - expected) / n)
    found = share >= RARE and count > limit and scipy.stats.poisson.sf(count - 1, limit / TIMES) < CHANCE
    share = share if found else 0.0
    verb = "stand out from" if found else "agree with" if count <= limit else "are too rare to be told from"
    reason = (
        f"{count} scores above {level:.4g} nats {verb} the {expected:.1f} (at most {upper:.1f}) expected of normal data"
    )
    return Contamination(bool(found), share, level, count, expected, upper, reason)
