"""What lost its vegetation between the dates of two groups: a reference by one index that no model and no watch has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from specvae.components import label

__all__ = ["EIGHT", "Loss", "Patch", "vegetation_loss"]

RED, NEAR_INFRARED = "B4", "B8"
GREEN, LOST, SMALLEST = 0.45, 0.2, 3
"""The index of ground that was green, by how much it has fallen beyond the median of all pixels, and pixels of a patch."""
EIGHT = np.ones((3, 3), bool)
"""A pixel and the eight around it."""


@dataclass(frozen=True, eq=False)
class Patch:
    """Touching pixels that lost their vegetation."""

    at: NDArray[np.int64]
    """``(n, 2)`` rows and columns."""


@dataclass(frozen=True, eq=False)
class Loss:
    """All patches of a place, the largest first."""

    patches: tuple[Patch, ...]
    any: NDArray[np.bool_]
    """``(rows, cols)``: where there is one."""


def vegetation_loss(scenes: Sequence[Path], masks: Sequence[Path], earlier: Sequence[bool]) -> Loss:
    """Where the median vegetation index (NDVI) of the later scenes is far below that of the earlier ones.

    ``masks``: 1 = usable, one a scene; ``earlier``: which scenes are before.
    """
    index = np.stack([_vegetation_index(scene, mask) for scene, mask in zip(scenes, masks, strict=True)])
    before, after = (_median(index[np.array(earlier) == value]) for value in (True, False))
    change = after - before
    with np.errstate(invalid="ignore"):
        lost = (change - np.nanmedian(change) < -LOST) & (before > GREEN)
    numbers, _ = label(lost)
    sizes = np.bincount(numbers.ravel())
    order = sorted(range(1, sizes.size), key=lambda number: -sizes[number])
    patches = tuple(Patch(np.argwhere(numbers == number)) for number in order if sizes[number] >= SMALLEST)
    return Loss(patches, np.asarray(lost & (sizes >= SMALLEST)[numbers]))


def _vegetation_index(scene: Path, mask: Path) -> NDArray[np.float64]:
    with rasterio.open(scene) as read, rasterio.open(mask) as usable:
        red, near = (read.read(1 + read.descriptions.index(name)).astype(float) for name in (RED, NEAR_INFRARED))
        index = (near - red) / np.maximum(near + red, 1)
        return np.where(usable.read(1) > 0, index, np.nan)


def _median(index: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median over the scenes that see a pixel; NaN where none does."""
    unseen = np.isnan(index).all(axis=0)
    return np.where(unseen, np.nan, np.nanmedian(np.where(unseen, 0, index), axis=0))
