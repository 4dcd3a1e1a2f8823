"""Whether one band of a scene lies a pixel beside the others: by how well these explain its gradients, as it is and moved.

Edges of the ground lie in one place in all bands. So the gradients of a band are regressed on those of all others, at the
same place and with the band moved by a pixel in each of four directions. A band that is better explained when moved is out of
register. Both sides of the comparison are of the scene alone: its radiometry, season and kinds of ground do not matter, and
a band that says nothing, as over water, decides nothing, since the comparison is in its own standard errors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.drift.squares import Squares

__all__ = ["STEPS", "Displacement", "displacements", "gains_of_steps"]

STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Rows and columns by which a band is moved."""
FEWEST_SQUARES = 4
"""Squares from which on the standard error over them is known at all."""
STEEPEST = 4.0
"""Mean absolute gradients at which a gradient is cut off: no single edge decides."""
RIDGE = 1e-4
"""Share of the mean variance that is added to it, so that bands that say the same do not make the regression undetermined."""

Floats = NDArray[np.float64]
Displacement = tuple[float, int, tuple[int, int]]
"""How many standard errors better a band is explained when moved, the index of the band, and the step."""


def displacements(squares: Squares, bands: NDArray[np.integer], usual: Floats | None = None) -> list[Displacement]:
    """For each of ``bands`` the step that it is best explained at, in standard errors of the gain; none of too few squares.

    Below 0 where each step makes it worse, as in a scene in register. ``usual`` ``(bands, 4)``: what the steps gain on normal
    ground, beyond which their gain counts.
    """
    gains = gains_of_steps(squares, bands)
    gains = gains if usual is None else gains - usual[: len(gains)]
    return [
        (float(gains[at, best]), int(bands[at]), STEPS[best]) for at, best in enumerate(gains.argmax(axis=1).tolist())
    ]


def gains_of_steps(squares: Squares, bands: NDArray[np.integer]) -> Floats:
    """``(bands, 4)``: by how many standard errors better each of ``bands`` is explained at each of :data:`STEPS`.

    Of too few squares ``(0, 4)``.
    """
    if len(squares) < FEWEST_SQUARES or len(bands) < 2 or min(squares.usable.shape[1:]) < 5:
        return np.empty((0, len(STEPS)))
    within, across, variance = _moments(squares, bands)
    rows = []
    for index in range(len(bands)):
        others = np.delete(np.arange(len(bands)), index)
        gain, error = _gain(within[:, others][:, :, others], across[:, :, index][..., others], variance[:, :, index])
        rows.append(gain / error)
    return np.stack(rows)


def _moments(squares: Squares, bands: NDArray[np.integer]) -> tuple[Floats, Floats, Floats]:
    """By square: products of the gradients of all bands, of the moved with the unmoved ones, and squares of the moved.

    ``(squares, bands, bands)``, ``(squares, 5, bands, bands)`` and ``(squares, 5, bands)``; the first of five is not moved.
    """
    values = np.asarray(squares.values[:, bands], np.float64)
    good = _usable(squares.usable)
    gradient = np.stack(
        [values[..., 1:-1, 2:] - values[..., 1:-1, :-2], values[..., 2:, 1:-1] - values[..., :-2, 1:-1]], axis=2
    )
    size = np.maximum(np.abs(gradient).mean(axis=(0, 2, 3, 4), keepdims=True), 1e-12)
    gradient = np.clip(np.nan_to_num(gradient) / size, -STEEPEST, STEEPEST)
    rows, cols = gradient.shape[-2:]

    def at(down: int, right: int) -> Floats:
        """``(squares, bands, pixels)``: the gradients so many rows and columns further."""
        part = gradient[..., 1 + down : rows - 1 + down, 1 + right : cols - 1 + right] * good[:, None, None]
        return np.asarray(part.reshape(*part.shape[:2], -1))

    still = at(0, 0)
    moved = [still, *(at(*step) for step in STEPS)]
    across = np.stack([one @ still.swapaxes(1, 2) for one in moved], axis=1)
    return across[:, 0], across, np.stack([np.square(one).sum(axis=2) for one in moved], axis=1)


def _usable(usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where all 25 pixels around, of which moved gradients are made, are usable; two pixels off each side."""
    rows, cols = usable.shape[1:]
    good = np.ones((len(usable), rows - 4, cols - 4), bool)
    for down in range(5):
        for right in range(5):
            good &= usable[:, down : rows - 4 + down, right : cols - 4 + right]
    return good


def _gain(within: Floats, across: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """``(4,)`` each: gain in the explained share by each step, and its standard error by leaving out square by square."""
    totals = [moment.sum(axis=0, keepdims=True) for moment in (within, across, variance)]
    without = [total - moment for total, moment in zip(totals, (within, across, variance), strict=True)]
    explained = _explained(*(np.concatenate(pair) for pair in zip(totals, without, strict=True)))
    gains = explained[:, 1:] - explained[:, :1]
    count = len(gains) - 1
    error = np.sqrt((count - 1) / count * np.square(gains[1:] - gains[1:].mean(axis=0)).sum(axis=0))
    return gains[0], np.maximum(error, 1e-9)


def _explained(within: Floats, across: Floats, variance: Floats) -> Floats:
    """``(n, 5)``: share of a band's squared gradients that the others explain; 0 where it has none."""
    trace = np.trace(within, axis1=1, axis2=2) / within.shape[1]
    ridge = (RIDGE * trace + 1e-12)[:, None, None] * np.eye(within.shape[1])
    slopes = np.linalg.solve(within + ridge, across.swapaxes(1, 2))
    return np.asarray(np.einsum("nfb,nbf->nf", across, slopes) / np.maximum(variance, 1e-9))
