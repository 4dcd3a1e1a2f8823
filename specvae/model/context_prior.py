"""What a context costs by itself: -log p(c), so that what is larger than its own ring does not hide in it.

A ring that lies inside a fire makes fire expected: p(x | c) is high there, and only p(c) is low. The cost of a pixel with
its surroundings is that of both, p(x, c) = p(x | c) p(c).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specvae.model.sizes import LEADING

__all__ = ["ContextPrior"]

TRIM, ROUNDS = 0.03, 2
"""The share of contexts that is dropped by its cost, and how many times, so that an event does not widen its own prior."""
RIDGE = 1e-2
"""Added to the variance of each component, in units of its variance among normal contexts."""


class ContextPrior(nn.Module):
    """Half a squared Mahalanobis distance of the leading components of a context, less what is expected, at least 0."""

    whitening: Tensor
    origin: Tensor
    expected: Tensor

    def __init__(self, context: int, quantile: float = 0.0, judged: int | None = None) -> None:
        """``judged``: how many components are looked at; None: the leading ones."""
        super().__init__()
        self.quantile = quantile
        judged = min(LEADING, context) if judged is None else judged
        self.register_buffer("whitening", torch.zeros(judged, context))
        self.register_buffer("origin", torch.zeros(judged, 1))
        self.register_buffer("expected", torch.tensor(0.0))

    def forward(self, c: Tensor) -> Tensor:
        """``(context, n)`` contexts as the ring gives them -> ``(n,)`` nats."""
        distance = torch.addmm(self.origin, self.whitening, c).square().sum(dim=0)
        return (0.5 * distance - self.expected).clamp(min=0.0)

    @torch.no_grad()
    def fit(self, contexts: NDArray[np.floating], trim: float = TRIM, rounds: int = ROUNDS) -> None:
        """Learn from ``(context, n)`` contexts of normal ground, of whose costs those below the quantile do not count.

        The ``trim`` share that costs most is dropped, and the rest learned from again, ``rounds`` times.
        """
        seen = np.asarray(contexts, np.float64)[: len(self.whitening)]
        retained = np.ones(seen.shape[1], bool)
        for _ in range(rounds + 1):
            mean, whitening = _whitened(seen[:, retained])
            cost = 0.5 * np.square(whitening @ (seen - mean)).sum(axis=0)
            retained = cost <= np.quantile(cost, 1.0 - trim)
        self.whitening[:, : len(seen)].copy_(torch.from_numpy(whitening))
        self.origin.copy_(torch.from_numpy(-whitening @ mean))
        self.expected.fill_(float(np.quantile(cost, self.quantile)) if self.quantile > 0.0 else 0.0)


def _whitened(seen: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean ``(judged, 1)`` and inverse of the covariance's lower triangular factor."""
    mean = seen.mean(axis=1, keepdims=True)
    away = seen - mean
    covariance = away @ away.T / seen.shape[1]
    # A component that never varied among normal contexts must not turn the smallest departure into an endless cost.
    covariance += np.diag(RIDGE * np.diag(covariance) + 1e-6)
    return mean, np.linalg.inv(np.linalg.cholesky(covariance))
