"""Windows that a scene is cut into, so that no block of its file is decoded twice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from specvae.spectra import Window

__all__ = ["Step", "cut", "pieces", "steps", "tile"]

LARGEST_STEP = 8192
"""Pixels up to which a step is a multiple of both the block's side and the other one asked for."""


@dataclass(frozen=True)
class Step:
    """A stretch of one axis: the pixels it reads, those scored once they are read, and the first that these need."""

    begin: int
    """First pixel that is read."""
    end: int
    """Pixel behind the last that is read."""
    scored: int
    """First pixel that is scored."""
    until: int
    """Pixel behind the last that is scored; equal to ``scored`` where none is."""
    needed: int
    """First pixel that this and all later stretches need."""


def steps(start: int, stop: int, size: int, step: int, halo: int, multiple: int) -> list[Step]:
    """The stretches of an axis of ``size`` pixels that read, each once, what scoring ``start`` to ``stop - 1`` needs.

    They are cut at multiples of ``step``, those of the file's blocks; what is scored stops short of each cut by the
    halo, at a ``multiple``.
    """
    low, high = max(0, start - halo), min(size, stop + halo)
    cuts = [low, *range((low // step + 1) * step, high, step), high]
    stretches, done = [], start
    for begin, end in pairwise(cuts):
        until = stop if end == high else max(done, (end - halo) // multiple * multiple)
        stretches.append(Step(begin, end, done, until, min(begin, max(low, done - halo))))
        done = until
    return stretches


def pieces(window: Window, largest: int, multiple: int) -> list[Window]:
    """Windows of at most ``largest`` pixels, or ``multiple`` squared, that cover a window; none for an empty one."""
    if not window.rows or not window.cols:
        return []
    height = max(multiple, largest // window.cols // multiple * multiple)
    width = window.cols if height * window.cols <= largest else max(multiple, largest // height // multiple * multiple)
    rows = _cuts(window.row, window.row + window.rows, height, multiple)
    cols = _cuts(window.col, window.col + window.cols, width, multiple)
    return [Window(r, c, end - r, stop - c) for r, end in rows for c, stop in cols]


def _cuts(start: int, stop: int, step: int, multiple: int) -> list[tuple[int, int]]:
    """Stretches of about ``step``, cut at multiples of ``multiple``."""
    # Counted from the multiple before the stretch, which may begin at an area's border.
    inner = range(start // multiple * multiple + step, stop, step)
    return list(pairwise([start, *inner, stop]))


def tile(shape: tuple[int, int], block: tuple[int, int], target: int, multiple: int) -> list[Window]:
    """Windows of about ``target`` pixels that cover ``shape`` (rows, cols) once, in row-major order.

    Their offsets are multiples of ``multiple`` and, where that is not absurd, of the file's ``block``:
    full-width bands of rows wherever one row of blocks fits the target, else whole blocks side by side.
    """
    rows, cols = shape
    height, width = cut(shape, (_step(block[0], multiple, rows), _step(block[1], multiple, cols)), target, multiple)
    return [
        Window(row, col, min(height, rows - row), min(width, cols - col))
        for row in range(0, rows, height)
        for col in range(0, cols, width)
    ]


def cut(shape: tuple[int, int], block: tuple[int, int], target: int, multiple: int) -> tuple[int, int]:
    """Rows and columns of windows of about ``target`` pixels, multiples of ``block`` where that is not far too large."""
    row_step, col_step = block
    cols = shape[1]
    if row_step * cols <= target:
        width = cols
        height = max(1, target // (row_step * cols)) * row_step
    else:
        height = row_step
        width = max(1, target // (row_step * col_step)) * col_step
    # Up to four times the target is borne, for to cut a block is to decode it more than once.
    if height * min(width, cols) > 4 * target:
        height, width = _below(height, width, target, multiple)
    return height, width


def _step(block: int, multiple: int, size: int) -> int:
    """The least common multiple of block and ``multiple``, or a multiple near the block where that is too large."""
    if block >= size:
        return math.ceil(size / multiple) * multiple
    common = math.lcm(block, multiple)
    return common if common <= LARGEST_STEP else max(1, round(block / multiple)) * multiple


def _below(height: int, width: int, target: int, multiple: int) -> tuple[int, int]:
    """Rows and columns of a smaller window, for files whose blocks far exceed the target.

    GDAL then decodes a block once for several windows, as long as its cache holds it.
    """
    width = min(width, max(multiple, target // multiple // multiple * multiple))
    height = max(multiple, target // width // multiple * multiple)
    return height, width
