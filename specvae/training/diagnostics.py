"""The state of a fitted network: active latent dimensions, the share of KL in the score, and warnings."""

from __future__ import annotations

from typing import Any

import torch

from specvae.model.likelihoods import Bernoulli
from specvae.model.spectral_net import Normalised, SpectralNet
from specvae.scoring.compression import ACTIVE
from specvae.training.descent import Sample

__all__ = ["bernoulli_spread", "diagnose"]

LITTLE = 2.0
"""Variance along an axis, in units of a Bernoulli value's own, below which a collapse is expected: a code of the axis would
gain less than 0.16 nats."""


@torch.no_grad()
def diagnose(net: SpectralNet, sample: Sample, device: str, side: int = 1) -> dict[str, Any]:
    """Active latent dimensions (Burda et al. 2015: variance of the posterior mean over 0.01), KL's share, warnings."""
    sample = sample.take(torch.arange(0, sample.size, max(1, sample.size // 20_000))).to(device)
    spectra = Normalised(sample.x, sample.cost)
    mean = net.encode_of(spectra, sample.c)
    terms = net.terms_of(spectra, sample.c)
    active = int((mean.var(dim=1) > ACTIVE).sum()) if sample.size > 1 else 0
    kl, reconstruction = float(terms.kl.mean()), float(terms.reconstruction.mean())
    warnings = []
    if active == 0:
        warnings.append("the latent space collapsed: no dimension varies with the input" + _why(net, sample.x))
    pixels = side * side
    contribution = net.contribution_of(spectra, sample.c).mean(dim=1).reshape(-1, pixels).sum(dim=1)
    exploding = _exploding(contribution)
    if exploding:
        warnings.append(f"bands that explode, each most of the reconstruction term: {exploding}")
    if not net.has_elbo:
        warnings.append("a plain autoencoder: its KL is 0 and no ELBO is defined")
    constant = net.constant[::pixels].nonzero().squeeze(1).tolist()
    if constant:
        warnings.append(f"bands that never varied in training: {', '.join(str(i + 1) for i in constant)}")
    return {
        "latent": net.latent,
        "active_latent": active,
        "mean_reconstruction": reconstruction,
        "mean_kl": kl,
        "kl_share": kl / max(1e-12, kl + reconstruction),
        "warnings": warnings,
    }


def bernoulli_spread(x: torch.Tensor) -> float:
    """Variance of values in 0..1 ``(bands, n)`` along their strongest axis, in units of a Bernoulli value's, p (1 - p).

    A linear VAE codes an axis only where this is above 1 (Lucas et al., *Don't Blame the ELBO!*, 2019, section 4).
    """
    mean = x.mean(dim=1, keepdim=True)
    # A pixel that is black in every image has no variance of its own to divide by.
    noise = Bernoulli().variance_of_mean(mean).clamp(min=1e-4).sqrt()
    axes: torch.Tensor = torch.linalg.svdvals((x - mean).double() / noise.double())
    return float(axes[0].square() / x.shape[1])


def _why(net: SpectralNet, x: torch.Tensor) -> str:
    """The reason of a collapse, where it is known: a Bernoulli value has a variance of its own, which may hide all others."""
    if net.likelihood.name != Bernoulli.name:
        return ""
    spread = bernoulli_spread(x)
    if spread > LITTLE:
        return "; the data vary enough for a code: train for longer with --set training.epochs=N"
    return (
        f"; along their strongest axis the data vary {spread:.2g} times as much as a bernoulli value does of itself, "
        "too little for any code to be worth its nats: use the default preset for data so alike"
    )


def _exploding(contribution: torch.Tensor) -> str:
    """1-based numbers of the bands ``(bands,)`` that cost ten times the median and more than all others together."""
    # Of two or three bands, one may well cost more than all others together.
    if len(contribution) < 4:
        return ""
    great = (contribution > 10 * contribution.median()) & (contribution > 0.5 * contribution.sum())
    return ", ".join(str(int(i) + 1) for i in great.nonzero())
