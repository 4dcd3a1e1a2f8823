"""A net's state as the structure that C reads; why not, where the compiled scorer does not cover the net.

C trusts the sizes that it is given, so every array of the state is checked here against the shape that the configuration asks
for, and an array that the net has no place for is refused: a damaged model file ends in an exception, not in other memory.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import ModelConfig
from specvae.model.net_state import NetState
from specvae.model.sizes import (
    FADE,
    KNOTS,
    LEADING,
    LINEAR_REACH,
    LOG_SIGMA_FLOOR,
    PARTS,
    PRIOR_SPREAD,
    QUANTUM,
    component_count,
    default_hidden,
)
from specvae.scoring.kernel.structures import LAYERS, OUTPUTS, Model, Stack

__all__ = ["PackedModel", "not_covered"]


def not_covered(state: NetState) -> str | None:
    """Why a net is scored by torch, in a few words; None where the compiled scorer covers it."""
    config, network = state.config, state.config.network
    if network.kind != "mlp" or config.patch or network.shape:
        return "a model of images or patches"
    if config.normaliser.length or state.parts.get("smooth") or state.parts.get("mixed"):
        return "values that are blurred, mixed or brought to one length"
    hidden = _widths(config, state.values)
    if len(hidden) > LAYERS:
        return f"more than {LAYERS} hidden layers"
    if network.linear and not hidden:
        return "a linear path without hidden layers"
    return "a model of two dates" if state.earlier else None


def _widths(config: ModelConfig, values: int) -> tuple[int, ...]:
    return default_hidden(values) if config.network.hidden is None else config.network.hidden


class PackedModel:
    """The structure, and the arrays that its addresses point into, which live as long as it does.

    Raises KeyError or ValueError where the state's arrays are not those of its configuration.
    """

    def __init__(self, state: NetState) -> None:
        unknown = set(state.parts) - PARTS
        if unknown:
            raise ValueError(f"unknown parts of the network: {', '.join(sorted(unknown))}")
        self._state, self._config = state, state.config
        self._unread = set(state.arrays)
        self._arrays: list[NDArray[np.float32]] = []
        self.structure = Model()
        self.bands, self.latent = state.values, state.latent
        self.components = self._component_count()
        self._sizes()
        self._normaliser()
        self._context()
        self._mixture()
        self._likelihood()
        self._networks()
        if self._unread:
            raise ValueError(f"arrays that the network has no place for: {', '.join(sorted(self._unread))}")

    def _component_count(self) -> int:
        if not self._state.parts["ring"]:
            return 0
        return min(self._config.context.components or component_count(self.bands), self.bands)

    def _take(self, name: str, *shape: int) -> NDArray[np.float64]:
        """An array of the state, in float64. Raises KeyError where it is absent, ValueError where its shape is another."""
        array = self._state.arrays[name]
        # A number comes back from a model file as an array of one.
        if array.shape != shape and not (shape == () and array.shape == (1,)):
            raise ValueError(f"{name} has the shape {array.shape} where {shape} is expected")
        self._unread.discard(name)
        return np.asarray(array, np.float64).reshape(shape)

    def _put(self, array: NDArray[Any]) -> int:
        """The address of a float32 copy, which this object holds on to."""
        copy = np.ascontiguousarray(array, np.float32)
        self._arrays.append(copy)
        return int(copy.ctypes.data)

    def _sizes(self) -> None:
        s, parts = self.structure, self._state.parts
        s.bands, s.latent, s.components = self.bands, self.latent, self.components
        # The mixture is a prior of models without context alone (model/vae.py).
        s.mixture = 0 if self.components else int(parts.get("components", 0))
        s.has_marginals, s.has_prior = bool(parts.get("marginals", False)), self.components > 0
        s.has_kl = self._config.network.kl_weight > 0
        s.prior_spread = PRIOR_SPREAD
        s.widest = max(s.mixture + s.latent, 2 * s.latent, LEADING)

    def _normaliser(self) -> None:
        s, bands = self.structure, self.bands
        s.reach = self._config.normaliser.reach or LINEAR_REACH
        s.centre = self._put(self._take("normaliser.centre", bands, 1))
        # A product costs a processor a tenth of what a quotient does.
        s.scale = self._put(1.0 / self._take("normaliser.scale", bands, 1))
        self._take("normaliser.constant", bands)
        if s.has_marginals:
            shapes = {"low": 1, "step": 1, "value": KNOTS, "slope": 2, "penalty": KNOTS}
            for name, width in shapes.items():
                setattr(s, name, self._put(self._take(f"normaliser.marginals.{name}", bands, width)))
            s.weight = float(self._take("normaliser.marginals.weight"))

    def _context(self) -> None:
        s, components = self.structure, self.components
        context_mean = self._take("vae.context_mean", components, 1)
        context_scale = self._take("vae.context_scale", components, 1)
        s.context_reach = float(self._take("vae.context_reach"))
        if not components:
            return
        s.outer, s.guard = self._config.context.outer, self._config.context.guard
        # In quanta, a power of two, so the scaling rounds nothing.
        s.projection = self._put(self._take("ring.projection", components, self.bands) / QUANTUM)
        s.shift = self._put(-self._take("ring.shift", components, 1) / QUANTUM)
        s.context_mean, s.context_scale = self._put(context_mean), self._put(context_scale)
        # Without weights each pixel counts 1: a length of 0 is one below the end of the fading.
        s.unit, s.end, s.fade = 1.0, 1.0, 1.0
        if self._state.parts.get("bounded", False):
            limit = float(self._take("ring.limit")) / QUANTUM**2
            s.unit, s.end, s.fade = 1.0 / QUANTUM, limit * FADE, 1.0 / (limit * FADE - limit)
        if self._state.parts.get("surprise", False):
            self._context_prior()

    def _context_prior(self) -> None:
        s = self.structure
        s.judged = min(LEADING, self.components)
        s.whitening = self._put(self._take("vae.context_prior.whitening", s.judged, self.components))
        s.mean_context = self._put(self._take("vae.context_prior.origin", s.judged, 1))
        s.expected_cost = float(self._take("vae.context_prior.expected"))

    def _mixture(self) -> None:
        """log share + log volume, -A^T m, A^T, and the row sums of A squared, of each component (model/mixture_prior.py)."""
        s, count, latent = self.structure, self.structure.mixture, self.latent
        if not count:
            return
        factor = np.triu(self._take("vae.mixture.factor", count, latent, latent))
        logit = self._take("vae.mixture.logit", count)
        centre = self._take("vae.mixture.centre", count, latent)
        volume = np.log(np.maximum(np.abs(np.diagonal(factor, axis1=1, axis2=2)), 1e-6)).sum(axis=1)
        largest = logit.max()  # taken off first, so that no exponential overflows
        log_share = logit - largest - np.log(np.exp(logit - largest).sum())
        s.share = self._put(log_share + volume + 0.5 * latent)
        # C multiplies rows of a matrix with a column of values: A^T in the order in which it lies in memory.
        turned = factor.transpose(0, 2, 1)
        s.origin = self._put(-(turned @ centre[:, :, None]))
        s.factor = self._put(turned)
        s.roughness = self._put(np.square(factor).sum(axis=2))

    def _likelihood(self) -> None:
        """The output function, and half the reciprocal of each band's variance."""
        network = self._config.network
        self.structure.output = OUTPUTS.index(
            network.output if network.likelihood == "gaussian" else network.likelihood
        )
        log_sigma = np.maximum(self._take("vae.log_sigma", self.bands, 1), LOG_SIGMA_FLOOR)
        self.structure.precision = self._put(0.5 * np.exp(-2.0 * log_sigma))

    def _networks(self) -> None:
        s, network, widths = self.structure, self._config.network, _widths(self._config, self.bands)
        linear, silu = network.linear, network.activation == "silu"
        bands, latent, components = self.bands, self.latent, self.components
        self._stack(s.encoder, "encoder", (bands + components, *widths, 2 * latent), linear, silu)
        self._stack(s.decoder, "decoder", (latent + components, *reversed(widths), bands), linear, silu)
        if s.has_prior:
            self._stack(s.prior, "prior", (components, *widths, 2 * latent), linear, False)

    def _stack(self, stack: Stack, name: str, sizes: tuple[int, ...], linear: bool, silu: bool) -> None:
        """Fully connected layers of these sizes, inputs first and outputs last (model/dense.py)."""
        inputs, *hidden, outputs = sizes
        lead = outputs if linear else 0
        rows = lead + (hidden[0] if hidden else outputs)
        # A linear path goes with SiLU, whatever the configuration says of the activation (model/dense.py).
        stack.inputs, stack.outputs, stack.lead, stack.silu = inputs, outputs, lead, silu or linear
        stack.layers, stack.widest = len(hidden), max([1, *hidden])
        stack.widths[: len(hidden)] = hidden
        stack.first = self._put(self._take(f"vae.{name}.first", rows, inputs))
        stack.first_bias = self._put(self._take(f"vae.{name}.first_bias", rows, 1))
        for i, (into, out) in enumerate(pairwise([*hidden, outputs])):
            stack.rest[i] = self._put(self._take(f"vae.{name}.rest.{i}", out, into))
            # With a linear path the last layer's bias is the path's own.
            if not (linear and i == len(hidden) - 1):
                stack.rest_bias[i] = self._put(self._take(f"vae.{name}.rest_biases.{i}", out, 1))
        self.structure.widest = max(self.structure.widest, rows, outputs, stack.widest)
