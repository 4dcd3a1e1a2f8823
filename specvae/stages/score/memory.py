"""The memory of a score: how a scene is read and cut so that working buffers stay within ``--max-memory``."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

from specvae.errors import UsageError
from specvae.ingest.scene.windows import cut
from specvae.spectra import CELL, Window

__all__ = ["Load", "Reading", "parse_size", "plan_reading"]

DEFAULT_SHARE, DEFAULT_LIMIT = 0.1, 384 * 2**20
SMALLEST = 16 * 2**20
OUTPUT_TILE = 512
LEAST_ROWS = 256
"""Rows of a window below which the cells around it cost too much."""
LARGEST = 1 << 20
"""Pixels of a window beyond which nothing is gained."""


def parse_size(text: str | None) -> int:
    """``400M`` or ``2G`` -> bytes; without, a tenth of the memory, 384 MiB at most. Raises UsageError."""
    if text is None:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return int(min(DEFAULT_LIMIT, DEFAULT_SHARE * there))
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    if not match:
        raise UsageError(f"--max-memory takes a size such as 400M or 2G, not {text!r}")
    size = int(float(match.group(1)) * 1024 ** " KMGT".index(match.group(2).upper() or " "))
    if size < SMALLEST:
        raise UsageError(f"--max-memory {text} is too small to work in; give 16M or more")
    return size


@dataclass(frozen=True)
class Load:
    """What a pixel costs, in bytes, and what is around it."""

    bands: int
    itemsize: int
    """Bytes of a stored value."""
    halo: int
    components: int
    """Components of the context."""
    outputs: int
    """Values written of a pixel."""

    @property
    def stored(self) -> int:
        """A pixel as GDAL keeps it."""
        return self.bands * self.itemsize

    @property
    def cube(self) -> int:
        """A pixel of a cube."""
        return self.bands * 4 + 1

    @property
    def under_way(self) -> int:
        """A pixel's cubes (one read ahead, one scored, one written), contexts, terms and outputs."""
        return 3 * self.cube + self.stored + 2 * (self.components * 24 + self.outputs * 8 + 24)


@dataclass(frozen=True)
class Reading:
    """How a scene is read: rectangles of whole blocks, and what is scored at once."""

    step: tuple[int, int]
    """Rows and columns read at once."""
    largest: int
    """Pixels scored at once."""
    cache: int
    """Bytes of GDAL's cache: the blocks under way."""
    rows: int
    """Bytes of whole rows that are kept while windows beside each other are cut out of them; 0 = none."""
    areas: tuple[Window, ...]
    """Parts of the scene that are read one after the other, where one row of it is too much to carry."""


def plan_reading(memory: int, shape: tuple[int, int], block: tuple[int, int], load: Load) -> Reading:
    """The largest windows that ``memory`` bytes allow, made of whole blocks where these are not too large."""
    rows, cols = shape
    block = min(block[0], rows), min(block[1], cols)
    carried = (CELL + load.halo) * load.cube if load.halo or block[0] % CELL else 0
    areas = _areas(shape, block, carried, memory // 3)
    width = areas[0].cols
    written = min(width * OUTPUT_TILE * (4 * load.outputs + 1), memory // 4)
    free = memory - carried * width - written
    target = min(LARGEST, max(CELL * CELL, free // load.under_way))
    if block[1] == cols or block[0] * block[1] > 4 * target:
        return _by_rows(memory, shape, block, load, target, areas, written)
    least = block[0] * math.ceil(LEAST_ROWS / block[0])
    step = cut((rows, width), (least if least * block[1] <= target else block[0], block[1]), target)
    blocks = step[0] * min(step[1], cols) * load.stored
    return Reading(step, target, written + blocks + blocks // 4, 0, areas)


def _by_rows(
    memory: int,
    shape: tuple[int, int],
    block: tuple[int, int],
    load: Load,
    target: int,
    areas: tuple[Window, ...],
    written: int,
) -> Reading:
    """For blocks that span the width, or are too large: whole rows are kept, and windows cut out of them."""
    kept = max(1, memory // 4 // (shape[1] * load.stored))
    wanted = min(max(LEAST_ROWS, target // shape[1]), kept)
    height = wanted // block[0] * block[0] or _divisor(block[0], wanted, shape[0])
    width = areas[0].cols
    if height * width > 2 * target:
        width = max(CELL, target // height // CELL * CELL)
    return Reading((height, width), target, written, height * shape[1] * load.stored, areas)


def _divisor(tall: int, wanted: int, rows: int) -> int:
    """About ``wanted`` rows such that no stretch of them lies in two rows of blocks."""
    if tall >= rows:
        return wanted
    return next((n for n in range(wanted, wanted // 4, -1) if tall % n == 0), wanted)


def _areas(shape: tuple[int, int], block: tuple[int, int], carried: int, allowed: int) -> tuple[Window, ...]:
    """The whole scene, or columns of blocks, such that ``carried`` bytes a column stay within ``allowed``."""
    rows, cols = shape
    unit = math.lcm(block[1], CELL) if block[1] < cols else CELL
    width = cols if carried * cols <= allowed else max(unit, allowed // carried // unit * unit)
    return tuple(Window(0, col, rows, min(width, cols - col)) for col in range(0, cols, width))
