"""A net's stored arrays as the structure that C reads; why not, where the compiled scorer does not cover the net."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import ModelConfig
from specvae.scoring.kernel.structures import LAYERS, Model, Stack

__all__ = ["PackedModel", "not_covered"]

Arrays = Mapping[str, NDArray[Any]]
LOG_SIGMA_FLOOR = -4.0
PRIOR_SPREAD = 2.5
QUANTUM = 2.0**-14
LINEAR = 8.0
KNOTS = 1024


def not_covered(config: ModelConfig, arrays: Arrays) -> str | None:
    """Why a net is scored by torch, in a few words; None where the compiled scorer covers it."""
    network = config.network
    if network.kind != "mlp" or config.patch or network.shape:
        return "a model of images or patches"
    if network.likelihood != "gaussian" or network.output != "linear":
        return f"a {network.likelihood} likelihood with output {network.output}"
    if config.normaliser.kind == "fixed" and (config.normaliser.length or config.normaliser.smooth):
        return "values that are blurred or brought to one length"
    if any(name.startswith(("normaliser.mix", "normaliser.blur")) for name in arrays):
        return "mixed or blurred values"
    layers = [sum(name.startswith(f"vae.{part}.rest.") for name in arrays) for part in ("encoder", "decoder", "prior")]
    if max(layers) > LAYERS:
        return f"more than {LAYERS} hidden layers"
    if network.linear and min(layers[:2]) == 0:
        return "a linear path without hidden layers"
    return None


class PackedModel:
    """The structure, and the arrays that its addresses point into, which live as long as it does."""

    def __init__(self, config: ModelConfig, arrays: Arrays) -> None:
        self._arrays: list[NDArray[np.float32]] = []
        self._stored = arrays
        self.structure = Model()
        self.bands = len(arrays["normaliser.centre"])
        self.components = len(arrays["ring.projection"]) if "ring.projection" in arrays else 0
        self.latent = arrays["vae.decoder.first"].shape[1] - self.components
        self._sizes(config)
        self._normaliser(config)
        self._context(config)
        self._mixture()
        sigma = np.exp(np.maximum(arrays["vae.log_sigma"], LOG_SIGMA_FLOOR))
        self.structure.precision = self._put(0.5 / np.square(sigma))
        linear, silu = config.network.linear, config.network.activation == "silu"
        self._stack(self.structure.encoder, "encoder", linear, silu)
        self._stack(self.structure.decoder, "decoder", linear, silu)
        if self.structure.has_prior:
            self._stack(self.structure.prior, "prior", linear, silu=False)

    def _put(self, array: NDArray[Any]) -> int:
        """The address of a float32 copy that is kept."""
        kept = np.ascontiguousarray(array, np.float32)
        self._arrays.append(kept)
        return int(kept.ctypes.data)

    def _sizes(self, config: ModelConfig) -> None:
        s, arrays = self.structure, self._stored
        s.bands, s.latent, s.components = self.bands, self.latent, self.components
        s.mixture = len(arrays["vae.mixture.centre"]) if "vae.mixture.centre" in arrays else 0
        s.has_marginals, s.has_prior = "normaliser.marginals.low" in arrays, self.components > 0
        s.has_kl = config.network.kl_weight > 0
        s.prior_spread = PRIOR_SPREAD
        s.widest = max(s.mixture + s.latent, 2 * s.latent)

    def _normaliser(self, config: ModelConfig) -> None:
        s, arrays = self.structure, self._stored
        s.reach = config.normaliser.reach or LINEAR
        s.centre = self._put(arrays["normaliser.centre"])
        s.scale = self._put(1.0 / arrays["normaliser.scale"].astype(np.float64))
        if s.has_marginals:
            for name in ("low", "step", "value", "slope", "penalty"):
                setattr(s, name, self._put(arrays[f"normaliser.marginals.{name}"]))
            s.weight = float(arrays["normaliser.marginals.weight"])

    def _context(self, config: ModelConfig) -> None:
        s, arrays = self.structure, self._stored
        if not self.components:
            return
        s.outer, s.guard = config.context.outer, config.context.guard
        s.projection = self._put(arrays["ring.projection"] / QUANTUM)
        s.shift = self._put(-arrays["ring.shift"] / QUANTUM)
        s.context_mean = self._put(arrays["vae.context_mean"])
        s.context_scale = self._put(arrays["vae.context_scale"])
        s.context_reach = float(arrays["vae.context_reach"])

    def _mixture(self) -> None:
        """log share + log volume, -A^T m, A^T, and the row sums of A squared, of each component (model/mixture_prior.py)."""
        s, arrays = self.structure, self._stored
        if not s.mixture:
            return
        factor = np.triu(arrays["vae.mixture.factor"].astype(np.float64))
        logit = arrays["vae.mixture.logit"].astype(np.float64)
        volume = np.log(np.maximum(np.abs(np.diagonal(factor, axis1=1, axis2=2)), 1e-6)).sum(axis=1)
        logit -= logit.max()
        s.share = self._put(logit - np.log(np.exp(logit).sum()) + volume + 0.5 * self.latent)
        turned = factor.transpose(0, 2, 1)
        s.origin = self._put(-(turned @ arrays["vae.mixture.centre"].astype(np.float64)[:, :, None]))
        s.factor = self._put(turned)
        s.roughness = self._put(np.square(factor).sum(axis=2))

    def _stack(self, stack: Stack, name: str, linear: bool, silu: bool) -> None:
        arrays = self._stored
        first = arrays[f"vae.{name}.first"]
        rest = [arrays[f"vae.{name}.rest.{i}"] for i in range(sum(k.startswith(f"vae.{name}.rest.") for k in arrays))]
        stack.inputs, stack.outputs = first.shape[1], len(rest[-1]) if rest else len(first)
        stack.lead, stack.silu, stack.layers = stack.outputs if linear else 0, silu, len(rest)
        widths = [weights.shape[1] for weights in rest]
        stack.widths[: len(widths)] = widths
        stack.widest = max([1, *widths])
        stack.first, stack.first_bias = self._put(first), self._put(arrays[f"vae.{name}.first_bias"])
        for i, weights in enumerate(rest):
            stack.rest[i] = self._put(weights)
            bias = arrays.get(f"vae.{name}.rest_biases.{i}")
            stack.rest_bias[i] = None if bias is None else self._put(bias)
        self.structure.widest = max(self.structure.widest, len(first), stack.outputs, stack.widest)
