"""Rows of a table as the detector takes them: their roles, their region, and why each scores as it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from specvae.model.config import ModelConfig
from specvae.spectra import Cube, Window
from specvae.thresholds.tiles import INDEPENDENT
from specvae.training.sampling import Region, Role

__all__ = ["RowExplanation", "Rows", "region_of", "roles_of", "seed_of", "to_float32"]

FLOAT32 = 3e38
"""Values are computed in float32: larger ones are cut to this."""
ENOUGH_TO_HOLD_OUT = 50
"""Fewer rows are all trained on."""
Rows = NDArray[np.float64]


@dataclass(frozen=True)
class RowExplanation:
    """Why rows score as they do, ``(n, bands)`` each.

    Examples
    --------
    >>> import numpy as np
    >>> from specvae import SpectralVAE
    >>> rows = np.random.default_rng(0).normal(size=(300, 4))
    >>> odd = rows[:1] + [[0.0, 0.0, 60.0, 0.0]]
    >>> told = SpectralVAE(steps=20).fit(rows).explain(odd)
    >>> told.contribution.shape, bool(told.deviation[0, 2] > 3)
    ((1, 4), True)
    """

    contribution: Rows
    """Nats of each band; over bands they add up to the reconstruction term."""
    deviation: Rows
    """Signed (x - mu) / sigma: positive = brighter than expected."""
    expected: Rows
    """The reconstructed spectrum in the units of the input."""


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def roles_of(n: int, config: ModelConfig, held_out: float) -> NDArray[np.uint8]:
    """``(n,)`` seeded roles of rows: some calibrate, some validate, the rest trains, up to the sample's limit."""
    roles = np.full(n, Role.TRAIN, np.uint8)
    order = np.random.default_rng([config.seed, n]).permutation(n)
    if n >= ENOUGH_TO_HOLD_OUT:
        held, checked = round(n * held_out), max(2, round(n * config.sampling.validation))
        roles[order[:held]] = Role.CALIBRATION
        roles[order[held : held + checked]] = Role.VALIDATION
    training = np.nonzero(roles[order] == Role.TRAIN)[0]
    roles[order[training[config.sampling.max_pixels :]]] = Role.UNUSED
    return roles


def region_of(rows: Rows, roles: NDArray[np.uint8]) -> Region:
    """Rows ``(n, features)`` as one row of pixels, each a block of its own."""
    values = np.ascontiguousarray(to_float32(rows).T)[:, None, :]
    window = Window(0, 0, 1, len(rows))
    cube = Cube(values, np.zeros((1, len(rows)), np.uint8), window)
    return Region(cube, window, roles[None, :], np.full((1, len(rows)), INDEPENDENT, np.int32), 0)


def to_float32(rows: Rows) -> NDArray[np.float32]:
    return np.clip(rows, -FLOAT32, FLOAT32).astype(np.float32)
