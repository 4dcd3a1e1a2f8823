"""Limits on sizes, so that a small file cannot claim the machine; lifted with --allow-huge."""

from __future__ import annotations

import math
import os

import numpy as np
from rasterio.io import DatasetReader

from specvae.errors import InputError
from specvae.ingest.formats.packed import container_of, is_virtual

__all__ = ["ARRAY_BYTES", "check_array", "check_cube", "check_raster"]

PIXELS = 20_000_000_000
"""Pixels of a raster: more than any single scene of today's sensors, less than a header of random bytes claims."""
BLOCK_BYTES = 2 << 30
"""Bytes of a decoded block, which GDAL holds in memory as a whole."""
ARRAY_BYTES = 8 << 30
"""Bytes of an array, which is read as a whole."""
EXPANSION = 5_000
"""Times its own size that a file may claim to hold; deflate itself reaches about 1,000."""
EXPANSION_FROM = 8 << 30
"""Bytes from which the expansion is looked at: smaller claims cannot hurt, and sparse test files expand as much."""
BANDS = 20_000
"""Bands of a raster; imaging spectrometers have some hundreds."""
LIFT = "if that is meant, lift the limit with --allow-huge"


def check_raster(dataset: DatasetReader, path: str, allow_huge: bool) -> None:
    """Refuse an open dataset of no real numbers, one that is cut short, or whose size, bands or blocks are absurd."""
    _check_types(dataset, path)
    _check_complete(dataset, path)
    if allow_huge:
        return
    pixels, item = dataset.width * dataset.height, np.dtype(dataset.dtypes[0]).itemsize
    if pixels > PIXELS:
        raise InputError(f"{path} claims {pixels:.3g} pixels, more than {PIXELS:.3g}; {LIFT}")
    if dataset.count > BANDS:
        raise InputError(f"{path} claims {dataset.count} bands, more than {BANDS}; {LIFT}")
    rows, cols = dataset.block_shapes[0]
    # A pixel-interleaved block holds the pixels of all bands, and GDAL decodes it as one.
    pixel_interleaved = dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    block = rows * cols * item * (dataset.count if pixel_interleaved else 1)
    if block > BLOCK_BYTES:
        raise InputError(
            f"{path} has blocks of {block >> 20} MiB, more than {BLOCK_BYTES >> 20} can be decoded; {LIFT}"
        )
    _check_expansion(path, pixels * item * dataset.count)


def _check_types(dataset: DatasetReader, path: str) -> None:
    """Refuse complex values, as radar products have them, and types that numpy does not know (GDAL's CInt16)."""
    for name in dict.fromkeys(dataset.dtypes):
        if name.startswith("complex"):
            raise InputError(
                f"{path} holds complex values ({name}); give real ones, such as its magnitude or intensity"
            )
        try:
            np.dtype(name)
        except TypeError:
            raise InputError(
                f"{path} holds values of the type {name}; convert it (gdal_translate -ot Float32)"
            ) from None


def _check_complete(dataset: DatasetReader, path: str) -> None:
    """Refuse raw data with fewer bytes than the header promises, which GDAL would fill up with zeros."""
    if dataset.driver not in ("ENVI", "EHdr") or not os.path.isfile(path):
        return
    header = dataset.tags(ns="ENVI")
    # Compressed data, and samples of an unusual number of bits, have no size that follows from the shape.
    if header.get("file_compression", "0").strip() not in ("0", "") or dataset.tags(1, ns="IMAGE_STRUCTURE").get(
        "NBITS"
    ):
        return
    offset = header.get("header_offset", "0").strip()
    item = np.dtype(dataset.dtypes[0]).itemsize
    wanted = (int(offset) if offset.isdigit() else 0) + dataset.width * dataset.height * dataset.count * item
    if os.path.getsize(path) < wanted:
        raise InputError(f"{path} is cut short: {os.path.getsize(path)} of {wanted} bytes; copy it again")


def _check_expansion(path: str, claimed: int) -> None:
    """Refuse a file that says it holds thousands of times its own size, beyond what sparse files need."""
    behind = container_of(path) if is_virtual(path) else path
    if behind is None or not os.path.isfile(behind) or claimed < EXPANSION_FROM:
        return
    stored = max(1, os.path.getsize(behind))
    if claimed > EXPANSION * stored:
        raise InputError(f"{path} of {stored} bytes claims to hold {claimed:.3g} bytes of pixels; {LIFT}")


def check_cube(
    path: str, shape: tuple[int, ...], itemsize: int, chunks: tuple[int, ...] | None, allow_huge: bool
) -> None:
    """Refuse a cube of HDF5 or NetCDF, which is read window by window, whose size or chunks are absurd."""
    if allow_huge:
        return
    size = itemsize * math.prod(int(axis) for axis in shape)
    if min(shape) > BANDS or size // itemsize > PIXELS * 100:
        raise InputError(f"{path} claims a cube of {'x'.join(map(str, shape))}; {LIFT}")
    block = itemsize * math.prod(int(axis) for axis in chunks) if chunks else 0
    if block > BLOCK_BYTES:
        raise InputError(
            f"{path} has chunks of {block >> 20} MiB, more than {BLOCK_BYTES >> 20} can be decoded; {LIFT}"
        )
    _check_expansion(path, size)


def check_array(path: str, shape: tuple[int, ...], itemsize: int, allow_huge: bool) -> None:
    """Refuse an array whose uncompressed size exceeds the limit, as it is read into memory as a whole."""
    # Python's integers, for a product of axes in 64 bits may overflow to a small number that passes.
    size = itemsize
    for axis in shape:
        size *= max(0, int(axis))
    if size > ARRAY_BYTES and not allow_huge:
        raise InputError(f"{path} holds an array of {size:.3g} bytes, more than {ARRAY_BYTES:.3g}; {LIFT}")
