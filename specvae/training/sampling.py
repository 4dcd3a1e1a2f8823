"""What a fit takes from its sources: a split into blocks with roles, and the regions that are read for it.

Blocks, not pixels, are held out, so that held-out means not next door: training pixels keep one ring radius away
from calibration blocks. A region is a window read with its halo, with the role of each of its pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import SamplingConfig
from specvae.spectra import CELL, Cube, Invalid, Window
from specvae.thresholds.tiles import INDEPENDENT
from specvae.training.folds import FoldMap, dilate, fold_numbers
from specvae.training.quota import Quota, Role

__all__ = [
    "LEAST",
    "Region",
    "Split",
    "cross_split",
    "region_of_rows",
    "regions_of",
    "split_blocks",
    "split_rows",
]

UNIT = CELL
"""Side of a block in a large scene, pixels: as a scoring cell, so that no cell is computed for two blocks."""
LEAST = 24
"""Fewest training pixels that a model is fitted on."""
FOLD_UNIT = 16
"""Least side of the blocks of a fold in a scene of four blocks a side and more, pixels, where the model has a context."""
FOLD_BLOCKS = 150
"""Blocks of a scene that are dealt into folds, about, as far as their sides allow it.

Ground that a small scene shows in one place only is strange to a fold's model where one block holds all of it, and so it does
not score in another scene of that place. Of many blocks each leaves some of such ground to the models that score it.
"""
SPECK = 4
"""Side of the little blocks that validate training, pixels: scattered, so that they show every kind of ground."""
SMALL_BUDGET = 0.09
"""Share of a small scene that calibration blocks and their buffers take, at most, beyond the first."""
WHOLE = 1_000_000
"""A scene of at most so many pixels is read at once, as one region."""


@dataclass(frozen=True)
class Split:
    """Roles of the blocks of one source."""

    shape: tuple[int, int]
    """Rows and cols of the source."""
    unit: tuple[int, int]
    """Rows and cols of a block."""
    roles: NDArray[np.uint8]
    """``(block rows, block cols)`` of :class:`Role`."""
    buffer: int
    """Pixels around calibration blocks that train nothing."""
    validation: float = 0.0
    """Share of the training pixels, in scattered specks, by which training knows when to stop."""
    seed: int = 0
    folds: NDArray[np.int8] | None = None
    """``(block rows, block cols)``: fold of each block where the source is cross-fitted; None where a part is held out."""

    def fold_map(self, window: Window, usable: NDArray[np.bool_]) -> FoldMap | None:
        """The folds of the pixels ``usable`` ``(rows, cols)`` of a window; None where the source is not cross-fitted."""
        if self.folds is None:
            return None
        around = window.grow(self.buffer).clip(Window(0, 0, *self.shape))
        inside = window.shift(-around.row, -around.col).slices
        return FoldMap.of(self.folds.ravel()[self.block(around)], self.buffer, inside, usable)

    def block(self, window: Window) -> NDArray[np.int32]:
        """``(rows, cols)``: number of the block that each pixel lies in."""
        rows = np.arange(window.row, window.row + window.rows) // self.unit[0]
        cols = np.arange(window.col, window.col + window.cols) // self.unit[1]
        return np.asarray(rows[:, None] * self.roles.shape[1] + cols[None, :], dtype=np.int32)

    def role(self, window: Window) -> NDArray[np.uint8]:
        """``(rows, cols)`` of :class:`Role`; training pixels within the buffer of a calibration block are unused."""
        around = window.grow(self.buffer).clip(Window(0, 0, *self.shape))
        roles = self.roles.ravel()[self.block(around)]
        held = roles == Role.CALIBRATION
        near = dilate(held, self.buffer)
        roles = np.where(near & ~held, np.uint8(Role.UNUSED), roles).astype(np.uint8)
        # Specks have no buffer and resemble the training pixels beside them: enough to say when to stop, not for thresholds.
        roles[(roles == Role.TRAIN) & self._specks(around)] = Role.VALIDATION
        inside = window.shift(-around.row, -around.col)
        return roles[inside.slices]

    def _specks(self, window: Window) -> NDArray[np.bool_]:
        """``(rows, cols)``: True in the specks chosen for validation, the same whatever the window."""
        side = min(SPECK, *self.unit)
        rows = np.arange(window.row, window.row + window.rows, dtype=np.uint64) // np.uint64(side)
        cols = np.arange(window.col, window.col + window.cols, dtype=np.uint64) // np.uint64(side)
        return _uniform(rows[:, None], cols[None, :], self.seed) < self.validation


def _uniform(rows: NDArray[np.uint64], cols: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """A uniform number in [0, 1) for each pair, by the finaliser of splitmix64 (Steele et al., 2014).

    A hash of the position, not a generator: it is the same whatever window the pixel is read in, and needs no memory.
    """
    key = np.uint64((seed * 0xD1342543DE82EF95) % 2**64)
    mixed = key ^ (rows * np.uint64(0x9E3779B97F4A7C15)) ^ (cols * np.uint64(0xC2B2AE3D27D4EB4F))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11), np.float64) / 2.0**53


@dataclass(frozen=True)
class Region:
    """A window of a source, read with its halo."""

    cube: Cube
    """The window and what lies around it in the scene."""
    window: Window
    role: NDArray[np.uint8]
    """``(rows, cols)`` of :class:`Role`, UNUSED where invalid or not normal."""
    block: NDArray[np.int32]
    """``(rows, cols)`` of the window: the block's number."""
    source: int
    folds: FoldMap | None = None
    """Which fold's model scores each pixel; None where no pixel is scored by the model of a fold."""
    edge: NDArray[np.bool_] | None = None
    """``(rows, cols)``: True along the edge of a mask, where pixels leave calibration if they set the cut; None where they
    stay, or left already since a user said how many are to."""

    @property
    def is_table(self) -> bool:
        """Whether its pixels are rows of a table, not neighbours."""
        return bool((self.block == INDEPENDENT).all())

    def spectra(self, role: Role) -> NDArray[np.float32]:
        """``(bands, n)`` spectra of one role, in row-major order."""
        return np.ascontiguousarray(self.cube.crop(self.window).values[:, self.role == role])


def split_blocks(shape: tuple[int, int], buffer: int, config: SamplingConfig, seed: int, borders: bool = True) -> Split:
    """A seeded split of a scene of ``shape`` into training, validation and calibration blocks.

    In a small scene blocks shrink, lie at the border where their buffer costs least, and where they have buffers they
    keep about a twelfth of the scene from training: ground that is never trained on scores as if it were strange. Without
    ``borders`` they lie anywhere: patches at the border may hang over it, and hold out nothing.
    """
    rows, cols = shape
    small = rows * cols <= WHOLE // 4
    unit, grid = _blocks(shape)
    roles = np.full(grid, Role.TRAIN, np.uint8)
    rng = np.random.default_rng([seed, rows, cols])
    count = roles.size
    order = rng.permutation(count)
    if small and count > 4 and borders:
        # Corners first, then borders: a buffer reaches out of the scene there.
        r, c = np.divmod(order, grid[1])
        edges = ((r == 0) | (r == grid[0] - 1)).astype(int) + ((c == 0) | (c == grid[1] - 1))
        order = order[np.argsort(-edges, kind="stable")]
    # Of three blocks none can be spared: such a scene only trains.
    if count < 4:
        return Split(shape, unit, roles, buffer)
    held = max(1, round(count * config.calibration)) if config.calibration else 0
    calibration = order[:held]
    roles.flat[calibration] = Role.CALIBRATION
    if small and buffer:
        _give_back(Split(shape, unit, roles, buffer), calibration)
    return Split(shape, unit, roles, buffer, config.validation, seed)


def _blocks(shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and cols of a block of a source of ``shape``, and how many blocks there are along each side."""
    rows, cols = shape
    side = int(np.clip(-(-min(shape) // 8), 1, UNIT)) if rows * cols <= WHOLE // 4 else UNIT
    # Rows that follow each other in a table often resemble each other: they are held out in runs, as pixels are in blocks.
    unit = (min(side, rows), min(side, cols)) if min(shape) > 1 else (1, max(1, max(shape) // 50))
    unit = unit if rows <= cols or min(shape) > 1 else (unit[1], 1)
    return unit, (-(-rows // unit[0]), -(-cols // unit[1]))


def cross_split(shape: tuple[int, int], buffer: int, config: SamplingConfig, seed: int) -> Split:
    """A seeded split of a source of ``shape`` for cross-fitting: every block trains, and calibrates in one of the folds."""
    unit, grid = _blocks(shape)
    if buffer and min(shape) > 1:
        # Smaller blocks lose most of their surroundings to buffers, of which a fold's model would then be short.
        side = int(np.clip(round((shape[0] * shape[1] / FOLD_BLOCKS) ** 0.5), FOLD_UNIT, UNIT))
        side = min(side, -(-min(shape) // 4))
        unit, grid = (side, side), (-(-shape[0] // side), -(-shape[1] // side))
    roles = np.full(grid, Role.TRAIN, np.uint8)
    folds = fold_numbers(grid, config.fold_count, [seed, *shape])
    return Split(shape, unit, roles, buffer, config.validation, seed, folds)


def _give_back(split: Split, calibration: NDArray[np.int64]) -> None:
    """Let blocks of a small scene train again, so that those held out and their buffers stay within their budget."""
    roles = split.roles
    # The first one stays held out in any case: without it there would be no threshold. The others follow one by one.
    roles.flat[calibration[1:]] = Role.TRAIN
    for number in calibration[1:]:
        roles.flat[number] = Role.CALIBRATION
        trained = split.role(Window(0, 0, *split.shape)) == Role.TRAIN
        if trained.mean() < 1.0 - SMALL_BUDGET:
            roles.flat[number] = Role.TRAIN
            break


def split_rows(n: int, config: SamplingConfig, seed: int) -> Split:
    """A seeded split of a table of ``n`` rows, seen as one row of pixels, into 50 runs of rows."""
    return split_blocks((1, n), 0, config, seed)


def region_of_rows(
    values: NDArray[np.floating],
    usable: NDArray[np.bool_],
    config: SamplingConfig,
    seed: int,
    quota: Quota | None = None,
    source: int = 0,
    role: Role | None = None,
) -> Region:
    """Independent spectra ``(n, bands)`` as a region to fit on; rows that are not ``usable`` ``(n,)`` are for nothing.

    The rows are split by the seed, alike for tables and for arrays in Python: into folds, or with one fold into roles.
    With ``role`` all usable ones have that one.
    """
    n = len(values)
    window = Window(0, 0, 1, n)
    crossed = role is None and config.fold_count > 1
    split = cross_split((1, n), 0, config, seed) if crossed else split_rows(n, config, seed)
    roles = split.role(window) if role is None else np.full((1, n), role, np.uint8)
    roles = np.where(usable[None], roles, np.uint8(Role.UNUSED)).astype(np.uint8)
    folds = split.fold_map(window, usable[None])
    roles = (quota or Quota.share(config, 1)).take(roles)
    columns = np.ascontiguousarray(np.asarray(values, np.float32).T)[:, None, :]
    reason = np.where(usable, np.uint8(Invalid.VALID), np.uint8(Invalid.MASK))[None]
    cube = Cube(columns, reason, window)
    return Region(cube, window, roles, np.full((1, n), INDEPENDENT, np.int32), source, folds)


def regions_of(split: Split, seed: int, side: int = 1) -> Iterator[Window]:
    """Windows to read, in seeded order: all of a small scene at once, else its blocks one by one.

    ``side``: of the patches that the scene is seen in.
    """
    rows, cols = split.shape
    if rows * cols * side**2 <= WHOLE or min(split.shape) == 1:
        yield Window(0, 0, rows, cols)
        return
    order = np.random.default_rng([seed, 1]).permutation(split.roles.size)
    for number in order:
        r, c = divmod(int(number), split.roles.shape[1])
        block = Window(r * split.unit[0], c * split.unit[1], *split.unit)
        yield block.clip(Window(0, 0, rows, cols))
