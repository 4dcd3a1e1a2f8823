"""What a pixel is for in a fit, and how many pixels of each role are wanted from a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import SamplingConfig

__all__ = ["Quota", "Role"]

MOST_HELD = 2_000_000
"""Pixels that calibrate, at most, over all sources: no rate needs more, and the blocks count rather than the pixels."""


class Role(IntEnum):
    """What a pixel is for."""

    UNUSED = 0
    TRAIN = 1
    VALIDATION = 2
    CALIBRATION = 3


@dataclass
class Quota:
    """How many pixels of each role are still wanted from a source."""

    remaining: dict[Role, int]
    """Pixels of each role that are still wanted; negative where a block brought more."""
    folded: int = 0
    """Pixels that may still calibrate by the model of a fold."""
    wanted: dict[Role, int] = field(init=False)
    """Pixels of each role that were wanted at first."""

    def __post_init__(self) -> None:
        self.wanted = dict(self.remaining)

    @classmethod
    def share(cls, config: SamplingConfig, sources: int) -> Quota:
        """An equal share of the sample for each of ``sources``; calibration is cheap, so it may have as much again."""
        wanted = max(1, config.max_pixels // sources)
        held = max(1, min(MOST_HELD, config.max_pixels) // sources)
        return cls(
            {Role.TRAIN: wanted, Role.VALIDATION: max(1, int(wanted * config.validation)), Role.CALIBRATION: held}
        )

    @classmethod
    def crossed(cls, config: SamplingConfig, sources: int) -> Quota:
        """The share of each of ``sources`` that are cross-fitted: what trains also calibrates, and all around it that is read."""
        wanted = cls.share(config, sources).remaining
        del wanted[Role.CALIBRATION]
        return cls(wanted, max(1, MOST_HELD // sources))

    def calibrating(self, usable: NDArray[np.bool_], block: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which ``usable`` pixels ``(rows, cols)`` calibrate by the model of a fold: complete blocks, until the quota is full."""
        names, where = np.unique(block, return_inverse=True)
        where = where.reshape(block.shape)
        sizes = np.bincount(where.ravel(), usable.ravel(), names.size).astype(np.int64)
        order = np.random.default_rng(names.size).permutation(names.size)
        chosen = np.zeros(names.size, bool)
        chosen[order[np.cumsum(sizes[order]) - sizes[order] < self.folded]] = True
        self.folded -= int(sizes[chosen].sum())
        return usable & chosen[where]

    def wants(self, roles: NDArray[np.uint8]) -> bool:
        """Whether a window with these block roles has something still wanted."""
        return any(self.remaining.get(Role(int(r)), 0) > 0 for r in np.unique(roles))

    def take(self, role: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Count what a region brings; what is beyond the quota becomes UNUSED.

        Of training and validation pixels as many as are wanted stay, evenly spread; of held-out blocks all pixels stay.
        """
        role = role.copy()
        for kind, wanted in self.remaining.items():
            here = np.flatnonzero(role == kind)
            if wanted <= 0:
                role.flat[here] = Role.UNUSED
            elif kind != Role.CALIBRATION and here.size > wanted:
                # Evenly, since the first ones would all lie in the top rows. A held-out block is resampled as one, so it
                # is not thinned.
                spread = here[np.arange(wanted) * here.size // wanted]
                role.flat[here] = Role.UNUSED
                role.flat[spread] = kind
            self.remaining[kind] -= here.size
        return role

    @property
    def filled(self) -> float:
        """The share, 0..1, of the training pixels wanted that came."""
        wanted = self.wanted.get(Role.TRAIN, 0)
        return min(1.0, 1.0 - self.remaining[Role.TRAIN] / wanted) if wanted else 0.0

    @property
    def full(self) -> bool:
        """Whether nothing more is wanted."""
        return all(wanted <= 0 for wanted in self.remaining.values())
