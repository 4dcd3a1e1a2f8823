"""Squares: small pieces of a scene, spread over it, by which it is compared with what a fit saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIDE", "Sampled", "SquareSample", "Squares", "squares_in"]

SIDE = 32
"""Side of a square, pixels: half a scoring cell, so that no square straddles two windows."""
RUN = 64
"""Rows of a table that are drawn together."""
SAMPLED = 1200
"""Pixels of all squares together that are compared, at most: shifts of a tenth of a nat are seen with so many."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sampled:
    """Pixels of squares that are compared."""

    spectra: Floats
    """``(bands, n)``, physical units."""
    score: Floats
    """``(n,)``, nats; NaN where the model gives none on this grid."""


@dataclass(frozen=True, eq=False)
class Squares:
    """Some squares of a scene, or runs of rows of a table."""

    values: Floats
    """``(n, bands, rows, cols)``, physical units."""
    usable: NDArray[np.bool_]
    """``(n, rows, cols)``."""
    score: Floats
    """``(n, rows, cols)``, nats."""
    counted: NDArray[np.bool_]
    """``(n, rows, cols)``: the usable pixels that are compared; the others are only around them."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def in_space(self) -> bool:
        """Whether pixels have neighbours: not the rows of a table."""
        return bool(min(self.usable.shape[1:]) > 2)

    @cached_property
    def pixels(self) -> Sampled:
        """The pixels that are compared, evenly over all squares."""
        at = np.flatnonzero(self.usable & self.counted)
        at = at[:: max(1, at.size // SAMPLED)]
        spectra = self.values.swapaxes(0, 1).reshape(self.values.shape[1], -1)
        return Sampled(np.ascontiguousarray(spectra[:, at]), self.score.ravel()[at])


MOST_SQUARES = 24
"""Squares that a scene is compared by, at most; a scene of 160 by 160 pixels has as many."""
LEAST_USABLE = 0.25
"""Share of a square's pixels that are usable, at least, for the square to be taken."""


@dataclass
class SquareSample:
    """Squares drawn from a scene by a hash of their place: the same ones in whatever windows the scene is read."""

    shape: tuple[int, int]
    """Rows and columns of the scene; one row of a table."""
    most: int = MOST_SQUARES
    drawn: dict[int, tuple[Floats, NDArray[np.bool_], Floats]] = field(default_factory=dict)
    """The squares with the smallest hashes so far: values, usable pixels and scores of each."""

    def add(self, values: NDArray[np.generic], usable: NDArray[np.bool_], score: Floats, row: int, col: int) -> None:
        """Take in a window ``(bands, rows, cols)`` whose first pixel lies at ``row`` and ``col`` of the scene."""
        for place in squares_in(self.shape, usable.shape, row, col):
            key = _hash(row + place[0].start, col + place[1].start)
            if len(self.drawn) >= self.most and key >= max(self.drawn):
                continue
            if usable[place].mean() >= LEAST_USABLE:
                self.drawn[key] = (
                    np.array(values[(slice(None), *place)], np.float32),
                    usable[place].copy(),
                    score[place].copy(),
                )
                self._thin()

    def merge(self, other: SquareSample) -> None:
        """Take in what another drew from other windows."""
        self.drawn |= other.drawn
        self._thin()

    def _thin(self) -> None:
        """Let go of the squares with the largest hashes."""
        while len(self.drawn) > self.most:
            del self.drawn[max(self.drawn)]

    def squares(self) -> Squares | None:
        """The squares drawn, None where there are none."""
        if not self.drawn:
            return None
        values, usable, score = zip(*(self.drawn[key] for key in sorted(self.drawn)), strict=True)
        return Squares(np.stack(values), np.stack(usable), np.stack(score), np.stack(usable))


def squares_in(scene: tuple[int, int], shape: tuple[int, ...], row: int, col: int) -> Iterator[tuple[slice, slice]]:
    """Places of the complete squares of the lattice of a ``scene`` in a window of this ``shape`` at ``row`` and ``col``.

    Of a single row (a table), runs of 64 rows. A scene smaller than a square is one itself.
    """
    rows, cols = shape
    # The scene's size and not the window's: a narrow last window would otherwise bring squares that a wider one has not.
    high, wide = (min(SIDE, scene[0]), min(SIDE, scene[1])) if scene[0] > 1 else (1, min(RUN, max(scene[1], 1)))
    for first in range(-row % high, rows - high + 1, high):
        for left in range(-col % wide, cols - wide + 1, wide):
            yield slice(first, first + high), slice(left, left + wide)


def _hash(row: int, col: int) -> int:
    """A number for a place that is as good as random, by the finaliser of splitmix64 (Steele et al., 2014)."""
    mixed = (row * 0x9E3779B97F4A7C15 + col * 0xC2B2AE3D27D4EB4F + 0x632BE59BD9B4E019) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = ((mixed ^ (mixed >> shift)) * factor) % 2**64
    return mixed ^ (mixed >> 31)
