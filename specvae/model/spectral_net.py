"""Everything between physical units and nats as one network: normaliser, context and VAE.

Whoever scores, explains, encodes or draws gives and takes physical units here, and never looks inside. Training, which
works on samples that were normalised once, has a door of its own: :attr:`SpectralNet.trainable`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specvae.model.config import ModelConfig
from specvae.model.context import RingContext, Spread
from specvae.model.earlier import Earlier
from specvae.model.likelihoods import Likelihood
from specvae.model.mixture_prior import default_components
from specvae.model.net_parts import RING_SAMPLE, Normalised, earlier_of, refuse_outside, restored, vae_of
from specvae.model.normaliser import Normaliser
from specvae.model.sizes import Ring, default_latent
from specvae.model.vae import VAE, Terms
from specvae.spectra import CELL, IMAGE_CELL

__all__ = ["Normalised", "SpectralNet"]


class SpectralNet(nn.Module):
    """Normaliser, context and VAE as one state.

    Spectra are ``(bands, n)`` in physical units, contexts ``(components, n)`` as :meth:`ring_means` gives them, and None
    for a model without context. A model of two dates takes the bands of both, the later date's first, and explains the
    later's: what its values are, given the earlier ones, and what surrounds the pixel on both dates.
    """

    def __init__(
        self, normaliser: Normaliser, ring: RingContext | None, vae: VAE, earlier: Earlier | None = None
    ) -> None:
        super().__init__()
        self.normaliser, self.ring, self.vae, self.earlier = normaliser, ring, vae, earlier

    @classmethod
    def untrained(
        cls, spectra: NDArray[np.float32], config: ModelConfig, context: bool, earlier: int = 0
    ) -> SpectralNet:
        """A net whose normaliser and context are learned from ``(bands, n)`` training spectra, and whose VAE is not yet.

        The last ``earlier`` bands are those of an earlier date. Raises InputError where the likelihood cannot explain such
        values, or these settings take one date alone.
        """
        bands = len(spectra) - earlier
        normaliser = Normaliser.learned(spectra[:bands], config)
        before = earlier_of(normaliser, spectra, earlier, config) if earlier else None
        # A large change must be seen in the rings inside it: with two dates every pixel counts in full.
        ring = RingContext(bands, config.context, not earlier, earlier) if context else None
        latent = config.network.latent or default_latent(bands)
        components = config.network.components or default_components(spectra.shape[1], latent)
        components = components if config.network.prior == "mixture" else 0
        net = cls(
            normaliser, ring, vae_of(bands, ring, before, config, components, config.context.surprise or 0.0), before
        )
        if ring is not None:
            step = max(1, spectra.shape[1] // RING_SAMPLE)
            with torch.inference_mode():
                ring.fit(net.normalised(torch.from_numpy(np.ascontiguousarray(spectra[:, ::step]))).all.numpy())
        refuse_outside(spectra[:bands], net.likelihood)
        return net

    @property
    def bands(self) -> int:
        """Values of a spectrum; of an image or a patch all its values; of two dates those of the later one."""
        return self.vae.bands

    @property
    def inputs(self) -> int:
        """Values that it is given of a pixel: of two dates those of both."""
        return self.bands + (0 if self.earlier is None else self.earlier.count)

    @property
    def latent(self) -> int:
        """Latent dimensions."""
        return self.vae.latent

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """Channels, rows and columns where a spectrum is an image or a patch."""
        return self.vae.shape

    @property
    def has_elbo(self) -> bool:
        """False for a plain autoencoder, which has no posterior and no prior: its KL is 0 and no ELBO is defined."""
        return self.vae.kl_weight > 0

    @property
    def has_context(self) -> bool:
        """Whether it looks at what surrounds a pixel."""
        return self.ring is not None

    @property
    def has_cost(self) -> bool:
        """Whether the change of variable from physical units costs some spectra more than others."""
        return self.normaliser.marginals is not None

    @property
    def around(self) -> Ring | None:
        """What it looks at around a pixel; None without context."""
        return None if self.ring is None else Ring(self.ring.outer, self.ring.guard, self.ring.components)

    @property
    def components(self) -> int:
        """Numbers of a context, 0 without one."""
        return 0 if self.ring is None else self.ring.components

    @property
    def planes(self) -> int:
        """Numbers of a pixel that its neighbours' rings are summed from, 0 without context."""
        return 0 if self.ring is None else self.ring.planes

    @property
    def clusters(self) -> int:
        """Gaussians of a mixture prior; 0 where the prior is normal."""
        return 0 if self.vae.mixture is None else len(self.vae.mixture.centre)

    @property
    def likelihood(self) -> Likelihood:
        """p(x | z) of normalised values."""
        return self.vae.likelihood

    @property
    def log_volume(self) -> Tensor:
        """Scalar: what the negative log likelihood has beyond the reconstruction term and is alike for all pixels."""
        return self.vae.log_volume()

    @property
    def constant(self) -> Tensor:
        """``(bands,)``: True for bands that never varied in training."""
        return self.normaliser.constant

    @property
    def centre(self) -> Tensor:
        """``(bands,)``: what normalising takes from each band, physical units."""
        return self.normaliser.centre[:, 0]

    @property
    def scale(self) -> Tensor:
        """``(bands,)``: what each band is then divided by, physical units."""
        return self.normaliser.scale[:, 0]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.normaliser.centre.device

    @property
    def halo(self) -> int:
        """Pixels needed around a window."""
        return self.ring.halo if self.ring is not None else 0

    @property
    def cell(self) -> int:
        """Side of the cells that it scores in, pixels: smaller for images and patches, each of which is hundreds of values."""
        return CELL if self.shape is None else IMAGE_CELL

    @property
    def trainable(self) -> VAE:
        """What training fits, on normalised samples: the door for training alone."""
        return self.vae

    def normalised(self, physical: Tensor) -> Normalised:
        """Spectra in standard units, with the cost of the change of variable."""
        if self.earlier is not None:
            later, seen = (
                self.normaliser.standard(physical[: self.bands]),
                self.earlier.standard(physical[self.bands :]),
            )
            return Normalised(self.earlier.change(later, seen, self.normaliser.reach), None, seen)
        values, costs = self.normaliser.with_cost(physical)
        return Normalised(values, None if costs is None else costs.sum(dim=0))

    def terms(self, physical: Tensor, context: Tensor | None = None, noise: Tensor | None = None) -> Terms:
        """Both terms of the score in nats, ``(n,)`` each; at the posterior mean, or with ``noise`` ``(latent, n)`` at a draw."""
        return self.terms_of(self.normalised(physical), context, noise)

    def terms_of(self, spectra: Normalised, context: Tensor | None = None, noise: Tensor | None = None) -> Terms:
        """The same of spectra that are normalised already."""
        return self.vae.terms(spectra.values, self.given(spectra, context), noise, spectra.cost)

    def given(self, spectra: Normalised, context: Tensor | None) -> Tensor | None:
        """What the network is conditioned on: the surroundings, and of two dates the pixel's own earlier components."""
        if spectra.seen is None:
            return context
        own = spectra.seen if self.ring is None else self.ring.own(spectra.seen)
        return own if context is None else torch.cat([context, own])

    def explain(self, physical: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Contribution in nats, signed deviation, and expected value in physical units, ``(bands, n)`` each."""
        if self.earlier is not None:
            spectra = self.normalised(physical)
            contribution, deviation, expected = self.vae.explain(spectra.values, self.given(spectra, context))
            later = self.earlier.later(self.normaliser.expanded(expected), spectra.all[self.bands :])
            return contribution, deviation, self.normaliser.physical(later)
        values, costs = self.normaliser.with_cost(physical)
        contribution, deviation, expected = self.vae.explain(values, context, costs)
        return contribution, deviation, self.normaliser.inverse(expected)

    def contribution_of(self, spectra: Normalised, context: Tensor | None = None) -> Tensor:
        """``(bands, n)`` nats of the likelihood alone, without the change of variable, of normalised spectra."""
        return self.vae.explain(spectra.values, self.given(spectra, context))[0]

    def encode(self, physical: Tensor, context: Tensor | None = None) -> Tensor:
        """``(latent, n)``: posterior means."""
        return self.encode_of(self.normalised(physical), context)

    def encode_of(self, spectra: Normalised, context: Tensor | None = None) -> Tensor:
        """The same of spectra that are normalised already."""
        return self.vae.encode(spectra.values, self.vae.bounded(self.given(spectra, context)))[0]

    def decode(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """``(latent, n)`` -> ``(bands, n)``: means of p(x | z, c) in physical units."""
        return self.normaliser.inverse(self.vae.decode(z, self.vae.bounded(context)))

    def log_weights(self, physical: Tensor, noise: Tensor) -> Tensor:
        """``(k, n)``: log importance weights of ``(k, latent, n)`` standard normal draws, for a model without context."""
        return self.vae.log_weights(self.normaliser(physical), noise)

    def prior_mean(self, context: Tensor | None) -> Tensor | None:
        """``(latent, n)``: mean of the prior given the context; None where the prior does not depend on one."""
        return self.vae.prior_mean(context)

    def draw(self, count: int, generator: torch.Generator, context: Tensor | None = None) -> Tensor:
        """``(bands, count)`` spectra in physical units, drawn with random numbers of the CPU's ``generator``."""
        return self.normaliser.inverse(self.vae.draw(count, context, generator))

    def draw_latent(self, count: int, generator: torch.Generator) -> Tensor:
        """``(latent, count)`` draws of a prior that depends on no context."""
        return self.vae.draw_latent(count, None, generator)

    def quantised(self, spectra: Normalised) -> Tensor:
        """``(planes, n)`` int32: components of the context and weights, as :meth:`ring_means` takes them."""
        return self._ring().quantise(spectra.all)

    def context_alike(self, spectra: Normalised) -> Tensor:
        """``(components, n)``: the context of pixels whose ring is everywhere like themselves."""
        return self._ring().alike(self.quantised(spectra))

    def ring_weight(self, spectra: Normalised) -> Tensor:
        """``(n,)``: how much each pixel counts in the rings of its neighbours, 0 to 1."""
        return self._ring().weight(self.quantised(spectra))

    def ring_means(
        self, maps: NDArray[np.int32], valid: NDArray[np.bool_], spread: Spread | None = None
    ) -> NDArray[np.float32]:
        """Contexts ``(components, rows, cols)`` from maps of :meth:`quantised` with a halo, 0 where not ``valid``."""
        return self._ring().ring_means(maps, valid, spread)

    def relate_surroundings(self, contexts: NDArray[np.floating], trim: float) -> None:
        """Take from the later date's surroundings what the earlier's let expect; see :meth:`RingContext.expect`."""
        with torch.inference_mode():
            self._ring().expect(contexts, trim)

    def _ring(self) -> RingContext:
        if self.ring is None:
            raise ValueError("a model without context has no ring")
        return self.ring

    def state_shape(self) -> dict[str, Any]:
        """What :meth:`restore` needs beside the arrays, JSON-ready."""
        return {
            "ring": self.ring is not None,
            "marginals": self.normaliser.marginals is not None,
            "smooth": bool(len(self.normaliser.blur)),
            "mixed": len(self.normaliser.mix),
            "components": self.clusters,
            "bounded": self.ring is not None and self.ring.bounded,
            "surprise": self.vae.context_prior is not None,
            # Named only where it is there, so that files of models of one date stay as they were.
            **({} if self.earlier is None else {"earlier": self.earlier.count}),
        }

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays of the state, as numpy's."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.state_dict().items()}

    @classmethod
    def restore(
        cls, bands: int, config: ModelConfig, shape: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> SpectralNet:
        """The net of a stored state; RuntimeError, KeyError or ValueError where it does not hold together."""
        ring, earlier, vae = restored(bands, config, shape)
        normaliser = Normaliser(
            bands, bool(shape.get("marginals", False)), bool(shape.get("smooth", False)), int(shape.get("mixed", 0))
        )
        normaliser.reach = config.normaliser.reach or normaliser.reach
        normaliser.length = config.normaliser.length if config.normaliser.kind == "fixed" else 0.0
        net = cls(normaliser, ring, vae, earlier)
        # Copied: arrays over the bytes of a file are read-only, and torch has no such tensors.
        net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
        return net.eval()
