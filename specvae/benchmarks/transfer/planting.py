"""Planting real spectra of another place in a scene: targets of several sizes, at one share of each pixel, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.spectra import Cube

__all__ = ["FILLS", "Planted", "plant"]

FILLS = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Share of a planted pixel that the other place's spectrum takes."""
SHARE = 0.004
"""Share of the scene that the targets of one size cover, where a single one does not cover more."""
MOST = 20
"""Targets of one size, at most."""


@dataclass(frozen=True, eq=False)
class Planted:
    """A scene with targets."""

    cube: Cube
    size: NDArray[np.int32]
    """``(rows, cols)``: pixels of the target that a pixel belongs to; 0 on untouched ground, -1 where it is not valid."""


def plant(ground: Cube, strange: Cube, fill: float, sizes: Sequence[int], seed: int) -> Planted:
    """The ``ground`` with discs of each of the ``sizes`` in pixels, mixed with spectra of ``strange``.

    Every second disc has the other place's texture: its pixels are mixed with as many neighbouring spectra; the others
    with one spectrum alone. Places and spectra depend on the seed, not on the fill, so that all fills are judged alike.
    """
    rng = np.random.default_rng([seed, *ground.valid.shape])
    size = np.where(ground.valid, 0, -1).astype(np.int32)
    values = np.array(ground.values, np.float32)
    for pixels in sorted(sizes, reverse=True):
        count = int(np.clip(SHARE * ground.valid.sum() / pixels, 1, MOST))
        for number in range(count):
            rows, cols = _disc(size, pixels, rng)
            spectra = _texture(strange, rows, cols, rng)
            spectra = spectra if number % 2 else spectra[:, :1]
            values[:, rows, cols] = (1.0 - fill) * values[:, rows, cols] + fill * spectra
            size[rows, cols] = pixels
    return Planted(Cube(values, ground.reason, ground.window), size)


def _disc(size: NDArray[np.int32], pixels: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the untouched valid pixels nearest to a random one of them, its own first."""
    free = np.argwhere(size == 0)
    away = np.square(free - free[rng.integers(len(free))]).sum(axis=1)
    chosen = free[np.argsort(away, kind="stable")[:pixels]]
    return chosen[:, 0], chosen[:, 1]


def _texture(
    strange: Cube, rows: NDArray[np.intp], cols: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.float32]:
    """``(bands, n)``: spectra around a random pixel of the other place, each where the target's pixel lies in its disc."""
    places = np.argwhere(strange.valid)
    row, col = places[rng.integers(len(places))]
    down = (row + rows - rows[0]) % strange.valid.shape[0]
    right = (col + cols - cols[0]) % strange.valid.shape[1]
    usable = strange.valid[down, right]
    # What is not valid there has no spectrum: the one in the middle takes its place.
    return strange.spectra(np.where(usable, down, row), np.where(usable, right, col))
