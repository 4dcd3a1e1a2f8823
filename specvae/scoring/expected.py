"""What is expected of a pixel before it is looked at: given its surroundings, or of the kind of normal row nearest to it.

It is the mean of p(x | z, c) at the mean of the prior p(z | c). Without a context it is that at the mean of the prior's
component whose spectrum lies nearest. In numpy for every net that the compiled scorer covers, so that no torch is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.model.net_state import NetState
from specvae.model.sizes import LINEAR_REACH
from specvae.scoring.kernel.packing import not_covered
from specvae.scoring.kernel.physical import to_physical

__all__ = ["expected_spectra", "surroundings_cost"]

Floats = NDArray[np.float32]
FAR = 9.0
"""Squared distance in standard units from which a band counts no further when the nearest kind of row is looked for.

One absurd value must not decide which kind a row is of.
"""


def expected_spectra(state: NetState, values: NDArray[np.floating], context: NDArray[np.floating] | None) -> Floats:
    """``(values, n)`` in physical units: what is expected of pixels ``(values, n)`` with contexts ``(components, n)``.

    Of a model of two dates, whose ``values`` hold both, that of the later date given the earlier one.
    """
    if (
        state.config.network.kl_weight <= 0
    ):  # a plain autoencoder has no prior: the centre of what is normal stands for it
        return np.repeat(np.asarray(state.centre, np.float32)[:, None], values.shape[1], axis=1)
    if not_covered(state) is not None:
        return _by_torch(state, values, context)
    if context is not None:
        bounded = _bounded(state, np.asarray(context, np.float32))
        latent = _stack(state, "prior", bounded)[: state.latent]
        return _decoded(state, np.concatenate([latent, bounded]))
    return _nearest(_decoded(state, _centres(state)), values, state.scale)


def surroundings_cost(state: NetState, context: NDArray[np.floating] | None, bands: int) -> NDArray[np.float64]:
    """``(bands, n)`` nats: what the surroundings cost by themselves, split over the bands of the ring's mean.

    The cost is half of |W (c - m)|^2 less what is expected, at least 0, and c - m = P (mean of the ring - mean of normal
    rings). With the shortest change of the ring's mean that makes this c, each band has its exact share of the quadratic
    form. 0 for a model without context or without a cost of it.
    """
    count = 0 if context is None else context.shape[1]
    whitening = state.arrays.get("vae.context_prior.whitening")
    if context is None or whitening is None or state.config.network.kl_weight <= 0:
        return np.zeros((bands, count))
    judged = len(whitening)
    w = np.asarray(whitening, np.float64)[
        :, : len(context)
    ]  # of two dates the pixel's own earlier values come behind, unjudged
    along = w @ np.asarray(context, np.float64) + np.asarray(state.arrays["vae.context_prior.origin"], np.float64)
    projection = np.asarray(state.arrays["ring.projection"], np.float64)[:judged, :bands]
    away = np.linalg.solve(w[:, :judged], along)
    share = 0.5 * (np.linalg.pinv(projection) @ away) * ((w[:, :judged] @ projection).T @ along)
    distance = 0.5 * np.square(along).sum(axis=0)
    cost = np.maximum(distance - float(np.ravel(state.arrays["vae.context_prior.expected"])[0]), 0.0)
    return np.asarray(share * (cost / np.maximum(share.sum(axis=0), 1e-30)))


def _stack(state: NetState, name: str, inputs: Floats) -> Floats:
    """The fully connected layers ``name`` of ``(inputs, n)``, as specvae.model.dense has them."""
    arrays, network = state.arrays, state.config.network
    silu = network.linear or (network.activation == "silu" and name != "prior")
    x = arrays[f"vae.{name}.first"] @ inputs + arrays[f"vae.{name}.first_bias"]
    weights = _numbered(arrays, f"vae.{name}.rest.")
    biases = _numbered(arrays, f"vae.{name}.rest_biases.")
    lead = len(weights[-1]) if network.linear and weights else 0
    direct, x = x[:lead], x[lead:]
    for i, weight in enumerate(weights):
        x = weight @ (x * _logistic(x) if silu else np.maximum(x, 0.0))
        x = x + (direct if lead and i == len(weights) - 1 else biases[i])
    return np.asarray(x, np.float32)


def _numbered(arrays: Mapping[str, NDArray[Any]], prefix: str) -> list[NDArray[Any]]:
    names = sorted((name for name in arrays if name.startswith(prefix)), key=lambda name: int(name.split(".")[-1]))
    return [arrays[name] for name in names]


def _logistic(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -80.0, 80.0))))


def _bounded(state: NetState, context: Floats) -> Floats:
    """The context in units of its spread, pulled in to the reach of normal contexts (model/vae.py, bounded)."""
    white = (context - state.arrays["vae.context_mean"]) * state.arrays["vae.context_scale"]
    length = np.sqrt(np.square(white).sum(axis=0, keepdims=True))
    reach = float(np.ravel(state.arrays["vae.context_reach"])[0])
    return np.asarray(white * np.minimum(reach / np.maximum(length, 1e-6), 1.0), np.float32)


def _decoded(state: NetState, inputs: Floats) -> Floats:
    """Means of p(x | z, c) in physical units of ``(latent + context, n)``."""
    raw, network = _stack(state, "decoder", inputs), state.config.network
    if network.likelihood == "bernoulli" or network.output == "sigmoid":
        raw = np.asarray(_logistic(raw), np.float32)
    elif network.output == "tanh":
        raw = np.tanh(raw)
    return to_physical(state.arrays, float(state.config.normaliser.reach or LINEAR_REACH), raw)


def _centres(state: NetState) -> Floats:
    """``(latent, k)``: the centres of the prior's components; of a normal prior its mean, 0."""
    centres = state.arrays.get("vae.mixture.centre")
    return np.zeros((state.latent, 1), np.float32) if centres is None else np.asarray(centres.T, np.float32)


def _nearest(kinds: Floats, values: NDArray[np.floating], scale: NDArray[np.floating]) -> Floats:
    """``(values, n)``: of the spectra ``(values, k)`` the nearest to each of ``(values, n)``."""
    away = [np.square((values - kind[:, None]) / scale[:, None]) for kind in kinds.T]
    nearest = np.argmin([np.minimum(distance, FAR).sum(axis=0) for distance in away], axis=0)
    return np.asarray(kinds[:, nearest], np.float32)


def _by_torch(state: NetState, values: NDArray[np.floating], context: NDArray[np.floating] | None) -> Floats:
    """The same by the torch module, for the nets that the compiled scorer does not cover."""
    import torch

    from specvae.model.foreseen import foreseen

    net = state.net
    with torch.inference_mode():
        physical = torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(net.device)
        around = None if context is None else torch.from_numpy(np.ascontiguousarray(context, np.float32)).to(net.device)
        given = foreseen(net, physical, around)
        if given is not None:
            return np.asarray(given.cpu().numpy(), np.float32)
        kinds = net.decode(torch.from_numpy(_centres(state)).to(net.device)).cpu().numpy()
    return _nearest(kinds, values, state.scale)
