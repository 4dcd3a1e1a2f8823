"""Where training starts: the linear VAE that is optimal in closed form, set into the network's linear paths.

A VAE with linear encoder and decoder and fixed isotropic noise has a known optimum: probabilistic principal
components (Tipping and Bishop, 1999; Lucas et al., *Don't Blame the ELBO!*, 2019, section 4). Conditioned on a
context it is that of the residual of a linear regression on the context. The hidden layers start at zero, so training
only has to learn what is not linear, and a few hundred steps are enough.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specvae.model.sizes import PRIOR_SPREAD
from specvae.model.vae import VAE

__all__ = ["REACH", "start_linear"]

REACH = 0.99
"""Share of the training contexts that stay as they are; those further out are pulled in to the same length."""
MOST = 100_000
"""Spectra that the solution is computed from, at most, evenly taken: a bound on its time."""
TRIM_ROUNDS = 2
"""How many times the worst spectra are dropped and the rest is solved again: the worst distort the first solution."""
EVENT_ROUNDS = 10
"""The same for the surroundings of two dates."""
RIDGE = 1e-5
"""Added to the variance of each component of the context, so that components that are alike share a coefficient."""
TINY = 1e-6
"""Least variance, in standard units, so that logarithms and divisions stay finite where a band never varied."""
FISHER_STEPS = 30
"""Iterations of Fisher scoring, which converges in about ten on real scenes; one costs a product of matrices."""


@torch.no_grad()
def start_linear(vae: VAE, x: Tensor, c: Tensor | None, trim: float = 0.0, seed: int = 0) -> None:
    """Set context bounds, linear paths and noise of ``vae`` from spectra ``(bands, n)`` and contexts ``(context, n)``.

    Each round drops the ``trim`` share that scores worst and solves again.
    """
    step = max(1, x.shape[1] // MOST)
    spectra = x[:, ::step].cpu().double().numpy()
    costs: NDArray[np.float64] | float = 0.0
    if c is not None:
        contexts = c[:, ::step].cpu().double().numpy()
        _bound_context(vae, contexts)
        costs = _cost_of_surroundings(vae, contexts, trim)
        c = vae.bounded(c[:, ::step])
    context = np.zeros((0, spectra.shape[1])) if c is None else c.cpu().double().numpy()
    # The closed form is that of linear paths and one noise for all bands; learned variances have no such solution.
    if not vae.linear or vae.learned_variance:
        return
    keep = np.ones(spectra.shape[1], bool)
    for _ in range(TRIM_ROUNDS if trim else 0):
        score = _Solution.of(spectra[:, keep], context[:, keep], vae.noise, vae.latent).score(spectra, context)
        score += costs
        keep = score <= np.quantile(score, 1.0 - trim)
    solution = _Solution.of(spectra[:, keep], context[:, keep], vae.noise, vae.latent)
    solution.set(vae)
    if vae.prior is not None:
        solution.set_prior(vae, _scale(solution.lengths(spectra[:, keep], context[:, keep]), context[:, keep]))
    if vae.mixture is not None:
        retained = torch.from_numpy(spectra[:, keep]).to(x)
        vae.mixture.start(*vae.encode(retained, None), seed)


def _cost_of_surroundings(vae: VAE, contexts: NDArray[np.float64], trim: float) -> NDArray[np.float64] | float:
    """Learn what surroundings ``(context, n)`` cost; of two dates the costs ``(n,)`` by which spectra are dropped, else 0."""
    if vae.context_prior is None:
        return 0.0
    if not vae.two_dates:
        vae.context_prior.fit(contexts)
        return 0.0
    # A pair that is fitted on itself may hold a large event: after so many rounds it is out of the way.
    vae.context_prior.fit(contexts, trim, EVENT_ROUNDS)
    costs: NDArray[np.float64] = vae.context_prior(torch.from_numpy(contexts).float()).double().numpy()
    return costs


def _bound_context(vae: VAE, context: NDArray[np.float64]) -> None:
    """Set the mean, spread and reach of normal contexts ``(context, n)``."""
    mean = context.mean(axis=1, keepdims=True)
    # A component that never varied in training must not turn the smallest departure into an endless length.
    scale = 1.0 / np.maximum(context.std(axis=1, keepdims=True), 1e-3)
    lengths = np.linalg.norm((context - mean) * scale, axis=0)
    vae.context_mean.copy_(torch.from_numpy(mean))
    vae.context_scale.copy_(torch.from_numpy(scale))
    vae.context_reach.fill_(float(np.quantile(lengths, REACH)))


def _scale(lengths: NDArray[np.float64], context: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(context + 1,)``: b and b0 of the variance exp(b . c + b0) that is most likely for squared ``lengths`` ``(n,)``.

    A generalised linear model of the scale of a Gaussian (Smyth, 1989). With a log link the Fisher information does not
    depend on b, so every iteration of Fisher scoring solves with the same matrix. Each residual is cut at 3, so that a
    strange spectrum does not widen its own prior.
    """
    one = np.concatenate([context, np.ones((1, context.shape[1]))])
    weight = np.zeros(len(one))
    weight[-1] = np.log(max(float(lengths.mean()), TINY))
    # The ridge keeps the system solvable where components of the context are constant or alike.
    gram = one @ one.T + 0.1 * np.eye(len(one))
    for _ in range(FISHER_STEPS):
        residual = np.clip(lengths / np.exp(np.clip(weight @ one, -PRIOR_SPREAD, PRIOR_SPREAD)) - 1.0, -1.0, 3.0)
        weight += np.linalg.solve(gram, one @ residual)
    return weight


class _Solution:
    """The linear VAE x = A c + b + D z + noise of variance s2 in every band, in closed form.

    A and b are the regression of x on the context c. The columns of D are the leading eigenvectors of the residual's
    covariance, each scaled by the root of its eigenvalue (Tipping and Bishop, 1999).
    """

    def __init__(
        self,
        a: NDArray[np.float64],
        b: NDArray[np.float64],
        values: NDArray[np.float64],
        vectors: NDArray[np.float64],
        s2: float,
        latent: int,
    ) -> None:
        self.a, self.b, self.values, self.vectors, self.s2, self.latent = a, b, values, vectors, s2, latent

    @classmethod
    def of(cls, x: NDArray[np.float64], c: NDArray[np.float64], noise: float, latent: int) -> _Solution:
        """Solve for spectra ``(bands, n)`` and contexts ``(context, n)``; ``noise`` is a share of the residual's variance."""
        one = np.concatenate([c, np.ones((1, x.shape[1]))])
        gram = one @ one.T + RIDGE * x.shape[1] * np.eye(len(one))
        both = np.linalg.solve(gram, one @ x.T).T
        residual = x - both @ one
        values, vectors = np.linalg.eigh(residual @ residual.T / x.shape[1])
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        # Not the mean of the discarded eigenvalues, as in their equation 8: the configuration says how much counts as noise.
        s2 = max(float(noise * values.sum()), TINY)
        return cls(both[:, :-1], both[:, -1:], values, vectors, s2, latent)

    def score(self, x: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n,)``: the score of this linear VAE up to a constant, half a squared Mahalanobis distance."""
        along = self.vectors.T @ (x - self.a @ c - self.b)
        spread = np.full(len(along), self.s2)
        spread[: self.latent] += self.values[: self.latent]
        return np.asarray(0.5 * (along**2 / spread[:, None]).sum(axis=0))

    def lengths(self, x: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n,)``: mean square of the leading residuals, each in units of its spread and the noise."""
        k = min(self.latent, len(self.a))
        along = self.vectors[:, :k].T @ (x - self.a @ c - self.b)
        return np.asarray((along**2 / (self.values[:k] + self.s2)[:, None]).mean(axis=0))

    def set(self, vae: VAE) -> None:
        """Write the solution into the linear paths, scaled so that z has unit variance given the context.

        Under the normal prior the posterior mean shrinks towards 0, by s2 / (eigenvalue + s2). Under a mixture it would
        shrink towards the clusters, which no linear path can do, so it does not shrink, and the prior judges where it lies.
        """
        k = min(self.latent, len(self.a))
        z = vae.latent
        shrinkage = self.s2 if vae.mixture is None else 0.0
        spread = np.maximum(self.values[:k], TINY if vae.mixture is None else 1e-3 * self.s2)
        # D of Tipping and Bishop's equation 7, but with the eigenvalue itself in place of eigenvalue less noise: the noise is
        # chosen here and may be the larger of the two. The posterior is theirs, with M = D^T D + s2, which is diagonal here:
        # its mean is M^-1 D^T (x - A c - b) and its variance s2 M^-1.
        decode = self.vectors[:, :k] * np.sqrt(spread)
        encode = (self.vectors[:, :k] * (np.sqrt(spread) / (spread + shrinkage))).T
        assert vae.encoder.linear is not None
        assert vae.decoder.linear is not None
        vae.encoder.linear[:k].copy_(torch.from_numpy(np.hstack([encode, -encode @ self.a])))
        vae.encoder.biases[-1][:k].copy_(torch.from_numpy(-encode @ self.b))
        vae.encoder.biases[-1][z : z + k].copy_(torch.from_numpy(np.log(self.s2 / (spread + shrinkage)))[:, None])
        # The first hidden layer, too, starts by looking at the residual of the regression, not at the spectrum.
        for first in vae.encoder.weights[:1]:
            seen = first[:, : len(self.a)].double() @ torch.from_numpy(np.hstack([self.a, self.b])).to(first.device)
            first[:, len(self.a) :] -= seen[:, :-1].float()
            vae.encoder.biases[0].sub_(seen[:, -1:].float())
        vae.decoder.linear[:, :k].copy_(torch.from_numpy(decode.copy()))
        vae.decoder.linear[:, z:].copy_(torch.from_numpy(self.a))
        vae.decoder.biases[-1].copy_(torch.from_numpy(self.b))
        vae.log_sigma.fill_(0.5 * float(np.log(self.s2)))

    def set_prior(self, vae: VAE, weight: NDArray[np.float64]) -> None:
        """Let the prior's variance, one for all dimensions, depend on the context: log variance = b . c + b0.

        Rough ground has a wide prior and smooth ground a narrow one. The posterior's log variance follows by as much as
        the noise outweighs the dimension: where nothing is learned of it, posterior and prior stay alike.
        """
        assert vae.prior is not None
        assert vae.prior.linear is not None
        assert vae.encoder.linear is not None
        z, k = vae.latent, min(self.latent, len(self.a))
        slope, offset = torch.from_numpy(weight[:-1]).float(), float(weight[-1])
        vae.prior.linear[z:].copy_(slope.expand(z, -1))
        vae.prior.biases[-1][z:].fill_(offset)
        share = (
            torch.from_numpy(self.s2 / (np.maximum(self.values[:k], TINY) + self.s2)).float()[:, None].to(slope.device)
        )
        vae.encoder.linear[z : z + k, len(self.a) :] += (share * slope).to(vae.encoder.linear.device)
        vae.encoder.biases[-1][z : z + k] += (share * offset).to(vae.encoder.linear.device)
