"""The distribution of each band by itself: what turns it into a standard normal, and what that costs in nats.

With y = T(x) a monotone map of a band, p(x) = p(y) T'(x): a density of spectra is one of mapped spectra times a slope
per band (the copula of Sklar, 1959; Liu, Lafferty and Wasserman, *The Nonparanormal*, 2009). So a value between two
clusters of normal values costs -log T', however well the other bands explain it. Here T is Phi^-1 of a kernel
estimate of the distribution function (Silverman, 1986, section 3.4.2), kept as a table of knots.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from torch import Tensor, nn

__all__ = ["Marginals"]

KNOTS = 1024
"""Of each band's table, evenly over its range in training and four kernel widths beyond."""
QUANTILES = 256
"""The sample that the kernels stand on: as many quantiles of the training values."""
BANDWIDTH = 0.6
"""Kernel width over ``spread * n ** -0.2``: two thirds of Silverman's 0.9, since bands with several modes matter."""
NARROWEST, CONSTANT = 0.01, 0.05
"""The least spread that is believed, and what stands in for that of a band that never varied; standard units."""
BEYOND = 4.0
MOST = 8.0
"""Nats that one band can cost at most, before ``weight``."""


class Marginals(nn.Module):
    """Maps each band to a standard normal, and gives the cost -log T' of doing so, which is never negative.

    Beyond its table T is linear. The cost is 0 where the band's training values lie densest. Highly redundant bands
    say the same thing many times over, so where there are more of them than latent dimensions, their cost is weighed
    by ``weight``, the ratio of the two.

    Examples
    --------
    >>> import numpy as np, torch
    >>> values = np.random.default_rng(0).exponential(size=(3, 500))
    >>> marginals = Marginals.fit(values, weight=1.0)
    >>> marginals(torch.tensor(values, dtype=torch.float32)).shape
    torch.Size([3, 500])
    """

    low: Tensor
    step: Tensor
    value: Tensor
    slope: Tensor
    penalty: Tensor
    weight: Tensor

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(bands, 1))
        self.register_buffer("step", torch.ones(bands, 1))
        self.register_buffer("value", torch.zeros(bands, KNOTS))
        self.register_buffer("slope", torch.ones(bands, 2))
        self.register_buffer("penalty", torch.zeros(bands, KNOTS))
        self.register_buffer("weight", torch.ones(()))

    @classmethod
    def fit(cls, standard: NDArray[np.floating], weight: float) -> Marginals:
        """Learn from ``(bands, n)`` training values in standard units."""
        wide = np.asarray(standard, np.float64)
        marginals = cls(len(wide))
        marginals.weight.fill_(weight)
        for band, values in enumerate(wide):
            low, step, knots = _knots(values)
            slopes = np.maximum(np.diff(knots) / step, 1e-30)
            cost = -np.log(slopes)
            # At a knot: halfway between the cells on its two sides.
            cost = np.concatenate([cost[:1], 0.5 * (cost[1:] + cost[:-1]), cost[-1:]])
            marginals.low[band], marginals.step[band] = low, step
            marginals.value[band] = torch.from_numpy(knots)
            marginals.slope[band] = torch.from_numpy(slopes[[0, -1]])
            marginals.penalty[band] = torch.from_numpy(np.minimum(cost - cost.min(), MOST))
        return marginals

    def forward(self, standard: Tensor) -> Tensor:
        """``(bands, n)`` standard units -> ``(bands, n)``, each band standard normal in training."""
        index, share = self._place(standard)
        inside = torch.lerp(self.value.gather(1, index), self.value.gather(1, index + 1), share)
        high = self.low + (KNOTS - 1) * self.step
        below = (standard - self.low).clamp(max=0.0) * self.slope[:, :1]
        return inside + below + (standard - high).clamp(min=0.0) * self.slope[:, 1:]

    def cost(self, standard: Tensor) -> Tensor:
        """``(bands, n)`` standard units -> nats of each band, at least 0."""
        index, share = self._place(standard)
        cost = torch.lerp(self.penalty.gather(1, index), self.penalty.gather(1, index + 1), share)
        return cost * self.weight

    def inverse(self, normal: Tensor) -> Tensor:
        """The standard units that :meth:`forward` maps to ``(bands, n)``."""
        table = self.value.contiguous()
        index = torch.searchsorted(table, normal.contiguous()).sub_(1).clamp_(0, KNOTS - 2)
        left, right = table.gather(1, index), table.gather(1, index + 1)
        share = ((normal - left) / (right - left).clamp(min=1e-12)).clamp(0.0, 1.0)
        below = (normal - table[:, :1]).clamp(max=0.0) / self.slope[:, :1]
        above = (normal - table[:, -1:]).clamp(min=0.0) / self.slope[:, 1:]
        return self.low + (index + share) * self.step + below + above

    def _place(self, standard: Tensor) -> tuple[Tensor, Tensor]:
        """The knot to the left, and how far it is to the next, 0 to 1."""
        along = ((standard - self.low) / self.step).clamp(0.0, KNOTS - 1.0)
        index = along.floor().clamp(max=KNOTS - 2.0)
        return index.long(), along - index


def _knots(values: NDArray[np.float64]) -> tuple[float, float, NDArray[np.float64]]:
    """Of ``(n,)`` values of a band: the first knot, the step between knots, and T at the knots."""
    count = min(QUANTILES, len(values))
    sample = np.quantile(values, (np.arange(count) + 0.5) / count)
    width = max(BANDWIDTH * len(values) ** -0.2, 0.02) * _spread(values)
    low, high = sample[0] - BEYOND * width, sample[-1] + BEYOND * width
    knots = np.linspace(low, high, KNOTS)
    u = (knots[:, None] - sample) / width
    # Both tails are summed, so that neither is lost in 1 - F.
    left, right = ndtr(u).mean(axis=1), ndtr(-u).mean(axis=1)
    return low, (high - low) / (KNOTS - 1), np.where(left < right, ndtri(left), -ndtri(right))


def _spread(values: NDArray[np.float64]) -> float:
    """Standard deviation, or that of the middle half where it is smaller and there is one."""
    deviation = float(values.std())
    if deviation <= 1e-7:
        return CONSTANT
    low, high = np.quantile(values, [0.25, 0.75])
    middle = float(high - low) / 1.349
    return max(NARROWEST, min(middle, deviation) if middle > 0.1 * deviation else deviation)
