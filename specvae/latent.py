"""The latent space from outside: posterior means of spectra, and spectra drawn from the prior."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from specvae.errors import ModelError
from specvae.scoring import WIDTH, SpectralNet

__all__ = ["draw_spectra", "latent_means"]


@torch.inference_mode()
def latent_means(net: SpectralNet, values: NDArray[np.floating]) -> NDArray[np.float32]:
    """``(bands, n)`` valid spectra in physical units -> ``(latent, n)`` posterior means, for a model without context.

    Like scores they are computed in cells of fixed width, so that a spectrum's mean does not depend on its company.
    """
    device = net.normaliser.centre.device
    bands, n = values.shape
    means = np.empty((net.vae.latent, n), np.float32)
    for start in range(0, n, WIDTH):
        part = values[:, start : start + WIDTH]
        cell = torch.zeros(bands, WIDTH)
        cell[:, : part.shape[1]] = torch.from_numpy(np.ascontiguousarray(part, np.float32))
        mean, _ = net.vae.encode(net.normaliser(cell.to(device)), None)
        means[:, start : start + WIDTH] = mean[:, : part.shape[1]].cpu().numpy()
    return means


@torch.inference_mode()
def draw_spectra(net: SpectralNet, count: int, seed: int) -> NDArray[np.float32]:
    """``(bands, count)`` spectra in physical units: z from the prior, then x from p(x | z) (Kingma and Welling, 2013).

    Raises ModelError for a model with context, whose prior needs one, and for a plain autoencoder, which has none.
    """
    vae = net.vae
    if net.ring is not None:
        raise ModelError("the model's prior depends on what surrounds a pixel; sample from a model without context")
    if vae.kl_weight == 0:
        raise ModelError("the model is a plain autoencoder (network.kl_weight = 0) and has no prior to sample from")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(vae.latent, count, generator=generator)
    z = noise if vae.mixture is None else vae.mixture.cpu().sample(count, generator)
    device = net.normaliser.centre.device
    vae.to(device)
    mean = vae.decode(z.to(device), None)
    spectra = mean + vae.sigma() * torch.randn(vae.bands, count, generator=generator).to(device)
    return np.asarray(net.normaliser.inverse(spectra).cpu().numpy(), np.float32)
