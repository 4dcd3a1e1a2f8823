"""The memory of a score: how large windows may be so that working buffers stay within ``--max-memory``."""

from __future__ import annotations

import os
import re

from specvae.errors import UsageError

__all__ = ["parse_size", "window_pixels"]

DEFAULT_SHARE, DEFAULT_LIMIT = 0.1, 384 * 2**20
SMALLEST = 16 * 2**20


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


def window_pixels(memory: int, bands: int, components: int, outputs: int, itemsize: int) -> int:
    """Pixels of a window: four are under way, each with its raw and float values, contexts and outputs."""
    cache = memory // 2  # GDAL's: two rows of blocks must fit, or a halo has them decoded twice
    each = bands * (itemsize + 4) + components * 24 + outputs * 8 + 24
    return max(64 * 64, (memory - cache) // (4 * each))
