"""What a decoder's output means: the expected value under p(x | z), what a value costs in nats, and draws of values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["LIKELIHOODS", "Bernoulli", "Gaussian", "Likelihood", "likelihood_of"]

OUTSIDE = 0.05
"""A Bernoulli value this far outside 0..1 costs half a nat more, and quadratically so: absurd values stay ranked."""


class Likelihood(ABC):
    """p(x | z) of one value, given what the decoder makes of z before its output function, ``raw``.

    All tensors are ``(bands, n)`` unless a method says otherwise.
    """

    name: ClassVar[str]
    """What the configuration calls it."""
    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """The smallest and the largest value that it can explain."""

    @classmethod
    @abstractmethod
    def of(cls, output: str, sigma: Tensor) -> Likelihood:
        """One with this output function and standard deviation of each band, ``(bands, 1)``, as far as it has them."""

    @abstractmethod
    def expected(self, raw: Tensor) -> Tensor:
        """The mean of p(x | z)."""

    @abstractmethod
    def nats(self, x: Tensor, raw: Tensor) -> Tensor:
        """The cost of each value: -log p(x | z) less what is alike for all pixels."""

    def total(self, x: Tensor, raw: Tensor) -> Tensor:
        """``(n,)``: the sum of :meth:`nats` over the bands."""
        return self.nats(x, raw).sum(dim=0)

    @abstractmethod
    def deviation(self, x: Tensor, raw: Tensor) -> Tensor:
        """The signed residual of each value in units of its standard deviation."""

    @abstractmethod
    def draw(self, expected: Tensor, generator: torch.Generator) -> Tensor:
        """Values drawn around their mean, with random numbers of the CPU's ``generator``."""

    def variance_of_mean(self, mean: Tensor) -> Tensor | None:
        """The variance that a value with this mean has by itself; None where it is a parameter of its own."""
        return None


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """Independent normal values around the decoder's output."""

    output: str
    """The output function: ``linear``, ``sigmoid`` or ``tanh``."""
    sigma: Tensor
    """``(bands, 1)``: standard deviation of each band."""

    name: ClassVar[str] = "gaussian"

    @classmethod
    def of(cls, output: str, sigma: Tensor) -> Gaussian:
        """With both."""
        return cls(output, sigma)

    def expected(self, raw: Tensor) -> Tensor:
        """The output function of ``raw``."""
        if self.output == "sigmoid":
            return torch.sigmoid(raw)
        return torch.tanh(raw) if self.output == "tanh" else raw

    def nats(self, x: Tensor, raw: Tensor) -> Tensor:
        """Half the squared residual in units of sigma."""
        return 0.5 * self.deviation(x, raw).square()

    def total(self, x: Tensor, raw: Tensor) -> Tensor:
        """``(n,)``: the sum over the bands."""
        # Weighing and summing the bands as one product of matrices reads the squares once, and writes n numbers only.
        precision = 0.5 * self.sigma.square().reciprocal()
        return (precision.T @ (x - self.expected(raw)).square())[0]

    def deviation(self, x: Tensor, raw: Tensor) -> Tensor:
        """(x - mean) / sigma."""
        return (x - self.expected(raw)) / self.sigma

    def draw(self, expected: Tensor, generator: torch.Generator) -> Tensor:
        """Normal draws."""
        return expected + self.sigma * torch.randn(expected.shape, generator=generator).to(expected.device)


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Values in 0..1, each the probability of a 1, whose logits the decoder gives."""

    name: ClassVar[str] = "bernoulli"
    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @classmethod
    def of(cls, output: str, sigma: Tensor) -> Bernoulli:
        """With neither: its output function is the sigmoid, and its variance follows from its mean."""
        return cls()

    def expected(self, raw: Tensor) -> Tensor:
        """The probability of a 1."""
        return torch.sigmoid(raw)

    def nats(self, x: Tensor, raw: Tensor) -> Tensor:
        """Binary cross-entropy, never negative; a grey value costs at least its own entropy."""
        # From the logit, since a probability that is rounded to 0 or 1 has no finite logarithm.
        inside = x.clamp(0.0, 1.0)
        return softplus(raw) - inside * raw + 0.5 * ((x - inside) / OUTSIDE).square()

    def deviation(self, x: Tensor, raw: Tensor) -> Tensor:
        """The Pearson residual (x - p) / sqrt(p (1 - p)), bounded where p is next to 0 or 1."""
        p = torch.sigmoid(raw)
        return (x - p) / (p * (1.0 - p)).clamp(min=1e-3).sqrt()

    def draw(self, expected: Tensor, generator: torch.Generator) -> Tensor:
        """The mean itself, as is the custom for images: zeros and ones would hide what the model expects."""
        return expected

    def variance_of_mean(self, mean: Tensor) -> Tensor:
        """p (1 - p)."""
        return mean * (1.0 - mean)


LIKELIHOODS: dict[str, type[Likelihood]] = {kind.name: kind for kind in (Gaussian, Bernoulli)}
"""Every likelihood by its name in the configuration; ``NetworkConfig.likelihood`` has the same names."""


def likelihood_of(name: str, output: str, sigma: Tensor) -> Likelihood:
    """The likelihood that a configuration names, with ``sigma`` ``(bands, 1)`` where it has one."""
    return LIKELIHOODS[name].of(output, sigma)
