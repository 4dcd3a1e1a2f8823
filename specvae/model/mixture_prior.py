"""A prior of several Gaussians, for models without context: what is normal may come in clusters.

A Gaussian VAE whose prior is fitted to its own aggregate posterior q(z) = mean of q(z | x_i) (Makhzani et al., 2015;
Tomczak and Welling, *VAE with a VampPrior*, 2018), here K Gaussians of full covariance.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["MOST_COMPONENTS", "Mixture", "default_components"]

MOST_COMPONENTS = 48
PER_COMPONENT, PER_DIMENSION = 40, 3
"""Training spectra for each component, at least, and for each latent dimension of it: its covariance is learned from them."""
SAMPLE = 20_000
"""Latent means that a start is fitted on."""
ROUNDS = 30
"""Iterations of expectation maximisation at most: it is a start only, and training goes on from it."""
SLICE = 1024
"""Spectra for which the bound is computed at a time: for each there are components x latent numbers, which stay in cache."""


def default_components(size: int, latent: int) -> int:
    """Components by default for ``size`` training spectra: one for every 40, or 3 times ``latent`` if more; at most 48."""
    return int(min(MOST_COMPONENTS, max(1, size // max(PER_COMPONENT, PER_DIMENSION * latent))))


class Mixture(nn.Module):
    """p(z) = sum over k of pi_k N(z; m_k, (A_k A_k^T)^-1), with upper triangular A_k.

    Factors of the precision, not of the covariance: densities then need products only, and no triangular system is solved
    while scoring.
    """

    def __init__(self, components: int, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.logit = nn.Parameter(torch.zeros(components))
        self.centre = nn.Parameter(torch.zeros(components, latent))
        self.factor = nn.Parameter(torch.eye(latent).repeat(components, 1, 1))

    def kl(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """``(n,)`` nats: an upper bound of KL(q || p) for diagonal q given by ``(latent, n)``, exact for one component.

        KL(q || sum_k pi_k p_k) has no closed form. Each KL(q || p_k) has one, and -log sum_k pi_k exp(-KL(q || p_k)) is
        never below that of the mixture (Hershey and Olsen, 2007, section 7): the negative ELBO stays an upper bound of -log p(x).
        """
        # Masked at each use, so that no gradient moves what is below the diagonal. An entry on it may change its sign while it
        # is fitted: the clamp keeps its logarithm finite on the way through 0.
        factor = self.factor.triu()
        volume = torch.diagonal(factor, dim1=1, dim2=2).abs().clamp(min=1e-6).log().sum(dim=1)
        share = (torch.log_softmax(self.logit, 0) + volume + 0.5 * self.latent)[:, None]
        if torch.compiler.is_compiling():  # an exported graph serves any number of spectra
            return -torch.logsumexp(share - self._cross(factor, mean, log_variance), dim=0)
        pieces = zip(torch.split(mean, SLICE, 1), torch.split(log_variance, SLICE, 1), strict=True)
        return torch.cat([-torch.logsumexp(share - self._cross(factor, *piece), dim=0) for piece in pieces])

    def _cross(self, factor: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """``(components, n)``: the part of KL(q || p_k) that differs from spectrum to spectrum.

        Half of E_q |A^T (z - m)|^2 less half the log variances of q. The factors of all components are stacked into one
        matrix, so that one product whitens all spectra for all components.
        """
        whitening = factor.mT
        origin = -(whitening @ self.centre[:, :, None]).view(-1, 1)
        along = torch.addmm(origin, whitening.reshape(-1, self.latent), mean).square()
        distance = along.view(len(factor), self.latent, -1).sum(dim=1)
        spread = factor.square().sum(dim=2) @ log_variance.exp()  # trace of precision times posterior covariance
        return 0.5 * (distance + spread - log_variance.sum(dim=0))

    def log_prob(self, z: Tensor) -> Tensor:
        """``(n,)``: log p(z) of ``(latent, n)``."""
        factor = self.factor.triu()
        along = factor.mT @ (z - self.centre[:, :, None])
        volume = torch.diagonal(factor, dim1=1, dim2=2).abs().clamp(min=1e-6).log().sum(dim=1)
        each = volume[:, None] - 0.5 * (along.square().sum(dim=1) + self.latent * math.log(2.0 * math.pi))
        return torch.logsumexp(torch.log_softmax(self.logit, 0)[:, None] + each, dim=0)

    @torch.no_grad()
    def scatter(self) -> None:
        """Spread the components at random, for a training without a closed-form start: equal ones would stay equal."""
        self.centre.normal_(std=0.7)

    @torch.no_grad()
    def start(self, mean: Tensor, log_variance: Tensor, seed: int = 0) -> None:
        """Fit to the aggregate posterior of ``(latent, n)`` means and log variances by expectation maximisation."""
        from sklearn.mixture import GaussianMixture

        step = max(1, mean.shape[1] // SAMPLE)
        width = (0.5 * log_variance.double().mean(dim=1)).exp().cpu().numpy()
        points = mean[:, ::step].double().cpu().numpy().T / width
        # The aggregate posterior is the distribution of the means, widened by each posterior's own variance. In units of
        # the mean posterior's width that variance is 1, and scikit-learn adds it as its regularisation.
        fitted = GaussianMixture(len(self.centre), reg_covar=1.0, max_iter=ROUNDS, tol=1e-3, random_state=seed)
        with warnings.catch_warnings():
            # A start need not have converged: training goes on from it.
            warnings.simplefilter("ignore")
            fitted.fit(points)
        self.logit.copy_(torch.from_numpy(np.log(np.maximum(fitted.weights_, 1e-6))))
        self.centre.copy_(torch.from_numpy(fitted.means_ * width))
        self.factor.copy_(torch.from_numpy(fitted.precisions_cholesky_ / width[:, None]))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """``(latent, count)`` draws of p(z), on the CPU.

        The parameters are copied to the CPU, where ``generator`` draws, so that the same seed gives the same draws on
        every device; the module itself stays where it is.
        """
        logit, centre, factor = (parameter.detach().cpu() for parameter in (self.logit, self.centre, self.factor))
        chosen = torch.multinomial(logit.softmax(0), count, replacement=True, generator=generator)
        noise = torch.randn(count, self.latent, 1, generator=generator)
        # With precision A A^T, a draw is centre + A^-T noise: a triangular system in place of an inverse.
        offset = torch.linalg.solve_triangular(factor.triu().mT[chosen], noise, upper=False)
        z: Tensor = (centre[chosen] + offset.squeeze(2)).T
        return z
