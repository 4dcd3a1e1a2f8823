"""Limits on sizes, so that a small file cannot claim the machine; lifted with --allow-huge."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from specvae.errors import InputError

__all__ = ["check_array", "check_raster"]

PIXELS = 20_000_000_000
BLOCK_BYTES = 2 << 30
ARRAY_BYTES = 8 << 30
EXPANSION = 5_000
EXPANSION_FROM = 8 << 30
BANDS = 20_000
LIFT = "if that is meant, lift the limit with --allow-huge"


def check_raster(dataset: Any, path: str, allow_huge: bool) -> None:
    """Refuse an open dataset whose size, bands or blocks are absurd."""
    if allow_huge:
        return
    pixels, item = dataset.width * dataset.height, np.dtype(dataset.dtypes[0]).itemsize
    if pixels > PIXELS:
        raise InputError(f"{path} claims {pixels:.3g} pixels, more than {PIXELS:.3g}; {LIFT}")
    if dataset.count > BANDS:
        raise InputError(f"{path} claims {dataset.count} bands, more than {BANDS}; {LIFT}")
    rows, cols = dataset.block_shapes[0]
    pixel_interleaved = dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    block = rows * cols * item * (dataset.count if pixel_interleaved else 1)
    if block > BLOCK_BYTES:
        raise InputError(
            f"{path} has blocks of {block >> 20} MiB, more than {BLOCK_BYTES >> 20} can be decoded; {LIFT}"
        )
    _check_expansion(path, pixels * item * dataset.count)


def _check_expansion(path: str, claimed: int) -> None:
    """Refuse a file that says it holds thousands of times its own size, beyond what sparse files need."""
    if not os.path.isfile(path) or claimed < EXPANSION_FROM:
        return
    stored = max(1, os.path.getsize(path))
    if claimed > EXPANSION * stored:
        raise InputError(f"{path} of {stored} bytes claims to hold {claimed:.3g} bytes of pixels; {LIFT}")


def check_array(path: str, shape: tuple[int, ...], itemsize: int, allow_huge: bool) -> None:
    """Refuse an array whose uncompressed size would not fit in memory."""
    size = itemsize
    for axis in shape:
        size *= max(0, int(axis))
    if size > ARRAY_BYTES and not allow_huge:
        raise InputError(f"{path} holds an array of {size:.3g} bytes, more than {ARRAY_BYTES:.3g}; {LIFT}")
