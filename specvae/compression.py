"""What a model's latent values keep of spectra: the error at each number of them, beside principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from specvae.baselines import Background
from specvae.latent import latent_means, spectra_of
from specvae.spectral_net import SpectralNet

__all__ = ["CompressionPoint", "active_latent", "compression_curve"]

Floats = NDArray[np.float32]
ACTIVE = 0.01
"""Variance of a posterior mean above which its dimension is active (Burda et al., 2015)."""


@dataclass(frozen=True)
class CompressionPoint:
    """The error with some latent values kept."""

    kept: int
    ratio: float
    """Values of a spectrum to one that is kept."""
    error: float
    """Of the median spectrum: root mean square over its bands, in standard deviations of the training spectra."""
    pca_error: float
    """The same of as many principal components of the training spectra."""


def active_latent(z: Floats) -> int:
    """How many latent dimensions of ``(latent, n)`` posterior means vary."""
    return int((z.var(axis=1) > ACTIVE).sum()) if z.shape[1] > 1 else 0


def compression_curve(
    net: SpectralNet, background: Background, values: Floats, context: Floats | None
) -> list[CompressionPoint]:
    """Points for 1, 2, ... latent values kept of ``(bands, n)`` spectra, the most useful first.

    A value that is not kept is replaced by its prior mean, which whoever decodes knows; so is the ``context``
    ``(components, n)`` of a model with context taken as known.
    """
    z, bands = latent_means(net, values, context), len(values)
    blank = _prior_means(net, z, context)
    scale = np.sqrt(np.maximum(np.diag(background.covariance), 1e-300))[:, None]

    def error(keep: NDArray[np.bool_]) -> float:
        expected = spectra_of(net, np.where(keep[:, None], z, blank), context)
        return _median((values - expected) / scale)

    without = [error(np.arange(len(z)) != j) for j in range(len(z))]
    order = np.argsort(-np.array(without), kind="stable")
    rank = np.argsort(order, kind="stable")
    pca = _pca_errors(background, values, scale)
    return [
        CompressionPoint(k, bands / k, error(rank < k), pca[min(k, bands) - 1]) for k in range(1, len(z) + 1)
    ]  # fmt: skip


@torch.inference_mode()
def _prior_means(net: SpectralNet, z: Floats, context: Floats | None) -> Floats:
    """``(latent, n)``: the prior's mean given the context, of a mixture the mean of what was encoded, else zero."""
    if net.vae.mixture is not None:
        return np.broadcast_to(z.mean(axis=1, keepdims=True), z.shape)
    if context is None:
        return np.zeros_like(z)
    c = torch.from_numpy(np.ascontiguousarray(context)).to(net.normaliser.centre.device)
    prior = net.vae.prior_of(net.vae.bounded(c))
    return np.zeros_like(z) if prior is None else np.asarray(prior[0].cpu().numpy())


def _pca_errors(background: Background, values: Floats, scale: NDArray[np.float64]) -> list[float]:
    """Errors with 1, 2, ... principal components of the training spectra's correlation kept."""
    _, vectors = np.linalg.eigh(background.covariance / (scale * scale.T))
    along = vectors[:, ::-1].T @ ((values - background.mean[:, None]) / scale)
    left = np.cumsum((along**2)[::-1], axis=0)[::-1]  # what the components from each on hold, (bands, n)
    left = np.vstack([left[1:], np.zeros((1, left.shape[1]))])
    return [float(v) for v in np.median(np.sqrt(left / len(values)), axis=1)]


def _median(deviations: NDArray[np.floating]) -> float:
    """Anomalies may be reconstructed absurdly; the median spectrum is a usual one."""
    return float(np.median(np.sqrt(np.mean(np.square(deviations, dtype=np.float64), axis=0))))
