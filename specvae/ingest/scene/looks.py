"""Windows at which a scene is looked at before it is read: along its border, inside, and within a block where these are large."""

from __future__ import annotations

from specvae.spectra import Window

__all__ = ["LARGE_BLOCK", "border_windows", "is_costly", "is_large", "middle_window", "places", "within_block"]

LARGE_BLOCK = 1 << 20
"""Pixels of a block from which fewer and smaller windows are looked at: each decodes a block or more."""
DECODED = 16 << 20
"""Values, about, that are decoded for one look at a scene: with the blocks of all bands under one place, its places."""
FEW = 2
"""Places from which on a look is called costly: corners that lie opposite, and the middle."""
Block = tuple[int, int]
"""Rows and columns that are decoded at once."""


def is_large(block: Block) -> bool:
    """Whether a look at a few pixels decodes more than ``LARGE_BLOCK``."""
    return block[0] * block[1] > LARGE_BLOCK


def is_costly(block: Block, bands: int) -> bool:
    """Whether a look at a few pixels of all bands decodes so much that it is taken in ``FEW`` places at most."""
    return DECODED // max(1, block[0] * block[1] * bands) <= FEW


def places(block: Block, bands: int, most: int) -> int:
    """In how many places a scene is looked at: ``most``, but so many that ``DECODED`` values are decoded, and one at least.

    Examples
    --------
    >>> places((256, 256), 4, 64), places((1830, 1830), 1, 64), places((256, 256), 64, 64), places((512, 512), 300, 64)
    (64, 5, 4, 1)
    """
    return max(1, min(most // 8 if is_large(block) else most, DECODED // max(1, block[0] * block[1] * bands)))


def within_block(window: Window, block: Block, bands: int = 1) -> Window:
    """A window of the same size that lies in one block where that costs much, so that a look decodes no block beside it.

    Examples
    --------
    >>> within_block(Window(1800, 40, 64, 64), (1830, 1830))
    Window(row=1766, col=40, rows=64, cols=64)
    """
    if not (is_large(block) or is_costly(block, bands)):
        return window
    row, col = (
        start if start // step == (start + size - 1) // step or size > step else (start // step + 1) * step - size
        for start, size, step in ((window.row, window.rows, block[0]), (window.col, window.cols, block[1]))
    )
    return Window(row, col, window.rows, window.cols)


def border_windows(rows: int, cols: int, side: int, corners: bool = False) -> list[Window]:
    """Corners and middles of the edges of a raster, or ``corners`` alone: windows of at most ``side`` pixels."""
    height, width = min(side, rows), min(side, cols)
    tops = sorted({0, rows - height} | (set() if corners else {max(0, (rows - height) // 2)}))
    starts = sorted({0, cols - width} | (set() if corners else {max(0, (cols - width) // 2)}))
    centre = (tops[1], starts[1]) if len(tops) == len(starts) == 3 else None
    return [Window(top, first, height, width) for top in tops for first in starts if (top, first) != centre]


def middle_window(rows: int, cols: int, side: int) -> Window:
    """The window of at most ``side`` rows and columns in the middle of a raster."""
    return Window(max(0, rows // 2 - side // 2), max(0, cols // 2 - side // 2), min(side, rows), min(side, cols))
