"""What surrounds a pixel: ring means of the scene's leading principal components, exact whatever the window.

The normalised cube is projected on a few components, the components are rounded to multiples of 2**-14, and
sums over the outer and the guard window are differences of running sums of integers. Integer sums are exact and
do not depend on where they start, so a pixel's context is the same in whatever window it was read.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specvae.config import ContextConfig

__all__ = ["RingContext", "box_sums", "component_count"]

QUANTUM = 2.0**-14
LIMIT = 3 * 2**14
"""Components stay within +-3 standard deviations, so that an anomaly weighs little in the rings of its neighbours, and
49 x 49 of them fit an int32 sum."""


def component_count(bands: int) -> int:
    """Components of the context by default: all up to 6 bands, then fewer than the bands, 16 at most."""
    return int(min(bands, max(6, min(16, bands // 2))))


def box_sums(maps: NDArray[np.int32], side: int) -> NDArray[np.int32]:
    """Sums over ``side x side`` windows of ``(k, rows, cols)`` -> ``(k, rows - side + 1, cols - side + 1)``, exact."""
    down = np.cumsum(maps, axis=1, dtype=np.int32)
    tall = down[:, side - 1 :].copy()
    tall[:, 1:] -= down[:, :-side]
    across = np.cumsum(tall, axis=2, dtype=np.int32)
    wide = across[:, :, side - 1 :].copy()
    wide[:, :, 1:] -= across[:, :, :-side]
    return wide


class RingContext(nn.Module):
    """Leading components of the normalised cube, averaged over a ring: an outer window less a guard window."""

    projection: Tensor
    shift: Tensor

    def __init__(self, bands: int, config: ContextConfig) -> None:
        super().__init__()
        self.outer, self.guard = config.outer, config.guard
        self.components = min(config.components or component_count(bands), bands)
        self.register_buffer("projection", torch.zeros(self.components, bands))
        self.register_buffer("shift", torch.zeros(self.components, 1))

    @property
    def halo(self) -> int:
        """Pixels needed on each side."""
        return self.outer // 2

    def fit(self, normalised: NDArray[np.floating]) -> RingContext:
        """Learn the components from ``(bands, n)`` normalised training spectra, each scaled to unit variance."""
        wide = np.asarray(normalised, dtype=np.float64)
        mean = wide.mean(axis=1, keepdims=True)
        covariance = (wide - mean) @ (wide - mean).T / max(1, wide.shape[1] - 1)
        values, vectors = np.linalg.eigh(covariance)
        leading = np.argsort(values)[::-1][: self.components]
        vectors = vectors[:, leading] * np.sign(vectors[np.abs(vectors[:, leading]).argmax(axis=0), leading])
        spread = np.sqrt(np.maximum(values[leading], 1e-6))
        projection = (vectors / spread).T
        self.projection.copy_(torch.from_numpy(projection))
        self.shift.copy_(torch.from_numpy(projection @ mean))
        return self

    def quantise(self, normalised: Tensor) -> Tensor:
        """``(bands, n)`` normalised spectra -> ``(components, n)`` int32 multiples of the quantum."""
        scores = torch.addmm(-self.shift, self.projection, normalised)
        return scores.div_(QUANTUM).clamp_(-LIMIT, LIMIT).round_().to(torch.int32)

    def ring_means(self, maps: NDArray[np.int32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Means over each pixel's ring of valid neighbours.

        ``maps`` is ``(components, rows + 2 halo, cols + 2 halo)`` from :meth:`quantise`, 0 where not ``valid``; the
        result ``(components, rows, cols)``. A ring with no valid pixel has the mean spectrum's context, 0.
        """
        inner = (self.outer - self.guard) // 2
        stack = np.concatenate([maps, valid[None].astype(np.int32)])
        outer = box_sums(stack, self.outer)
        guarded = box_sums(stack[:, inner : stack.shape[1] - inner, inner : stack.shape[2] - inner], self.guard)
        outer -= guarded
        count = np.maximum(outer[-1], 1).astype(np.float32)
        return np.asarray(outer[:-1].astype(np.float32) * np.float32(QUANTUM) / count, np.float32)
