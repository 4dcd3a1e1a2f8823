"""The error of spectra reconstructed from fewer and fewer latent values, beside principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from specvae.model.principal import Principal
from specvae.model.spectral_net import SpectralNet
from specvae.model.torch_threads import inferred_on_one_thread
from specvae.scoring.latent import latent_means, spectra_of

__all__ = ["CompressionPoint", "active_latent", "compression_curve"]

Floats = NDArray[np.float32]
ACTIVE = 0.01
"""Variance of a posterior mean above which its dimension is active (Burda et al., 2015)."""


@dataclass(frozen=True)
class CompressionPoint:
    """The error where only some latent values are used, each other one replaced by its prior mean."""

    kept: int
    """Latent values that are used."""
    ratio: float
    """Values of a spectrum for each latent value that is used."""
    error: float
    """Of the median spectrum: root mean square over its bands, in standard deviations of the training spectra."""
    pca_error: float
    """The error with as many principal components of the training spectra's correlation instead."""
    mse: float
    """Mean squared error over all spectra and values, in the squares of the data's units."""
    pca_mse: float
    """The same of as many principal components of the training spectra's covariance."""
    mse_median: float
    """The mean squared error of the median spectrum, which a few strange spectra cannot move."""
    pca_mse_median: float
    """The same of the principal components."""


def active_latent(z: Floats) -> int:
    """How many latent dimensions of ``(latent, n)`` posterior means vary."""
    return int((z.var(axis=1) > ACTIVE).sum()) if z.shape[1] > 1 else 0


def compression_curve(
    net: SpectralNet, principal: Principal, values: Floats, context: Floats | None
) -> list[CompressionPoint]:
    """Points for 1, 2, ... latent values of ``(bands, n)`` spectra or patches, the most useful first.

    A value that is not used is replaced by its prior mean, which whoever decodes knows; so is the ``context``
    ``(components, n)`` of a model with context taken as known.
    """
    z, bands = latent_means(net, values, context), len(values)
    blank = _prior_means(net, z, context)
    scale = principal.scale[:, None]

    def residual(keep: NDArray[np.bool_]) -> NDArray[np.floating]:
        return values - spectra_of(net, np.where(keep[:, None], z, blank), context)

    without = [_median(residual(np.arange(len(z)) != j) / scale) for j in range(len(z))]
    # By what the spectra lose without each value alone: a greedy order would decode them latent squared times.
    order = np.argsort(-np.array(without), kind="stable")
    rank = np.argsort(order, kind="stable")
    plain = principal.residual(values)
    standard = np.median(np.sqrt(principal.residual(values, in_units=False)), axis=1)
    points = []
    for k in range(1, len(z) + 1):
        rest, last = residual(rank < k), min(k, len(plain)) - 1
        each = np.square(rest, dtype=np.float64).mean(axis=0)
        points.append(
            CompressionPoint(
                k,
                bands / k,
                _median(rest / scale),
                float(standard[last]),
                float(each.mean()),
                float(plain[last].mean()),
                float(np.median(each)),
                float(np.median(plain[last])),
            )
        )
    return points


@inferred_on_one_thread
def _prior_means(net: SpectralNet, z: Floats, context: Floats | None) -> Floats:
    """``(latent, n)``: the prior's mean given the context, of a mixture the mean of what was encoded, else zero."""
    if net.clusters:
        return np.broadcast_to(z.mean(axis=1, keepdims=True), z.shape)
    if context is None:
        return np.zeros_like(z)
    mean = net.prior_mean(torch.from_numpy(np.ascontiguousarray(context)).to(net.device))
    return np.zeros_like(z) if mean is None else np.asarray(mean.cpu().numpy())


def _median(deviations: NDArray[np.floating]) -> float:
    """Root mean square of the median spectrum ``(bands, n)``: anomalies may be reconstructed absurdly, and rule a mean."""
    return float(np.median(np.sqrt(np.mean(np.square(deviations, dtype=np.float64), axis=0))))
