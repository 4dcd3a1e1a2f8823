"""Contamination: whether calibration scores hold anomalies themselves, and the tail that then stands in for the normal.

Below the trim quantile nearly everything is normal. A generalised Pareto law, truncated at that quantile, is fitted to
the scores between it and a lower start; where far more scores lie beyond than it extrapolates, the data are said to be
contaminated, and thresholds come from the fitted law.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from specvae.thresholds.tail import fit_pareto

__all__ = ["BodyTail", "find_contamination", "fit_body_tail"]

PROBE = 3e-4
"""Rate at which observed and extrapolated are compared."""
EXCESS = 5.0
"""So many times more than extrapolated is contamination."""
LEAST = 200
"""Fewer scores tell nothing."""
HEAVY = 0.6
"""Shape of the untruncated law above the top tenth beyond which no natural background is believed."""


@dataclass(frozen=True)
class BodyTail:
    """P(score > s) = share * (1 + shape (s - start) / scale)^(-1 / shape) above ``start``, fitted below ``stop``."""

    start: float
    stop: float
    share: float
    shape: float
    scale: float

    def survival(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Of scores above ``start``."""
        excess = np.maximum(np.asarray(scores, np.float64) - self.start, 0.0)
        return np.asarray(self.share * stats.genpareto.sf(excess, self.shape, scale=self.scale))

    def threshold(self, rate: float) -> float:
        """The cut that a share ``rate`` of normal pixels exceeds."""
        return float(self.start + stats.genpareto.isf(min(1.0, rate / self.share), self.shape, scale=self.scale))

    def summary(self) -> dict[str, float]:
        """JSON-ready."""
        return asdict(self)


def fit_body_tail(scores: NDArray[np.floating], trim: float) -> BodyTail | None:
    """The truncated fit to scores ``(n,)`` between their 1 - 5 trim and 1 - trim quantiles; None where too few."""
    trim = max(trim, 0.01)
    if scores.size < LEAST:
        return None
    start, stop = np.quantile(scores, [1 - 5 * trim, 1 - trim])
    inside = np.asarray(scores[(scores > start) & (scores <= stop)], np.float64) - start
    reach = float(stop - start)
    if inside.size < 20 or reach <= 0:
        return None
    inside = inside[:: max(1, inside.size // 20_000)]

    def cost(parameters: NDArray[np.float64]) -> float:
        shape, scale = parameters[0], float(np.exp(parameters[1]))
        within = stats.genpareto.cdf(reach, shape, scale=scale)
        # A weak belief that the shape is about 0.1 keeps a short range from deciding on its own.
        belief = 0.002 * ((shape - 0.1) / 0.15) ** 2
        return float(np.log(within) + belief - stats.genpareto.logpdf(inside, shape, scale=scale).mean())

    found = optimize.minimize(
        cost,
        [0.1, np.log(reach / 1.6)],
        method="L-BFGS-B",
        bounds=[(-0.3, 0.5), (np.log(reach) - 6, np.log(reach) + 6)],
    )
    shape, scale = float(found.x[0]), float(np.exp(found.x[1]))
    within = float(stats.genpareto.cdf(reach, shape, scale=scale))
    share = 4 * trim / max(within, 1e-6)
    return BodyTail(float(start), float(stop), min(share, 1.0), shape, scale)


def find_contamination(scores: NDArray[np.floating], trim: float) -> bool:
    """Whether scores ``(n,)`` of supposedly normal data hold anomalies: far more of them far out than the body tells."""
    body = fit_body_tail(scores, trim)
    if body is None:
        return False
    observed = int((scores > body.threshold(PROBE)).sum())
    expected = PROBE * scores.size
    if observed <= EXCESS * expected or stats.poisson.sf(observed - 1, expected) >= 1e-6:
        return False
    # Natural backgrounds have tails that one heavy law describes; anomalies make a second hump far out.
    top = np.sort(scores[scores > np.quantile(scores, 0.9)].astype(np.float64)) - np.quantile(scores, 0.9)
    shape, _ = fit_pareto(top[top > 0])
    return bool(shape[0] > HEAVY)
