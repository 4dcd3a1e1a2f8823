"""What surrounds a pixel: ring means of the scene's leading principal components, exact whatever the window.

The normalised cube is projected on a few components, the components are rounded to multiples of 2**-14, and
sums over the outer and the guard window are differences of running sums of integers. Integer sums are exact and
do not depend on where they start, so a pixel's context is the same in whatever window it was read.

What one pixel can do to its neighbours is bounded: a pixel whose components are further from the mean than those of
normal pixels counts less in their rings, and from one and a half times that distance on not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from specvae.model.config import ContextConfig
from specvae.model.config_defaults import BOUND
from specvae.model.sizes import CONTEXT_LIMIT, FADE, QUANTUM, component_count

__all__ = ["RingContext", "ring_sums", "summed_area"]

Spread = Callable[[Sequence[int], Callable[[int], None]], None]
"""Calls a function for each of some numbers, possibly in several threads."""

UNIT = 2**14
"""The weight of a pixel that counts in full; weights are integers, so that their sums are exact."""
STRIP = 64
"""Rows of sums that are computed at once, so that they stay in the processor's cache over all passes."""


def summed_area(plane: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sums over everything above and left of each corner: ``(rows, cols)`` -> ``(rows + 1, cols + 1)``, modulo 2**32.

    Crow, *Summed-area tables for texture mapping* (1984). That sums wrap around does not matter: differences of
    corners are exact wherever a box's own sum fits an int32.
    """
    area = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1), np.int32)
    torch.cumsum(torch.from_numpy(plane), 1, dtype=torch.int32, out=torch.from_numpy(area)[1:, 1:])
    for above, row in zip(area[1:-1], area[2:], strict=True):
        row += above
    return area


def ring_sums(area: NDArray[np.int32], outer: int, guard: int) -> NDArray[np.int32]:
    """Sums over ``outer x outer`` windows less the ``guard x guard`` ones in their middle, exact.

    ``area`` ``(rows + 1, cols + 1)`` is from :func:`summed_area`; the result ``(rows - outer + 1, cols - outer + 1)``.
    """
    rows, cols = area.shape[0] - outer, area.shape[1] - outer
    near = (outer - guard) // 2
    far = near + guard
    out = np.empty((rows, cols), np.int32)
    # A box's sum is the difference of four corners of the summed area; outer and guard window together take eight. Each
    # sum may wrap around modulo 2**32, yet the last difference is right, since the ring's own sum fits an int32.
    for top in range(0, rows, STRIP):
        strip = out[top : top + STRIP]
        rows_below = area[top : top + len(strip) + outer]

        def corner(row: int, col: int, area: NDArray[np.int32] = rows_below, n: int = len(strip)) -> NDArray[np.int32]:
            return area[row : row + n, col : col + cols]

        np.subtract(corner(outer, outer), corner(0, outer), out=strip)
        for plus, minus in (((0, 0), (outer, 0)), ((near, far), (far, far)), ((far, near), (near, near))):
            strip += corner(*plus)
            strip -= corner(*minus)
    return out


EXPECT_ROUNDS = 10
"""How many times the pixels whose surroundings changed most are dropped before the dates' surroundings are related again."""
RIDGE = 1e-4
"""Added to variances, so that components that are alike or never varied can be solved for."""


class RingContext(nn.Module):
    """Leading components of the normalised cube, averaged over a ring: an outer window less a guard window.

    Without ``bounded`` every valid pixel counts alike, as in models that were fitted before weights existed.
    """

    projection: Tensor
    shift: Tensor
    limit: Tensor

    def __init__(self, bands: int, config: ContextConfig, bounded: bool = True, earlier: int = 0) -> None:
        """``earlier``: bands of an earlier date, which stand behind the ``bands`` and have components of their own."""
        super().__init__()
        self.outer, self.guard, self.bound = config.outer, config.guard, config.bound or BOUND
        self.bands = bands
        self.earlier = min(config.components or component_count(earlier), earlier) if earlier else 0
        """How many of the components, the last ones, are of the earlier date."""
        self.components = min(config.components or component_count(bands), bands) + self.earlier
        self.register_buffer("projection", torch.zeros(self.components, bands + earlier))
        self.register_buffer("shift", torch.zeros(self.components, 1))
        self.bounded = bounded
        if bounded:
            # Squared length of the components up to which a pixel counts in full.
            self.register_buffer("limit", torch.tensor(1e9))

    @property
    def planes(self) -> int:
        """Rows of :meth:`quantise`: the components, and the weights where there are any."""
        return self.components + self.bounded

    @property
    def halo(self) -> int:
        """Pixels needed on each side."""
        return self.outer // 2

    def fit(self, normalised: NDArray[np.floating]) -> RingContext:
        """Learn the components from ``(bands, n)`` normalised training spectra, each scaled to unit variance.

        Those of an earlier date stand behind the others, and have components of their own.
        """
        first = self.components - self.earlier
        later = (slice(0, first), slice(0, self.bands))
        before = (slice(first, self.components), slice(self.bands, len(normalised)))
        for rows, cols in (later, before) if self.earlier else (later,):
            projection, shift = _leading(normalised[cols], rows.stop - rows.start)
            self.projection[rows, cols] = torch.from_numpy(projection).to(self.projection)
            self.shift[rows] = torch.from_numpy(shift).to(self.shift)
        if self.bounded:
            away = self.projection.double().numpy() @ np.asarray(normalised, np.float64) - self.shift.double().numpy()
            lengths = np.square(away).sum(axis=0)
            self.limit.fill_(max(float(np.quantile(lengths, self.bound)), 1e-3))
        return self

    def expect(self, contexts: NDArray[np.floating], trim: float) -> None:
        """Take from the later date's components what the earlier date's surroundings let expect of them.

        Learned from ``(components, n)`` contexts of training pixels, without the ``trim`` share that is furthest from it:
        over a ring the dates agree more closely than pixel by pixel, where each is half a pixel beside the other.
        """
        first = self.components - self.earlier
        both = np.asarray(contexts, np.float64)
        later, one = both[:first], np.concatenate([both[first:], np.ones((1, both.shape[1]))])
        keep = np.ones(both.shape[1], bool)
        for _ in range(EXPECT_ROUNDS if trim else 1):
            known = one[:, keep]
            gram = known @ known.T + RIDGE * known.shape[1] * np.eye(len(one))
            slope = np.linalg.solve(gram, known @ later[:, keep].T).T
            away = later - slope @ one
            covariance = np.cov(away[:, keep]).reshape(first, first) + RIDGE * np.eye(first)
            distance = (away * np.linalg.solve(covariance, away)).sum(axis=0)
            keep = distance <= np.quantile(distance, 1.0 - trim)
        # Linear in the pixels' components, so that one projection of both dates does it before anything is summed.
        expected, offset = (
            torch.from_numpy(slope[:, :-1]).to(self.shift),
            torch.from_numpy(slope[:, -1:]).to(self.shift),
        )
        self.projection[:first] -= expected @ self.projection[first:]
        self.shift[:first] -= expected @ self.shift[first:] - offset

    def own(self, seen: Tensor) -> Tensor:
        """``(earlier, n)``: components of the pixel itself on the earlier date, from its ``(bands, n)`` in standard units."""
        first = self.components - self.earlier
        return torch.addmm(-self.shift[first:], self.projection[first:, self.bands :], seen)

    def quantise(self, normalised: Tensor) -> Tensor:
        """``(bands, n)`` normalised spectra -> ``(planes, n)`` int32: the components in multiples of the quantum.

        Where weights are used, each component is multiplied by its pixel's weight, and the weights in units of 2**-14
        are the last row.
        """
        scores = torch.addmm(-self.shift / QUANTUM, self.projection / QUANTUM, normalised)
        if not self.bounded:
            # Rounded before anything is summed: sums of floats would depend on where in the scene the running sums begin.
            return scores.clamp_(-CONTEXT_LIMIT, CONTEXT_LIMIT).round_().to(torch.int32)
        length = (scores * QUANTUM).square().sum(dim=0, keepdim=True)
        end = self.limit * FADE
        weight = ((end - length) / (end - self.limit)).clamp(0.0, 1.0).mul(UNIT).round()
        codes = scores.clamp(-CONTEXT_LIMIT, CONTEXT_LIMIT) * (weight / UNIT)
        return torch.cat([codes, weight]).round_().to(torch.int32)

    def alike(self, codes: Tensor) -> Tensor:
        """``(components, n)``: the means of rings that are everywhere like the pixel of these ``(planes, n)`` codes."""
        if not self.bounded:
            return codes * QUANTUM
        return codes[:-1] / codes[-1:].clamp(min=1)

    def weight(self, codes: Tensor) -> Tensor:
        """``(n,)``: how much the pixels of these ``(planes, n)`` codes count in the rings of their neighbours, 0 to 1."""
        return codes[-1] / UNIT if self.bounded else torch.ones_like(codes[-1], dtype=torch.float32)

    def ring_means(
        self, maps: NDArray[np.int32], valid: NDArray[np.bool_], spread: Spread | None = None
    ) -> NDArray[np.float32]:
        """Means over each pixel's ring of valid neighbours, each counted by its weight.

        ``maps`` is ``(planes, rows + 2 halo, cols + 2 halo)`` from :meth:`quantise`, 0 where not ``valid``; the
        result ``(components, rows, cols)``. A ring with no valid pixel has the mean spectrum's context, 0; so has,
        the more so, a ring in which all pixels together count less than a single one does in full.
        ``spread`` may compute several components at the same time.
        """
        if self.bounded:
            total = ring_sums(summed_area(maps[-1]), self.outer, self.guard)
            scale: NDArray[np.float32] | np.float32 = np.float32(1.0) / np.maximum(total, UNIT).astype(np.float32)
        elif valid.all():
            scale = np.float32(QUANTUM) / np.float32(self.outer**2 - self.guard**2)
        else:
            count = ring_sums(summed_area(valid.astype(np.int32)), self.outer, self.guard)
            scale = np.float32(QUANTUM) / np.maximum(count, 1).astype(np.float32)
        rows, cols = valid.shape
        means = np.empty((self.components, rows + 1 - self.outer, cols + 1 - self.outer), np.float32)

        def fill(component: int) -> None:
            sums = ring_sums(summed_area(maps[component]), self.outer, self.guard)
            np.multiply(sums, scale, out=means[component], dtype=np.float32, casting="same_kind")

        (spread or _in_turn)(range(self.components), fill)
        return means


def _leading(values: NDArray[np.floating], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Projection ``(count, bands)`` on the leading components of ``(bands, n)``, in units of their spread, and the mean's place."""
    wide = np.asarray(values, dtype=np.float64)
    mean = wide.mean(axis=1, keepdims=True)
    covariance = (wide - mean) @ (wide - mean).T / max(1, wide.shape[1] - 1)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    leading = np.argsort(eigenvalues)[::-1][:count]
    # An eigenvector's sign is arbitrary: its largest entry is made positive, so that another LAPACK gives the same context.
    vectors = vectors[:, leading] * np.sign(vectors[np.abs(vectors[:, leading]).argmax(axis=0), leading])
    spread = np.sqrt(np.maximum(eigenvalues[leading], 1e-6))
    projection = (vectors / spread).T
    return projection, projection @ mean


def _in_turn(components: Sequence[int], job: Callable[[int], None]) -> None:
    """Call ``job`` for one component after the other."""
    for component in components:
        job(component)
