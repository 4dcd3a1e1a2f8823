"""The memory of a score: how a scene is read and cut so that working buffers stay within ``--max-memory``."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

from specvae.errors import UsageError
from specvae.ingest.scene.windows import cut
from specvae.spectra import Window

__all__ = ["Load", "Reading", "parse_size", "plan_reading"]

DEFAULT_SHARE, DEFAULT_LIMIT = 0.1, 256 * 2**20
"""Share of the memory, and bytes at most: with half as many again a score of 4096 x 4096 pixels takes as long."""
"""The share of the machine's memory that is used where no size is given, and the most bytes of it."""
SMALLEST = 16 * 2**20
"""The smallest size that ``--max-memory`` takes, bytes."""
OUTPUT_TILE = 512
"""Side of a block of the maps, pixels."""
LEAST_ROWS = 256
"""Rows of a window below which too large a share of what is read and computed is its halo."""
LARGEST = 1 << 20
"""Pixels of a window beyond which larger windows are no faster."""
FEWEST = 1 << 12
"""Pixels of a window below which what each costs beside its pixels outweighs them."""


def parse_size(text: str | None) -> int:
    """The bytes of a size such as ``400M`` or ``2G``; of None, a tenth of the memory, 256 MiB at most.

    Raises UsageError for what is no size, or one that is too small.

    Examples
    --------
    >>> parse_size("400M")
    419430400
    """
    if text is None:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return int(min(DEFAULT_LIMIT, DEFAULT_SHARE * installed))
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    if not match:
        raise UsageError(f"--max-memory takes a size such as 400M or 2G, not {text!r}")
    size = int(float(match.group(1)) * 1024 ** " KMGT".index(match.group(2).upper() or " "))
    if size < SMALLEST:
        raise UsageError(f"--max-memory {text} is too small to work in; give 16M or more")
    return size


@dataclass(frozen=True)
class Load:
    """The bytes that a pixel of a scene takes while it is scored."""

    bands: int
    itemsize: int
    """Bytes of a stored value."""
    halo: int
    """Pixels around a window that its context needs."""
    components: int
    """Components of the context, into which the ring around a pixel is compressed."""
    outputs: int
    """Values that are written of a pixel."""
    held: int = 4
    """Bytes of a value in a cube."""
    component: int = 24
    """Bytes that one component of a pixel takes while it is computed; by torch, which computes it in steps, six floats."""
    multiple: int = 1
    """Windows begin at multiples of so many pixels: those of the scorer's cells and of the squares that are gathered."""

    @property
    def stored(self) -> int:
        """Bytes of a pixel in GDAL's cache, as the file stores it."""
        return self.bands * self.itemsize

    @property
    def cube(self) -> int:
        """Bytes of a pixel of a cube: its values, and one byte for the reason why it is invalid."""
        return self.bands * self.held + 1

    @property
    def under_way(self) -> int:
        """Bytes of a pixel in all buffers at once: its cubes, contexts, terms and outputs."""
        # Three cubes are alive together, one read ahead, one being scored, one being written, and two of what is made
        # of a cube: its contexts and its terms, with the copies that are made on the way to them.
        return 3 * self.cube + self.stored + 2 * (self.components * self.component + self.outputs * 8 + 24)


@dataclass(frozen=True)
class Reading:
    """How a scene is read: in rectangles made of complete blocks, of which so many pixels are scored at once."""

    step: tuple[int, int]
    """Rows and columns read at once."""
    largest: int
    """Pixels scored at once."""
    cache: int
    """Bytes of GDAL's cache, which holds the blocks that are being read and written."""
    rows: int
    """Bytes of full rows of the scene that stay in memory while windows side by side are cut out of them; 0 = none."""
    areas: tuple[Window, ...]
    """Parts of the scene that are read one after the other, where the halo of a full row takes too much memory."""


def plan_reading(memory: int, shape: tuple[int, int], block: tuple[int, int], load: Load) -> Reading:
    """The largest windows that ``memory`` bytes allow, made of complete blocks where these are not too large.

    ``shape`` and ``block`` are the (rows, columns) of the scene and of its file's blocks.
    """
    rows, cols = shape
    block = min(block[0], rows), min(block[1], cols)
    # Each block is decoded once: the last rows of a window, which are the halo of the next one below, are carried on in
    # memory. Where blocks do not end at a multiple, the rows beyond the last one are carried too.
    carried = (load.multiple + load.halo) * load.cube if load.halo or block[0] % load.multiple else 0
    areas = _areas(shape, block, carried, memory // 3, load.multiple)
    width = areas[0].cols
    # The maps are written through GDAL's cache, which fills a row of their blocks before it compresses it.
    written = min(width * OUTPUT_TILE * (4 * load.outputs + 1), memory // 4)
    free = memory - carried * width - written
    target = min(LARGEST, max(FEWEST, free // load.under_way))
    # Strips, and blocks of which one alone fills a window, cannot be read one rectangle at a time: every rectangle would
    # decode the columns beside it, only to forget them.
    if block[1] == cols or block[0] * block[1] > 4 * target:
        return _by_rows(memory, shape, block, load, target, areas, written)
    least = block[0] * math.ceil(LEAST_ROWS / block[0])
    step = cut((rows, width), (least if least * block[1] <= target else block[0], block[1]), target, load.multiple)
    # A quarter more than the blocks themselves, so that none is evicted while it is still needed.
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
    """The reading of a file whose blocks span its width, or are too large: full rows, and windows cut out of them."""
    affordable = max(1, memory // 4 // (shape[1] * load.stored))
    wanted = min(max(LEAST_ROWS, target // shape[1]), affordable)
    height = wanted // block[0] * block[0] or _divisor(block[0], wanted, shape[0])
    width = areas[0].cols
    if height * width > 2 * target:
        width = max(load.multiple, target // height // load.multiple * load.multiple)
    return Reading((height, width), target, written, height * shape[1] * load.stored, areas)


def _divisor(tall: int, wanted: int, rows: int) -> int:
    """About ``wanted`` rows, such that each stretch of so many lies within one row of blocks, ``tall`` rows high."""
    # A stretch across two rows of blocks would decode both, and the second one again for the next stretch.
    if tall >= rows:
        return wanted
    return next((n for n in range(wanted, wanted // 4, -1) if tall % n == 0), wanted)


def _areas(
    shape: tuple[int, int], block: tuple[int, int], carried: int, allowed: int, multiple: int
) -> tuple[Window, ...]:
    """The full scene, or columns of blocks, such that ``carried`` bytes a column stay within ``allowed``."""
    rows, cols = shape
    # Areas end where blocks and squares both end: no block is decoded for two areas, and each square has all its pixels.
    unit = math.lcm(block[1], multiple) if block[1] < cols else multiple
    width = cols if carried * cols <= allowed else max(unit, allowed // carried // unit * unit)
    return tuple(Window(0, col, rows, min(width, cols - col)) for col in range(0, cols, width))
