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

from specvae.errors import InputError
from specvae.model.config_defaults import SCENE_NOISE
from specvae.model.context_prior import ContextPrior
from specvae.model.convolutions import ConvDecoder, ConvEncoder
from specvae.model.dense import Stack
from specvae.model.likelihoods import Likelihood, likelihood_of
from specvae.model.mixture_prior import Mixture
from specvae.model.network_config import NetworkConfig
from specvae.model.sizes import LOG_SIGMA_FLOOR, PRIOR_SPREAD, default_hidden, default_latent

__all__ = ["VAE", "Terms"]

LOG_VARIANCE_RANGE = (-12.0, 8.0)
"""Bounds of the posterior's log variance, so that its exponential stays finite whatever the spectrum."""


@dataclass(frozen=True)
class Terms:
    """The two terms of the score for n spectra, in nats."""

    reconstruction: Tensor
    """``(n,)``"""
    kl: Tensor
    """``(n,)``"""
    log_volume: Tensor
    """Scalar: what the negative log likelihood has beyond ``reconstruction`` and is alike for all pixels."""


def _encoder(bands: int, context: int, latent: int, config: NetworkConfig) -> Stack | ConvEncoder:
    if config.kind == "conv":
        shape = _image(bands, context, config)
        return ConvEncoder(shape, config.channels, config.strides, config.hidden or (), 2 * latent, config.linear)
    return Stack(bands + context, _widths(bands, config), 2 * latent, config.linear, config.activation)


def _decoder(bands: int, context: int, latent: int, config: NetworkConfig) -> Stack | ConvDecoder:
    if config.kind == "conv":
        shape = _image(bands, context, config)
        return ConvDecoder(latent, shape, config.channels, config.strides, config.hidden or (), config.linear)
    widths = tuple(reversed(_widths(bands, config)))
    return Stack(latent + context, widths, bands, config.linear, config.activation)


def _widths(bands: int, config: NetworkConfig) -> tuple[int, ...]:
    return default_hidden(bands) if config.hidden is None else config.hidden


def _image(bands: int, context: int, config: NetworkConfig) -> tuple[int, int, int]:
    """The images' shape. Raises InputError where the data are none."""
    shape = config.shape
    if shape is None or math.prod(shape) != bands or context:
        raise InputError(
            f"a convolutional network takes images of shape {shape}, and the data have {bands} values each"
            f"{' and a context' if context else ''}; give --patch for rasters, or network.kind=mlp"
        )
    return shape


def _given(first: Tensor, context: Tensor | None) -> tuple[Tensor, ...]:
    return (first,) if context is None else (first, context)


class VAE(nn.Module):
    """VAE over normalised spectra or images, conditional where there is a context; without KL a plain autoencoder."""

    context_mean: Tensor
    context_scale: Tensor
    context_reach: Tensor

    def __init__(
        self,
        bands: int,
        context: int,
        config: NetworkConfig,
        components: int = 0,
        surprise: float | None = 0.0,
        judged: int | None = None,
    ) -> None:
        """``judged``: how many of the context's numbers, the first ones, cost what they are worth by themselves."""
        super().__init__()
        self.bands, self.context, self.two_dates = bands, context, judged is not None
        self.latent = config.latent or default_latent(bands)
        self.noise, self.linear = config.noise or SCENE_NOISE, config.linear
        self.likelihood_name, self.output = config.likelihood, config.output
        self.kl_weight, self.shape = config.kl_weight, config.shape
        self.learned_variance = config.variance == "learned"
        self.encoder = _encoder(bands, context, self.latent, config)
        self.decoder = _decoder(bands, context, self.latent, config)
        self.prior = Stack(context, _widths(bands, config), 2 * self.latent, self.linear) if context else None
        # One prior only: given a context it is a network of that context, which clusters would have to follow.
        self.mixture = Mixture(components, self.latent) if components and not context else None
        if self.mixture is not None and not self.linear:
            self.mixture.scatter()
        # Models that were fitted before a context's own cost was counted have none.
        self.context_prior = ContextPrior(context, surprise, judged) if context and surprise is not None else None
        start = 0.0 if config.deviation is None else math.log(config.deviation)
        # A parameter even where it is fixed: the closed form sets it, and model files of both kinds hold the same tensors.
        self.log_sigma = nn.Parameter(torch.full((bands, 1), start), requires_grad=self.learned_variance)
        self.register_buffer("context_mean", torch.zeros(context, 1))
        self.register_buffer("context_scale", torch.ones(context, 1))
        # No bound until training has seen contexts.
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
        both = self.encoder(*_given(x, c))
        return both[: self.latent], both[self.latent :].clamp(*LOG_VARIANCE_RANGE)

    def prior_of(self, c: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """Prior mean and log variance given the context, or None for the standard normal."""
        if self.prior is None or c is None:
            return None
        both = self.prior(c)
        return both[: self.latent], both[self.latent :].clamp(-PRIOR_SPREAD, PRIOR_SPREAD)

    def decode(self, z: Tensor, c: Tensor | None) -> Tensor:
        """``(latent, n) -> (bands, n)``: mean of p(x | z, c)."""
        return self.likelihood.expected(self._raw(z, c))

    @property
    def likelihood(self) -> Likelihood:
        """p(x | z, c) given the decoder's output, with the present standard deviations."""
        return likelihood_of(self.likelihood_name, self.output, self.sigma())

    def _raw(self, z: Tensor, c: Tensor | None) -> Tensor:
        """The decoder's output, before its sigmoid or tanh."""
        out: Tensor = self.decoder(*_given(z, c))
        return out

    def cost_of(self, x: Tensor, z: Tensor, c: Tensor | None) -> Tensor:
        """``(n,)`` nats: -log p(x | z, c) less what is alike for all pixels."""
        return self.likelihood.total(x, self._raw(z, c))

    def sigma(self) -> Tensor:
        """``(bands, 1)``: standard deviation of p(x | z, c) per band, in standard units."""
        return self.log_sigma.clamp(min=LOG_SIGMA_FLOOR).exp()

    def terms(
        self, x: Tensor, c: Tensor | None = None, noise: Tensor | None = None, cost: Tensor | None = None
    ) -> Terms:
        """Reconstruction and KL of ``(bands, n)`` normalised spectra: for training with ``noise``, for scoring without.

        ``noise`` is ``(latent, n)`` standard normal; without it z is the posterior mean, and nothing is random. A
        plain autoencoder has no posterior to draw from: its z is the mean, its KL 0, and it has no ELBO.
        Both bound -log p(x, c) = -log p(x | c) - log p(c): the KL term has what the context itself costs as a part.
        ``cost`` ``(n,)`` is what the normaliser's change of variable costs: a part of the reconstruction.
        """
        surroundings, c = c, self.bounded(c)
        mean, log_variance = self.encode(x, c)
        z = mean if noise is None or self.kl_weight == 0 else mean + noise * (0.5 * log_variance).exp()
        reconstruction = self.cost_of(x, z, c)
        if cost is not None:
            reconstruction = reconstruction + cost
        kl = self.kl(mean, log_variance, c)
        if self.context_prior is not None and surroundings is not None and self.kl_weight > 0:
            kl = kl + self.context_prior(surroundings)
        return Terms(reconstruction, kl, self.log_volume())

    def kl(self, mean: Tensor, log_variance: Tensor, c: Tensor | None) -> Tensor:
        """``(n,)``: KL(q(z | x, c) || p(z | c)) of diagonal Gaussians, zero for a plain autoencoder."""
        if self.kl_weight == 0:
            return torch.zeros_like(mean[0])
        if self.mixture is not None:
            return self.mixture.kl(mean, log_variance)
        prior = self.prior_of(c)
        if prior is None:
            spread = torch.addcmul(log_variance.exp(), mean, mean)
            return 0.5 * ((spread - log_variance).sum(dim=0) - self.latent)
        prior_mean, prior_log_variance = prior
        away = mean - prior_mean
        # addcmul passes over memory once, where a product and a sum would pass twice.
        spread = torch.addcmul(log_variance.exp(), away, away)
        volume = prior_log_variance - log_variance
        return 0.5 * (torch.addcmul(volume, spread, (-prior_log_variance).exp()).sum(dim=0) - self.latent)

    def log_weights(self, x: Tensor, noise: Tensor) -> Tensor:
        """``(k, n)``: log p(x, z) - log q(z | x) for ``(k, latent, n)`` standard normal draws, without context.

        Their log mean exp over k bounds log p(x) from below (Burda et al., 2015, equation 8); for a Gaussian
        likelihood log p(x) here lacks its constant, half of log 2 pi for every band.
        """
        mean, log_variance = self.encode(x, None)
        constant = 0.5 * self.latent * math.log(2.0 * math.pi)
        rows = []
        for sampled in noise:
            z = mean + sampled * (0.5 * log_variance).exp()
            posterior = -0.5 * (sampled.square() + log_variance).sum(dim=0) - constant
            prior = -0.5 * z.square().sum(dim=0) - constant if self.mixture is None else self.mixture.log_prob(z)
            rows.append(prior - posterior - self.cost_of(x, z, None) - self.log_volume())
        return torch.stack(rows)

    def log_volume(self) -> Tensor:
        """Sum over bands of log sigma: the part of a Gaussian likelihood that is alike for all pixels."""
        return self.log_sigma.clamp(min=LOG_SIGMA_FLOOR).sum()

    def explain(self, x: Tensor, c: Tensor | None, cost: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Contribution, signed deviation and expected value per band, ``(bands, n)`` each, in standard units.

        The contributions, ``cost`` ``(bands, n)`` among them, add up to the reconstruction term.
        """
        c = self.bounded(c)
        mean, _ = self.encode(x, c)
        raw, likelihood = self._raw(mean, c), self.likelihood
        contribution = likelihood.nats(x, raw)
        if cost is not None:
            contribution = contribution + cost
        return contribution, likelihood.deviation(x, raw), likelihood.expected(raw)

    def prior_mean(self, c: Tensor | None) -> Tensor | None:
        """``(latent, n)``: mean of the prior given an unbounded context; None where the prior does not depend on one."""
        prior = self.prior_of(self.bounded(c))
        return None if prior is None else prior[0]

    def draw(self, count: int, c: Tensor | None, generator: torch.Generator) -> Tensor:
        """``(bands, count)`` normalised spectra: z from the prior given contexts ``(context, count)``, then x from p(x | z, c).

        Images are given by the mean of p(x | z, c), as is the custom: independent noise in each pixel is never seen.
        """
        spectra = self.decode(self.draw_latent(count, c, generator), self.bounded(c))
        return spectra if self.shape is not None else self.likelihood.draw(spectra, generator)

    def draw_latent(self, count: int, c: Tensor | None, generator: torch.Generator) -> Tensor:
        """``(latent, count)`` draws of the prior given contexts ``(context, count)``."""
        noise = torch.randn(self.latent, count, generator=generator)
        prior = self.prior_of(self.bounded(c))
        if prior is not None:
            return prior[0] + (0.5 * prior[1]).exp() * noise.to(prior[0].device)
        z = noise if self.mixture is None else self.mixture.sample(count, generator)
        return z.to(self.log_sigma.device)
