"""The inverse of the normaliser in numpy: standard units back to physical ones (model/normaliser.py, inverse)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.model.sizes import FLATTEST

__all__ = ["cost_by_itself", "to_physical"]

MOST_EXPONENT = 69.0


def to_physical(arrays: Mapping[str, NDArray[Any]], reach: float, standard: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(bands, n)`` compressed standard units -> ``(bands, n)`` physical units."""
    # Beyond the reach the normaliser took a logarithm; the exponent is bounded, so that no float32 overflows.
    size = np.abs(standard)
    far = np.expm1(np.clip(size - np.float32(reach), 0.0, MOST_EXPONENT)) + np.float32(reach)
    t = np.copysign(np.where(size <= reach, size, far), standard)
    if "normaliser.marginals.low" in arrays:
        t = _unmapped(
            {name.split(".")[-1]: a for name, a in arrays.items() if name.startswith("normaliser.marginals.")}, t
        )
    return np.asarray(t * arrays["normaliser.scale"] + arrays["normaliser.centre"], np.float32)


def cost_by_itself(arrays: Mapping[str, NDArray[Any]], values: NDArray[np.floating]) -> NDArray[np.float32]:
    """``(bands, n)`` physical units -> nats of each value by its band's own distribution (model/marginals.py, cost); else 0."""
    if "normaliser.marginals.low" not in arrays:
        return np.zeros(values.shape, np.float32)
    low, step, table = (arrays[f"normaliser.marginals.{name}"] for name in ("low", "step", "penalty"))
    standard = (np.asarray(values, np.float64) - arrays["normaliser.centre"]) / arrays["normaliser.scale"]
    along = np.clip(np.nan_to_num((standard - low) / step), 0.0, table.shape[1] - 1.0)
    knots = np.arange(table.shape[1])
    nats = [np.interp(row, knots, penalty) for row, penalty in zip(along, table, strict=True)]
    return np.asarray(np.stack(nats) * float(np.ravel(arrays["normaliser.marginals.weight"])[0]), np.float32)


def _unmapped(marginals: Mapping[str, NDArray[Any]], normal: NDArray[np.float32]) -> NDArray[np.float32]:
    """The standard units that the marginals map to ``(bands, n)`` (model/marginals.py, inverse)."""
    out = np.empty_like(normal)
    # Band by band, since numpy searches one sorted table at a time; only explained pixels come here, which are few.
    for band, (row, table) in enumerate(zip(normal, marginals["value"], strict=True)):
        index = np.clip(np.searchsorted(table, row) - 1, 0, len(table) - 2)
        lower, upper = table[index], table[index + 1]
        share = np.clip((row - lower) / np.maximum(upper - lower, np.float32(1e-12)), 0.0, 1.0)
        slope = np.maximum(marginals["slope"][band], np.float32(FLATTEST))
        below, above = np.minimum(row - table[0], 0.0) / slope[0], np.maximum(row - table[-1], 0.0) / slope[1]
        out[band] = marginals["low"][band] + (index + share) * marginals["step"][band] + below + above
    return out
