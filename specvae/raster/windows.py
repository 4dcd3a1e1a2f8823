"""How a scene is cut into windows so that no block of its file is decoded twice."""

from __future__ import annotations

import math

from specvae.spectra import Window

__all__ = ["tile"]

LARGEST_STEP = 8192


def tile(shape: tuple[int, int], block: tuple[int, int], target: int, multiple: int = 64) -> list[Window]:
    """Windows in row-major order that cover ``shape`` once, of about ``target`` pixels.

    Their offsets are multiples of ``multiple`` and, where that is not absurd, of the file's ``block``:
    full-width bands of rows wherever one row of blocks fits the target, else whole blocks side by side.
    """
    rows, cols = shape
    row_step, col_step = _step(block[0], multiple, rows), _step(block[1], multiple, cols)
    if row_step * cols <= target:
        width = cols
        height = max(1, target // (row_step * cols)) * row_step
    else:
        height = row_step
        width = max(1, target // (row_step * col_step)) * col_step
    if height * min(width, cols) > 4 * target:
        height, width = _below(height, width, target, multiple)
    return [
        Window(row, col, min(height, rows - row), min(width, cols - col))
        for row in range(0, rows, height)
        for col in range(0, cols, width)
    ]


def _step(block: int, multiple: int, size: int) -> int:
    """The least common multiple of block and ``multiple``, or a multiple near the block where that is too large."""
    if block >= size:
        return math.ceil(size / multiple) * multiple
    common = math.lcm(block, multiple)
    return common if common <= LARGEST_STEP else max(1, round(block / multiple)) * multiple


def _below(height: int, width: int, target: int, multiple: int) -> tuple[int, int]:
    """A smaller window for files whose blocks exceed the target: GDAL then keeps the block in its cache."""
    width = min(width, max(multiple, target // multiple // multiple * multiple))
    height = max(multiple, target // width // multiple * multiple)
    return height, width
