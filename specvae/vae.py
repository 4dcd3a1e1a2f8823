"""The variational autoencoder, and the one function that computes its two terms.

Kingma and Welling, *Auto-Encoding Variational Bayes* (2013), equation 3, conditioned on a context c (Sohn, Lee
and Yan, 2015): encoder q(z | x, c), decoder p(x | z, c), prior p(z | c) learned. Without context the prior is a
mixture of Gaussians or the standard normal. Arrays are bands-first, ``(bands, n)``: weights @ cube needs no transpose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from specvae.config import SCENE_NOISE, NetworkConfig
from specvae.mixture import Mixture

__all__ = ["VAE", "Stack", "Terms", "default_hidden", "default_latent"]

LOG_SIGMA_FLOOR = -4.0
"""The decoder's per-band log standard deviation is kept above this, in standard units: no band may explode."""


@dataclass(frozen=True)
class Terms:
    """The two terms of the score for n spectra, in nats."""

    reconstruction: Tensor
    """``(n,)``"""
    kl: Tensor
    """``(n,)``"""
    log_volume: Tensor
    """Scalar: what the negative log likelihood has beyond ``reconstruction`` and is alike for all pixels."""


def default_latent(bands: int) -> int:
    """Latent dimensions by default: as many as bands, at most 32; the noise decides how many are active."""
    return int(min(32, bands))


def default_hidden(bands: int) -> tuple[int, ...]:
    """Hidden widths by default: one layer of 16 up to 15 bands, growing to 64."""
    return (int(min(64, 16 + 8 * (bands // 16))),)


class Stack(nn.Module):
    """Fully connected layers with ReLU between them, bands-first: ``(inputs, n) -> (outputs, n)``.

    With ``linear``, a linear path from inputs to outputs stands beside them, the layers (with SiLU, which is smooth)
    end in zeros, and so the stack begins as whatever its linear path is set to.
    """

    def __init__(self, inputs: int, hidden: tuple[int, ...], outputs: int, linear: bool = False) -> None:
        super().__init__()
        sizes = (inputs, *hidden, outputs)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True):
            bound = math.sqrt(1.0 / max(1, fan_in))
            self.weights.append(nn.Parameter(torch.empty(fan_out, fan_in).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(fan_out, 1).uniform_(-bound, bound)))
        self.linear = nn.Parameter(torch.zeros(outputs, inputs)) if linear else None
        if linear:
            nn.init.zeros_(self.weights[-1])
            nn.init.zeros_(self.biases[-1])

    def forward(self, x: Tensor) -> Tensor:
        """``(inputs, n) -> (outputs, n)``."""
        last = len(self.weights) - 1
        straight = None if self.linear is None else self.linear @ x
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.addmm(bias, weight, x)
            if i < last and self.linear is not None:
                x = silu(x, inplace=not torch.is_grad_enabled())
            elif i < last:
                x = x.relu_() if not torch.is_grad_enabled() else x.relu()
        return x if straight is None else x + straight


class VAE(nn.Module):
    """Gaussian VAE over normalised spectra, conditional where there is a context."""

    context_mean: Tensor
    context_scale: Tensor
    context_reach: Tensor

    def __init__(self, bands: int, context: int, config: NetworkConfig, components: int = 0) -> None:
        super().__init__()
        self.bands, self.context = bands, context
        self.latent = config.latent or default_latent(bands)
        self.noise, self.linear = config.noise or SCENE_NOISE, config.linear
        hidden = config.hidden or default_hidden(bands)
        self.kl_weight = config.kl_weight
        self.learned_variance = config.variance == "learned"
        self.encoder = Stack(bands + context, hidden, 2 * self.latent, self.linear)
        self.decoder = Stack(self.latent + context, tuple(reversed(hidden)), bands, self.linear)
        self.prior = Stack(context, hidden, 2 * self.latent, self.linear) if context else None
        self.mixture = Mixture(components, self.latent) if components and not context else None
        self.log_sigma = nn.Parameter(torch.zeros(bands, 1), requires_grad=self.learned_variance)
        self.register_buffer("context_mean", torch.zeros(context, 1))
        self.register_buffer("context_scale", torch.ones(context, 1))
        self.register_buffer("context_reach", torch.tensor(1e9))

    def bounded(self, c: Tensor | None) -> Tensor | None:
        """The context in units of its own spread in training, pulled in to the reach of normal contexts.

        Surroundings stranger than any normal ones thus explain no more than the strangest normal ones do: a ring
        that lies inside a fire must not make fire expected.
        """
        if c is None:
            return None
        white = (c - self.context_mean) * self.context_scale
        length = white.square().sum(dim=0, keepdim=True).sqrt()
        return white * (self.context_reach / length.clamp(min=1e-6)).clamp(max=1.0)

    def encode(self, x: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
        """Posterior mean and log variance, ``(latent, n)`` each, given a bounded context."""
        both = self.encoder(x if c is None else torch.cat([x, c]))
        return both[: self.latent], both[self.latent :].clamp(-12.0, 8.0)

    def prior_of(self, c: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """Prior mean and log variance given the context, or None for the standard normal."""
        if self.prior is None or c is None:
            return None
        both = self.prior(c)
        return both[: self.latent], both[self.latent :].clamp(-12.0, 8.0)

    def decode(self, z: Tensor, c: Tensor | None) -> Tensor:
        """``(latent, n) -> (bands, n)``: mean of p(x | z, c)."""
        out: Tensor = self.decoder(z if c is None else torch.cat([z, c]))
        return out

    def sigma(self) -> Tensor:
        """``(bands, 1)``: standard deviation of p(x | z, c) per band, in standard units."""
        return self.log_sigma.clamp(min=LOG_SIGMA_FLOOR).exp()

    def terms(
        self, x: Tensor, c: Tensor | None = None, noise: Tensor | None = None, cost: Tensor | None = None
    ) -> Terms:
        """Reconstruction and KL of ``(bands, n)`` normalised spectra: for training with ``noise``, for scoring without.

        ``noise`` is ``(latent, n)`` standard normal; without it z is the posterior mean, and nothing is random.
        ``cost`` ``(n,)`` is what the normaliser's change of variable costs: a part of the reconstruction.
        """
        c = self.bounded(c)
        mean, log_variance = self.encode(x, c)
        z = mean if noise is None else mean + noise * (0.5 * log_variance).exp()
        residual = (x - self.decode(z, c)) / self.sigma()
        reconstruction = 0.5 * residual.square().sum(dim=0)
        if cost is not None:
            reconstruction = reconstruction + cost
        return Terms(reconstruction, self.kl(mean, log_variance, c), self.log_volume())

    def kl(self, mean: Tensor, log_variance: Tensor, c: Tensor | None) -> Tensor:
        """``(n,)``: KL(q(z | x, c) || p(z | c)) of diagonal Gaussians, zero for a plain autoencoder."""
        if self.kl_weight == 0:
            return torch.zeros_like(mean[0])
        if self.mixture is not None:
            return self.mixture.kl(mean, log_variance)
        prior = self.prior_of(c)
        if prior is None:
            return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=0)
        prior_mean, prior_log_variance = prior
        ratio = (log_variance - prior_log_variance).exp()
        distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
        return 0.5 * (distance + ratio - 1.0 - log_variance + prior_log_variance).sum(dim=0)

    def log_volume(self) -> Tensor:
        """Sum over bands of log sigma: the part of the likelihood that is alike for all pixels."""
        return self.log_sigma.clamp(min=LOG_SIGMA_FLOOR).sum()

    def explain(self, x: Tensor, c: Tensor | None, cost: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Contribution, signed deviation and expected value per band, ``(bands, n)`` each, in standard units.

        The contributions, ``cost`` ``(bands, n)`` among them, add up to the reconstruction term.
        """
        c = self.bounded(c)
        mean, _ = self.encode(x, c)
        expected = self.decode(mean, c)
        deviation = (x - expected) / self.sigma()
        contribution = 0.5 * deviation.square()
        return contribution if cost is None else contribution + cost, deviation, expected
