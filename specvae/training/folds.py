"""Folds: every normal pixel trains the model, and calibrates it by the score of a model that was fitted without its block.

Cross-conformal prediction (Vovk, Annals of Mathematics and Artificial Intelligence 74, 2015) and CV+ (Barber, Candes,
Ramdas and Tibshirani, Annals of Statistics 49, 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_FOLDS", "WIDE", "FoldMap", "dilate", "fold_numbers", "merged_count"]

MOST_FOLDS = 12
"""Folds at most: each pixel has a bit for each fold that must not train on it."""
LARGE_SAMPLES = ((5_000_000, 2), (1_000_000, 3))
"""Training pixels above which there are at most so many folds: a model of a half of them is as good as one of all."""
WIDE, WIDE_FOLDS = 256, 3
"""Values a pixel or patch above which there are at most so many folds."""


@dataclass(frozen=True)
class FoldMap:
    """The folds of the pixels of one region."""

    number: NDArray[np.int8]
    """``(rows, cols)``: the fold whose model scores a pixel, as it was fitted without it; -1 where none does."""
    near: NDArray[np.uint16]
    """``(rows, cols)``: bit k is set where a pixel lies in a block of fold k or within the buffer around it."""

    @classmethod
    def of(
        cls, folds: NDArray[np.int8], buffer: int, inside: tuple[slice, slice], usable: NDArray[np.bool_]
    ) -> FoldMap:
        """The map of the part ``inside`` of a window, whose blocks and their surroundings lie in ``folds`` ``(rows, cols)``."""
        near = np.zeros(folds.shape, np.uint16)
        for fold in np.unique(folds):
            near |= dilate(folds == fold, buffer).astype(np.uint16) << np.uint16(fold)
        return cls(np.where(usable, folds[inside], np.int8(-1)).astype(np.int8), np.ascontiguousarray(near[inside]))

    def held(self, fold: int) -> NDArray[np.bool_]:
        """``(rows, cols)``: True where the model of ``fold`` scores a pixel."""
        return np.asarray(self.number == fold, bool)

    def apart(self, fold: int) -> NDArray[np.bool_]:
        """``(rows, cols)``: True where the model of ``fold`` may train: outside its blocks and their buffers."""
        return np.asarray((self.near >> np.uint16(fold)) & np.uint16(1) == 0, bool)

    def merged(self, count: int) -> FoldMap:
        """The map with ``count`` folds: fold k joins fold k modulo ``count``."""
        near = np.zeros_like(self.near)
        for fold in range(MOST_FOLDS):
            near |= ((self.near >> np.uint16(fold)) & np.uint16(1)) << np.uint16(fold % count)
        number = np.where(self.number >= 0, self.number % count, self.number).astype(np.int8)
        return replace(self, number=number, near=near)


def fold_numbers(grid: tuple[int, int], count: int, seed: Sequence[int]) -> NDArray[np.int8]:
    """``(block rows, block cols)``: the fold of each block, at random, with equally many blocks in each of ``count`` folds."""
    blocks = grid[0] * grid[1]
    numbers = np.empty(blocks, np.int8)
    numbers[np.random.default_rng([*seed, 2]).permutation(blocks)] = np.arange(blocks) % count
    return numbers.reshape(grid)


def merged_count(count: int, training: int, values: int = 1) -> int:
    """How many of ``count`` folds remain for so many ``training`` pixels: 3 above a million, 2 above five millions.

    Three, too, of more than 256 ``values`` a pixel, as patches have them: their closed form takes most of the time of a fit.

    Examples
    --------
    >>> merged_count(6, 500_000), merged_count(6, 2_000_000), merged_count(6, 50_000_000), merged_count(6, 900, 1792)
    (6, 3, 2, 3)
    """
    count = min(count, WIDE_FOLDS) if values > WIDE else count
    return min([count, *(most for above, most in LARGE_SAMPLES if training > above)])


def dilate(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """True within ``radius`` (square window) of a True: where a box's sum, from running sums, is above 0."""
    if radius == 0 or not mask.any():
        return mask
    padded = np.pad(mask.astype(np.int32), radius + 1)[1:, 1:]
    total = padded.cumsum(0).cumsum(1)
    total = np.pad(total, ((1, 0), (1, 0)))
    side = 2 * radius + 1
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    return np.asarray(sums[: mask.shape[0], : mask.shape[1]] > 0)
