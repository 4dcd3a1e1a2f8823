"""What a fitted network looks like from outside: active dimensions, the share of KL, and what should worry."""

from __future__ import annotations

from typing import Any

import torch

from specvae.spectral_net import SpectralNet
from specvae.training import Sample

__all__ = ["diagnose"]


@torch.no_grad()
def diagnose(net: SpectralNet, sample: Sample, device: str, side: int = 1) -> dict[str, Any]:
    """Active latent dimensions (Burda et al. 2015: variance of the posterior mean over 0.01), KL's share, warnings."""
    sample = sample.take(torch.arange(0, sample.size, max(1, sample.size // 20_000))).to(device)
    mean, _ = net.vae.encode(sample.x, net.vae.bounded(sample.c))
    terms = net.vae.terms(sample.x, sample.c, cost=sample.cost)
    active = int((mean.var(dim=1) > 0.01).sum()) if sample.size > 1 else 0
    kl, reconstruction = float(terms.kl.mean()), float(terms.reconstruction.mean())
    warnings = []
    if active == 0:
        warnings.append("the latent space collapsed: no dimension varies with the input")
    pixels = side * side
    contribution = net.vae.explain(sample.x, sample.c)[0].mean(dim=1).reshape(-1, pixels).sum(dim=1)
    exploding = _exploding(contribution)
    if exploding:
        warnings.append(f"bands that explode, each most of the reconstruction term: {exploding}")
    if net.vae.kl_weight == 0:
        warnings.append("a plain autoencoder: its KL is 0 and no ELBO is defined")
    constant = net.normaliser.constant[::pixels].nonzero().squeeze(1).tolist()
    if constant:
        warnings.append(f"bands that never varied in training: {', '.join(str(i + 1) for i in constant)}")
    return {
        "latent": net.vae.latent,
        "active_latent": active,
        "mean_reconstruction": reconstruction,
        "mean_kl": kl,
        "kl_share": kl / max(1e-12, kl + reconstruction),
        "warnings": warnings,
    }


def _exploding(contribution: torch.Tensor) -> str:
    """1-based numbers of the bands ``(bands,)`` that cost ten times the median and more than all others together."""
    if len(contribution) < 4:
        return ""
    great = (contribution > 10 * contribution.median()) & (contribution > 0.5 * contribution.sum())
    return ", ".join(str(int(i) + 1) for i in great.nonzero())
