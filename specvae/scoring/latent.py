"""The latent space from outside: posterior means, spectra from latent values, draws from the prior."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specvae.errors import ModelError
from specvae.model.context import QUANTUM
from specvae.model.device import inferred_on_one_thread
from specvae.model.spectral_net import SpectralNet
from specvae.scoring.cells import WIDTH, cells_of
from specvae.spectra import CELL, Cube, Window

__all__ = [
    "Program",
    "draw_spectra",
    "latent_means",
    "log_evidence",
    "map_cells",
    "nats",
    "reconstructions",
    "spectra_of",
]

Floats = NDArray[np.float32]
Program = Callable[[Floats, Floats | None], Floats]
"""``(bands, n)`` spectra and their ``(components, n)`` contexts -> ``(outputs, n)``."""


@inferred_on_one_thread
def latent_means(net: SpectralNet, values: NDArray[np.floating], context: Floats | None = None) -> Floats:
    """``(bands, n)`` valid spectra in physical units -> ``(latent, n)`` posterior means.

    ``context`` ``(components, n)`` is what surrounds them, for a model with context. Like scores they are computed in
    cells of fixed width, so that a spectrum's mean does not depend on its company.
    """

    def encode(x: Tensor, c: Tensor | None) -> Tensor:
        return net.vae.encode(net.normaliser(x), net.vae.bounded(c))[0]

    return _in_cells(net, values, context, net.vae.latent, encode)


@inferred_on_one_thread
def spectra_of(net: SpectralNet, z: NDArray[np.floating], context: Floats | None = None) -> Floats:
    """``(latent, n)`` latent values -> ``(bands, n)`` means of p(x | z, c) in physical units."""

    def decode(z: Tensor, c: Tensor | None) -> Tensor:
        return net.normaliser.inverse(net.vae.decode(z, net.vae.bounded(c)))

    return _in_cells(net, z, context, net.vae.bands, decode)


def reconstructions(net: SpectralNet, values: NDArray[np.floating], context: Floats | None = None) -> Floats:
    """``(bands, n)`` valid spectra -> their reconstructions at the posterior mean, ``(bands, n)``, physical units."""
    return spectra_of(net, latent_means(net, values, context), context)


@inferred_on_one_thread
def nats(net: SpectralNet, values: NDArray[np.floating], context: Floats | None = None) -> Floats:
    """``(3, n)``: score, reconstruction and KL of ``(bands, n)`` valid spectra."""

    def terms(x: Tensor, c: Tensor | None) -> Tensor:
        cost = net.normaliser.cost(x)
        told = net.vae.terms(net.normaliser(x), c, cost=None if cost is None else cost.sum(dim=0))
        return torch.stack([told.reconstruction + told.kl, told.reconstruction, told.kl])

    return _in_cells(net, values, context, 3, terms)


def _in_cells(
    net: SpectralNet,
    values: NDArray[np.floating],
    context: Floats | None,
    outputs: int,
    program: Callable[[Tensor, Tensor | None], Tensor],
) -> Floats:
    """``program`` on columns in cells of fixed width, zero-padded: ``(outputs, n)``."""
    device, n = net.normaliser.centre.device, values.shape[1]
    found = np.empty((outputs, n), np.float32)
    width = net.cell**2
    for start in range(0, n, width):
        x = _cell(values[:, start : start + width], width).to(device)
        c = None if context is None else _cell(context[:, start : start + width], width).to(device)
        found[:, start : start + width] = program(x, c)[:, : min(width, n - start)].cpu().numpy()
    return found


def _cell(columns: NDArray[np.floating], width: int) -> Tensor:
    cell = torch.zeros(len(columns), width)
    cell[:, : columns.shape[1]] = torch.from_numpy(np.ascontiguousarray(columns, np.float32))
    return cell


def map_cells(
    cube: Cube, window: Window, context: Floats | None, outputs: int, program: Program, side: int = CELL
) -> Floats:
    """``program`` on a window, by the cells of the scene's own grid: ``(outputs, rows, cols)``, NaN where invalid.

    A pixel always stands in the same column of the same product, whatever the window it was read in. ``context`` is
    ``(components, rows, cols)`` of the window, ``side`` that of a cell.
    """
    inner = cube.crop(window)
    values = np.where(inner.valid, inner.values, np.float32(0))
    found = np.empty((outputs, window.rows, window.cols), np.float32)
    for cell in cells_of(window, side):
        part = cell.clip(window)
        place, inside = part.shift(-cell.row, -cell.col).slices, part.shift(-window.row, -window.col).slices
        around = None if context is None else _block(context, place, inside, side)
        told = program(_block(values, place, inside, side), around).reshape(outputs, side, side)
        found[(slice(None), *inside)] = told[(slice(None), *place)]
    found[:, ~inner.valid] = np.nan
    return found


def _block(values: Floats, place: tuple[slice, slice], inside: tuple[slice, slice], side: int) -> Floats:
    """``(n, rows, cols)`` -> the part ``inside`` in a whole cell, ``(n, side * side)``, zero elsewhere."""
    block = np.zeros((len(values), side, side), np.float32)
    block[(slice(None), *place)] = values[(slice(None), *inside)]
    return block.reshape(len(values), -1)


@inferred_on_one_thread
def log_evidence(net: SpectralNet, values: NDArray[np.floating], draws: int = 16, seed: int = 0) -> NDArray[np.float64]:
    """``(bands, n)`` valid spectra -> ``(n,)`` nats: a lower bound of log p(x), for a model without context.

    Of x as normalised, so that models of the same training spectra compare. Importance-weighted, with seeded draws
    (Burda, Grosse and Salakhutdinov, 2015, equation 8); of a plain autoencoder log p(x | z) at its code.
    """
    vae, device = net.vae, net.normaliser.centre.device
    found = []
    for start in range(0, values.shape[1], WIDTH):
        columns = np.ascontiguousarray(values[:, start : start + WIDTH], np.float32)
        x = net.normaliser(torch.from_numpy(columns).to(device))
        if vae.kl_weight == 0:
            found.append(-vae.terms(x).reconstruction - vae.log_volume())
            continue
        generator = torch.Generator().manual_seed(seed + start)
        noise = torch.randn((draws, vae.latent, x.shape[1]), generator=generator).to(device)
        found.append(torch.logsumexp(vae.log_weights(x, noise), dim=0) - math.log(draws))
    return np.asarray(torch.cat(found).cpu().numpy(), np.float64)


@inferred_on_one_thread
def draw_spectra(
    net: SpectralNet, count: int, seed: int, reference: NDArray[np.floating] | None = None
) -> NDArray[np.float32]:
    """``(bands, count)`` spectra in physical units: z from the prior, then x from p(x | z) (Kingma and Welling, 2013).

    Images, and what has a Bernoulli likelihood, are given by the mean of p(x | z), as is the custom.

    The prior of a model with context depends on what surrounds a pixel. Its draws are of pixels that lie in wide
    patches, each alike one of the ``reference`` spectra ``(n, bands)``, drawn evenly. Raises ModelError for such a model
    without a reference, and for a plain autoencoder, which has no prior.
    """
    vae = net.vae
    if net.ring is not None and reference is None:
        raise ModelError("the model's prior depends on what surrounds a pixel; sample from a model without context")
    if vae.kl_weight == 0:
        raise ModelError("the model is a plain autoencoder (network.kl_weight = 0) and has no prior to sample from")
    generator = torch.Generator().manual_seed(seed)
    device = net.normaliser.centre.device
    c = None if net.ring is None or reference is None else vae.bounded(_patches(net, reference, count, generator))
    noise = torch.randn(vae.latent, count, generator=generator)
    prior = vae.prior_of(c)
    if prior is not None:
        z = prior[0] + (0.5 * prior[1]).exp() * noise.to(device)
    else:
        z = noise if vae.mixture is None else vae.mixture.sample(count, generator)
    spectra = vae.decode(z.to(device), c)
    if not vae.bernoulli and vae.shape is None:
        spectra = spectra + vae.sigma() * torch.randn(vae.bands, count, generator=generator).to(device)
    return np.asarray(net.normaliser.inverse(spectra).cpu().numpy(), np.float32)


def _patches(net: SpectralNet, reference: NDArray[np.floating], count: int, generator: torch.Generator) -> Tensor:
    """Contexts ``(components, count)`` of pixels whose whole ring is one of the reference spectra."""
    assert net.ring is not None
    chosen = torch.randint(len(reference), (count,), generator=generator).numpy()
    rows = torch.from_numpy(np.ascontiguousarray(np.asarray(reference, np.float32)[chosen].T))
    return net.ring.quantise(net.normaliser(rows.to(net.normaliser.centre.device))) * QUANTUM
