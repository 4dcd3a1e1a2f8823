"""The distribution of each band by itself: what turns it into a standard normal, and what that costs in nats.

With y = T(x) a monotone map of a band, p(x) = p(y) T'(x): a density of spectra is one of mapped spectra times a slope
per band (the copula of Sklar, 1959; Liu, Lafferty and Wasserman, *The Nonparanormal*, 2009). So a value between two
clusters of normal values costs -log T', however well the other bands explain it. Here T is Phi^-1 of a kernel
estimate of the distribution function (Silverman, 1986, section 3.4.2), stored as a table of knots.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor, nn

from specvae.model.sizes import FLATTEST, KNOTS

__all__ = ["Marginals"]

Floats: TypeAlias = NDArray[np.float64]

QUANTILES = 256
"""Kernels of the density estimate, each at a quantile of the training values: their number bounds the time of a fit."""
TAIL = 2
"""Training values that a kernel in the tails stands for, at least: fewer, and one odd value would make itself expected."""
BANDWIDTH = 0.6
"""Kernel width over ``spread * n ** -0.2``: two thirds of Silverman's 0.9, since bands with several modes matter."""
NARROWEST, CONSTANT = 0.01, 0.05
"""The least spread that is believed, and the spread assumed for a band that never varied; standard units."""
BEYOND = 4.0
"""Kernel widths by which the table reaches beyond the outermost training values: a kernel has no more weight there."""
MOST = 8.0
"""Nats that one band can cost at most, before ``weight``: far from all training values the slope is rounding error."""


class Marginals(nn.Module):
    """Maps each band to a standard normal, and gives the cost -log T' of doing so, which is never negative.

    Beyond its table T is linear. The cost is 0 where the band's training values lie densest. Highly redundant bands
    say the same thing many times over, so where there are more of them than latent dimensions, their cost is multiplied
    by ``weight``, the number of latent dimensions to a band.

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
    def fit(cls, standard: NDArray[np.floating], weight: float, kernels: int = QUANTILES) -> Marginals:
        """Learn from ``(bands, n)`` training values in standard units, with ``kernels`` at most for the bulk of each band."""
        wide = np.asarray(standard, np.float64)
        marginals = cls(len(wide))
        marginals.weight.fill_(weight)
        low, step, knots = _knots(wide, kernels)
        # Far out in a tail two neighbouring knots may be rounded to the same value, and a slope of 0 has no logarithm.
        slopes = np.maximum(np.diff(knots, axis=1) / step[:, None], 1e-30)
        cost = -np.log(slopes)
        # The slope belongs to the interval between two knots; a knot has the mean cost of the intervals on its two sides.
        cost = np.concatenate([cost[:, :1], 0.5 * (cost[:, 1:] + cost[:, :-1]), cost[:, -1:]], axis=1)
        marginals.low.copy_(torch.from_numpy(low[:, None]))
        marginals.step.copy_(torch.from_numpy(step[:, None]))
        marginals.value.copy_(torch.from_numpy(knots))
        marginals.slope.copy_(torch.from_numpy(slopes[:, [0, -1]]))
        marginals.penalty.copy_(torch.from_numpy(np.minimum(cost - cost.min(axis=1, keepdims=True), MOST)))
        return marginals

    def forward(self, standard: Tensor) -> Tensor:
        """``(bands, n)`` standard units -> ``(bands, n)``, each band standard normal in training."""
        return self._mapped(standard, *self._place(standard))

    def with_cost(self, standard: Tensor) -> tuple[Tensor, Tensor]:
        """What :meth:`forward` gives, and the nats of each band, at least 0; both ``(bands, n)``."""
        index, share = self._place(standard)
        return self._mapped(standard, index, share), _between(self.penalty, index, share).mul_(self.weight)

    def cost(self, standard: Tensor) -> Tensor:
        """``(bands, n)`` standard units -> nats of each band, at least 0."""
        return _between(self.penalty, *self._place(standard)) * self.weight

    def _mapped(self, standard: Tensor, index: Tensor, share: Tensor) -> Tensor:
        inside = _between(self.value, index, share)
        high = self.low + (KNOTS - 1) * self.step
        below = (standard - self.low).clamp_(max=0.0).mul_(self.slope[:, :1])
        return inside.add_(below).add_((standard - high).clamp_(min=0.0).mul_(self.slope[:, 1:]))

    def inverse(self, normal: Tensor) -> Tensor:
        """The standard units that :meth:`forward` maps to ``(bands, n)``.

        Where T is flat beyond the table's ends, a step there would come back as hundreds of standard deviations: one unit comes
        back as one at most, so that what a decoder expects stays near the training values.
        """
        table = self.value.contiguous()
        index = torch.searchsorted(table, normal.contiguous()).sub_(1).clamp_(0, KNOTS - 2)
        low, high = table.gather(1, index), table.gather(1, index + 1)
        share = ((normal - low) / (high - low).clamp(min=1e-12)).clamp(0.0, 1.0)
        slope = self.slope.clamp(min=FLATTEST)
        below = (normal - table[:, :1]).clamp(max=0.0) / slope[:, :1]
        above = (normal - table[:, -1:]).clamp(min=0.0) / slope[:, 1:]
        return self.low + (index + share) * self.step + below + above

    def _place(self, standard: Tensor) -> tuple[Tensor, Tensor]:
        """The knot below each value, counted through the tables of all bands, and the way to the next knot, 0 to 1.

        Knots are evenly spaced, so a division finds them: no search, and the same few operations for every value.
        """
        along = ((standard - self.low) / self.step).clamp_(0.0, KNOTS - 1.0)
        index = along.floor().clamp_(max=KNOTS - 2.0)
        along.sub_(index)
        first = torch.arange(0, len(self.low) * KNOTS, KNOTS, dtype=torch.int32, device=standard.device)
        return index.int().add_(first[:, None]), along


def _between(table: Tensor, index: Tensor, share: Tensor) -> Tensor:
    """Linear interpolation in tables ``(bands, KNOTS)``, at the places that :meth:`Marginals._place` gives.

    The tables are flattened, so that one gather serves all bands; rises are taken before it, so that each needs one.
    """
    at = index.view(-1)
    at = at.long() if torch.compiler.is_compiling() else at  # ONNX counts in int64
    rise = table.diff(dim=1, append=table[:, -1:]).view(-1)
    return torch.addcmul(table.view(-1)[at], rise[at], share.view(-1)).view(index.shape)


def _knots(values: Floats, kernels: int) -> tuple[Floats, Floats, Floats]:
    """The first knot and the step between knots ``(bands,)``, and T at the knots ``(bands, KNOTS)``, for values ``(bands, n)``.

    F is a sum of normal distribution functions, one kernel at each quantile, weighed by the share of the values that it
    stands for, and T = Phi^-1(F).
    """
    count = values.shape[1]
    bounds = _cells(count, kernels)
    weight = np.diff(bounds)
    sample = np.quantile(values, bounds[:-1] + 0.5 * weight, axis=1).T
    width = max(BANDWIDTH * count**-0.2, 0.02) * _spread(values)[:, None]
    # In the tails, whose shares are smaller, the quantiles lie far apart, and a kernel there is as wide as the gap to its
    # neighbour (adaptive kernels: Silverman, section 5.3): otherwise F would be flat between them, and the cost infinite.
    sparse = weight < 1.0 / kernels
    gap = np.maximum(np.diff(sample, prepend=sample[:, :1], axis=1), np.diff(sample, append=sample[:, -1:], axis=1))
    widths = np.where(sparse, np.maximum(width, gap), width)
    low, high = sample[:, 0] - BEYOND * widths[:, 0], sample[:, -1] + BEYOND * widths[:, -1]
    knots = np.linspace(low, high, KNOTS, axis=1)
    # Both F and 1 - F are summed, and the smaller is inverted: 1e-20 subtracted from 1 would be lost.
    below, above = np.empty_like(knots), np.empty_like(knots)
    half = torch.from_numpy(0.5 * weight)
    # Band by band, as all kernels at all knots of all bands fill no cache. Phi(x) is erfc(-x / sqrt 2) / 2, which torch
    # computes eight times as fast as scipy its ndtr, to the same last bits.
    for band in range(len(knots)):
        at, kernel = torch.from_numpy(knots[band]), torch.from_numpy(sample[band])
        u = (at[:, None] - kernel).div_(torch.from_numpy(np.sqrt(2.0) * widths[band]))
        above[band] = (torch.special.erfc(u) @ half).numpy()
        below[band] = (torch.special.erfc(u.neg_()) @ half).numpy()
    return low, (high - low) / (KNOTS - 1), np.where(below < above, ndtri(below), -ndtri(above))


def _cells(n: int, kernels: int) -> Floats:
    """Bounds of the shares of ``n`` values that one kernel each stands for.

    All shares are alike, but in large samples the two outermost are halved again and again, down to a few values each:
    so rare but normal values have kernels of their own.
    """
    count = min(kernels, n)
    bounds = np.arange(count + 1) / count
    halvings = max(0, int(np.log2(n / (count * TAIL))))
    tail = 0.5 ** np.arange(halvings, 0, -1) / count
    return np.concatenate([bounds[:1], tail, bounds[1:-1], 1.0 - tail[::-1], bounds[-1:]])


def _spread(values: Floats) -> Floats:
    """``(bands,)``: standard deviation of ``(bands, n)``, or that of the middle half where it is smaller and there is one."""
    deviation = values.std(axis=1)
    low, high = np.quantile(values, [0.25, 0.75], axis=1)
    middle = (high - low) / 1.349
    spread = np.maximum(NARROWEST, np.where(middle > 0.1 * deviation, np.minimum(middle, deviation), deviation))
    return np.where(deviation <= 1e-7, CONSTANT, spread)
