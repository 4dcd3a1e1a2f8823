"""The parts of a net as they are made of training spectra and settings, and spectra on their way through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from specvae.errors import InputError
from specvae.model.config import ModelConfig
from specvae.model.context import RingContext
from specvae.model.earlier import Earlier
from specvae.model.likelihoods import Likelihood
from specvae.model.normaliser import Normaliser
from specvae.model.sizes import PARTS
from specvae.model.vae import VAE

__all__ = ["RING_SAMPLE", "Normalised", "earlier_of", "refuse_outside", "restored", "vae_of"]

RING_SAMPLE = 100_000
"""Training spectra that the context's components are learned from, at most about, evenly taken: a bound on the time of a fit."""


@dataclass(frozen=True)
class Normalised:
    """Spectra in standard units."""

    values: Tensor
    """``(bands, n)``"""
    cost: Tensor | None = None
    """``(n,)`` nats of the change of variable from physical units; None where it is alike for all spectra."""
    seen: Tensor | None = None
    """``(earlier bands, n)``: the spectra of the earlier date in standard units; None for a model of one date."""

    @property
    def all(self) -> Tensor:
        """``(bands, n)`` of one date, or those of both dates, the later first: what surroundings are summarised from."""
        return self.values if self.seen is None else torch.cat([self.values, self.seen])


def vae_of(
    bands: int,
    ring: RingContext | None,
    earlier: Earlier | None,
    config: ModelConfig,
    components: int,
    surprise: float | None,
) -> VAE:
    """A VAE, conditional on what surrounds a pixel and on what it was before, as far as there are such."""
    context = ring.components if ring else 0
    if earlier is None:
        return VAE(bands, context, config.network, components, surprise)
    if ring is None:  # what the pixel was before costs nothing by itself
        return VAE(bands, earlier.count, config.network, components, None)
    # Of the surroundings only the change costs: what was strange on both dates is expected.
    return VAE(bands, context + ring.earlier, config.network, components, surprise, ring.components - ring.earlier)


def restored(bands: int, config: ModelConfig, shape: dict[str, Any]) -> tuple[RingContext | None, Earlier | None, VAE]:
    """Ring, earlier date and VAE of a stored state, still without its arrays. Raises KeyError or ValueError."""
    unknown = set(shape) - PARTS
    if unknown:
        raise ValueError(f"unknown parts of the network: {', '.join(sorted(unknown))}")
    # Models that were fitted before a part existed do not name it, and have none.
    count, bounded = int(shape.get("earlier", 0)), bool(shape.get("bounded", False))
    ring = RingContext(bands, config.context, bounded, count) if shape["ring"] else None
    earlier = Earlier(bands, count) if count else None
    components, surprise = int(shape.get("components", 0)), (0.0 if shape.get("surprise", False) else None)
    return ring, earlier, vae_of(bands, ring, earlier, config, components, surprise)


def earlier_of(normaliser: Normaliser, spectra: NDArray[np.float32], count: int, config: ModelConfig) -> Earlier:
    """What the earlier date lets expect, learned from ``(bands + count, n)``."""
    if config.normaliser.kind != "zscore":
        raise InputError(f"--before goes with normaliser.kind=zscore, and it is {config.normaliser.kind}")
    bands = len(spectra) - count
    step = max(1, spectra.shape[1] // RING_SAMPLE)
    some = np.ascontiguousarray(spectra[:, ::step])
    earlier = Earlier(bands, count)
    with torch.inference_mode():
        earlier.fit(normaliser.standard(torch.from_numpy(some[:bands])), some[bands:], config.training.trim)
    return earlier


def refuse_outside(spectra: NDArray[np.float32], likelihood: Likelihood) -> None:
    """Raise InputError where spectra leave the values that the likelihood can explain."""
    least, most = likelihood.support
    low, high = float(spectra.min()), float(spectra.max())
    if low < least or high > most:
        raise InputError(
            f"a {likelihood.name} likelihood takes values in {least:g}..{most:g} and these reach from {low:.6g} to "
            f"{high:.6g}: scale them, or use another preset or --set network.likelihood=gaussian with output=linear"
        )
