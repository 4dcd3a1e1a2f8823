"""The law of a tail: what a model file holds of one, and all that p-values and plots need of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.pareto import pareto_excess, pareto_survival

__all__ = ["TailLaw", "pareto_quantile"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TailLaw:
    """A generalised Pareto tail above ``start``: P(score > s) = share * (1 + shape (s - start) / scale)^(-1 / shape)."""

    start: float
    """Nats; the tail describes what exceeds it."""
    share: float
    """Share of normal pixels above ``start``."""
    shape: float
    scale: float
    """Nats."""
    smallest_rate: float
    """The smallest false-alarm rate that the tail serves."""

    @staticmethod
    def from_summary(summary: Mapping[str, Any]) -> TailLaw:
        """The law in a tail's summary: its numbers are written such that they read back as they were."""
        return TailLaw(*(float(summary[name]) for name in ("start", "share", "shape", "scale", "smallest_rate")))

    def survival(self, scores: NDArray[np.floating] | float) -> Floats:
        """P(score > s) for s at or above ``start``; below it, ``share``."""
        excess = np.maximum(np.asarray(scores, np.float64) - self.start, 0.0)
        return self.share * pareto_survival(excess, self.shape, self.scale)

    def threshold(self, rate: float) -> float:
        """The cut that a share ``rate`` of normal pixels exceeds, nats."""
        return float(pareto_quantile(rate, self.start, self.share, self.shape, self.scale))


def pareto_quantile(
    rate: float, start: float, share: Floats | float, shape: Floats | float, scale: Floats | float
) -> Floats:
    """The score exceeded by ``rate``; ``start`` where the share above it is already less."""
    beyond = np.minimum(rate / np.asarray(share, np.float64), 1.0)
    return np.asarray(start + pareto_excess(beyond, shape, scale))
