"""An earlier date beside the date that is explained: what it lets expect of each band, and its own values as context.

The later spectrum is first predicted linearly from the earlier one, band by band, and the network then sees what is left:
Schaum and Stocker's chronochrome (*Spectrally selective target detection*, 1997), in Theiler's framework of anomalous change
(*Quantitative comparison of quadratic covariance-based anomalous change detectors*, 2008). What is not linear in it, and how
much normal ground varies between the dates, the conditional autoencoder learns from the context.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specvae.model.normaliser import Normaliser, compressed

__all__ = ["Earlier"]

ROUNDS = 10
"""How many times the pixels that changed most are dropped and the regression is solved again."""
RIDGE = 1e-5
"""Added to the variance of each band, so that bands that are alike share a coefficient."""
LEAST_SPREAD = 1e-3
"""Standard deviation of a change at least, in standard units of the later band: a band that never varied has none."""


class Earlier(nn.Module):
    """Linear expectation of ``bands`` later bands from ``count`` earlier ones, both in standard units."""

    regression: Tensor
    origin: Tensor
    spread: Tensor

    def __init__(self, bands: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.normaliser = Normaliser(count)
        self.register_buffer("regression", torch.zeros(bands, count))
        self.register_buffer("origin", torch.zeros(bands, 1))
        self.register_buffer("spread", torch.ones(bands, 1))

    def fit(self, later: Tensor, earlier: NDArray[np.floating], trim: float) -> NDArray[np.bool_]:
        """Learn from ``(bands, n)`` later spectra in standard units and ``(count, n)`` earlier ones in physical units.

        The ``trim`` share that changed most, by Mahalanobis distance, is dropped again and again; which of the ``(n,)``
        pixels remain.
        """
        self.normaliser.load_state_dict(Normaliser.fit(earlier).state_dict())
        seen = self.normaliser(torch.from_numpy(np.ascontiguousarray(earlier, np.float32))).double().numpy()
        x, one = later.double().numpy(), np.concatenate([seen, np.ones((1, seen.shape[1]))])
        keep = np.ones(x.shape[1], bool)
        for _ in range(ROUNDS if trim else 1):
            known = one[:, keep]
            gram = known @ known.T + RIDGE * known.shape[1] * np.eye(len(one))
            both = np.linalg.solve(gram, known @ x[:, keep].T).T
            change = x - both @ one
            spread = np.maximum(change[:, keep].std(axis=1, keepdims=True), LEAST_SPREAD)
            keep = _least_changed(change / spread, keep, trim)
        self.regression.copy_(torch.from_numpy(both[:, :-1]))
        self.origin.copy_(torch.from_numpy(both[:, -1:]))
        self.spread.copy_(torch.from_numpy(spread))
        return keep

    def standard(self, physical: Tensor) -> Tensor:
        """``(count, n)`` earlier spectra in compressed standard units."""
        values: Tensor = self.normaliser(physical)
        return values

    def change(self, later: Tensor, seen: Tensor, reach: float) -> Tensor:
        """``(bands, n)``: what the earlier date did not let expect, in its own standard deviations, compressed beyond ``reach``."""
        return compressed((later - torch.addmm(self.origin, self.regression, seen)) / self.spread, reach)

    def later(self, change: Tensor, seen: Tensor) -> Tensor:
        """``(bands, n)``: the later spectrum in standard units of an uncompressed change; the way back of :meth:`change`."""
        return change * self.spread + torch.addmm(self.origin, self.regression, seen)


def _least_changed(change: NDArray[np.float64], keep: NDArray[np.bool_], trim: float) -> NDArray[np.bool_]:
    """``(n,)``: which pixels are not among the ``trim`` share with the largest Mahalanobis distance of their change."""
    covariance = change[:, keep] @ change[:, keep].T / keep.sum() + RIDGE * np.eye(len(change))
    distance = (change * np.linalg.solve(covariance, change)).sum(axis=0)
    return np.asarray(distance <= np.quantile(distance, 1.0 - trim))
