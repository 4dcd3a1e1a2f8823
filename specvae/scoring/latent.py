"""The latent space from outside: posterior means, spectra from latent values, draws from the prior."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specvae.errors import ModelError
from specvae.model.spectral_net import Normalised, SpectralNet
from specvae.model.torch_threads import inferred_on_one_thread
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
    return _in_cells(net, values, context, net.latent, net.encode)


@inferred_on_one_thread
def spectra_of(net: SpectralNet, z: NDArray[np.floating], context: Floats | None = None) -> Floats:
    """``(latent, n)`` latent values -> ``(bands, n)`` means of p(x | z, c) in physical units."""
    return _in_cells(net, z, context, net.bands, net.decode)


def reconstructions(net: SpectralNet, values: NDArray[np.floating], context: Floats | None = None) -> Floats:
    """``(bands, n)`` valid spectra -> their reconstructions at the posterior mean, ``(bands, n)``, physical units."""
    return spectra_of(net, latent_means(net, values, context), context)


@inferred_on_one_thread
def nats(net: SpectralNet, values: NDArray[np.floating], context: Floats | None = None) -> Floats:
    """``(3, n)``: score, reconstruction and KL of ``(bands, n)`` valid spectra."""

    def terms(x: Tensor, c: Tensor | None) -> Tensor:
        both = net.terms(x, c)
        return torch.stack([both.reconstruction + both.kl, both.reconstruction, both.kl])

    return _in_cells(net, values, context, 3, terms)


def _in_cells(
    net: SpectralNet,
    values: NDArray[np.floating],
    context: Floats | None,
    outputs: int,
    program: Callable[[Tensor, Tensor | None], Tensor],
) -> Floats:
    """``program`` on columns in cells of fixed width, zero-padded: ``(outputs, n)``."""
    device, n = net.device, values.shape[1]
    columns = np.empty((outputs, n), np.float32)
    width = net.cell**2
    for start in range(0, n, width):
        x = _cell(values[:, start : start + width], width).to(device)
        c = None if context is None else _cell(context[:, start : start + width], width).to(device)
        columns[:, start : start + width] = program(x, c)[:, : min(width, n - start)].cpu().numpy()
    return columns


def _cell(columns: NDArray[np.floating], width: int) -> Tensor:
    cell = torch.zeros(len(columns), width)
    cell[:, : columns.shape[1]] = torch.from_numpy(np.ascontiguousarray(columns, np.float32))
    return cell


def map_cells(
    cube: Cube, window: Window, context: Floats | None, outputs: int, program: Program, side: int = CELL
) -> Floats:
    """``program`` on a window, by the cells of the scene's own grid: ``(outputs, rows, cols)``, NaN where invalid.

    A pixel is always the same column of the same product, whatever the window it was read in. ``context`` is
    ``(components, rows, cols)`` of the window, ``side`` that of a cell.
    """
    inner = cube.crop(window)
    values = np.where(inner.valid, inner.values, np.float32(0))
    maps = np.empty((outputs, window.rows, window.cols), np.float32)
    for cell in cells_of(window, side):
        part = cell.clip(window)
        place, inside = part.shift(-cell.row, -cell.col).slices, part.shift(-window.row, -window.col).slices
        around = None if context is None else _block(context, place, inside, side)
        made = program(_block(values, place, inside, side), around).reshape(outputs, side, side)
        maps[(slice(None), *inside)] = made[(slice(None), *place)]
    maps[:, ~inner.valid] = np.nan
    return maps


def _block(values: Floats, place: tuple[slice, slice], inside: tuple[slice, slice], side: int) -> Floats:
    """``(n, rows, cols)`` -> the part ``inside`` in a cell of full size, ``(n, side * side)``, zero elsewhere."""
    block = np.zeros((len(values), side, side), np.float32)
    block[(slice(None), *place)] = values[(slice(None), *inside)]
    return block.reshape(len(values), -1)


@inferred_on_one_thread
def log_evidence(net: SpectralNet, values: NDArray[np.floating], draws: int = 16, seed: int = 0) -> NDArray[np.float64]:
    """``(bands, n)`` valid spectra -> ``(n,)`` nats: a lower bound of log p(x), for a model without context.

    Of x as normalised, so that models of the same training spectra compare. Importance-weighted, with seeded draws
    (Burda, Grosse and Salakhutdinov, 2015, equation 8); of a plain autoencoder log p(x | z) at its code.
    """
    bounds = []
    for start in range(0, values.shape[1], WIDTH):
        columns = np.ascontiguousarray(values[:, start : start + WIDTH], np.float32)
        x = torch.from_numpy(columns).to(net.device)
        if not net.has_elbo:
            bounds.append(-net.terms_of(Normalised(net.normalised(x).values)).reconstruction - net.log_volume)
            continue
        # Drawn on the CPU, so that every device sees the same draws.
        generator = torch.Generator().manual_seed(seed + start)
        noise = torch.randn((draws, net.latent, x.shape[1]), generator=generator).to(net.device)
        bounds.append(torch.logsumexp(net.log_weights(x, noise), dim=0) - math.log(draws))
    return np.asarray(torch.cat(bounds).cpu().numpy(), np.float64)


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
    if net.has_context and reference is None:
        raise ModelError("the model's prior depends on what surrounds a pixel; sample from a model without context")
    if not net.has_elbo:
        raise ModelError("the model is a plain autoencoder (network.kl_weight = 0) and has no prior to sample from")
    generator = torch.Generator().manual_seed(seed)
    context = None if not net.has_context or reference is None else _wide_patches(net, reference, count, generator)
    return np.asarray(net.draw(count, generator, context).cpu().numpy(), np.float32)


def _wide_patches(net: SpectralNet, reference: NDArray[np.floating], count: int, generator: torch.Generator) -> Tensor:
    """Contexts ``(components, count)`` of pixels whose ring is everywhere like one of the reference spectra."""
    chosen = torch.randint(len(reference), (count,), generator=generator).numpy()
    rows = torch.from_numpy(np.ascontiguousarray(np.asarray(reference, np.float32)[chosen].T))
    return net.context_alike(net.normalised(rows.to(net.device)))
