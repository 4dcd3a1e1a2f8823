"""The one list of formats, in the order in which they are tried, and what follows from it."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from specvae.errors import InputError
from specvae.ingest.formats import (
    array_files,
    band_archive,
    band_files,
    dlr_products,
    landsat_product,
    raster_files,
    sentinel1,
    sentinel2,
    sentinel3,
    stac_product,
    theia,
    zarr_product,
)
from specvae.ingest.formats.band_archive import is_band_archive
from specvae.ingest.formats.band_names import read_together
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.packed import TARS
from specvae.ingest.formats.product_archive import Archive
from specvae.ingest.formats.references import is_remote
from specvae.ingest.formats.sentinel2 import granules_of, is_granule
from specvae.ingest.formats.zarr_store import is_zarr
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMATS", "granules_of", "is_product_folder", "is_scene_archive", "product_of"]

FORMATS: tuple[Format, ...] = (
    # Sets of single-band files were recognised before, by their names: nothing else is asked about them.
    band_files.FORMAT,
    # By content, before GDAL, which would take some items for polygons.
    stac_product.FORMAT,
    # By ending, before GDAL, which would take some .mat files for HDF5.
    array_files.FORMAT,
    sentinel2.FORMAT,
    sentinel1.FORMAT,
    sentinel3.FORMAT,
    theia.FORMAT,
    landsat_product.FORMAT,
    zarr_product.FORMAT,
    band_archive.FORMAT,
    dlr_products.FORMAT,
    dlr_products.IMAGE_FORMAT,
    # Behind all others, for GDAL makes something of the parts of any product.
    raster_files.FORMAT,
)
"""The first format that makes a product of a source has it; the last takes every file, as GDAL recognises formats."""


def product_of(source: Source, options: IngestOptions) -> Product:
    """The product of a source, whatever its format. Raises InputError where no format can read it."""
    if source.is_table:
        raise InputError(f"{source.path} is a table, not a scene")
    path = source.path
    is_bundle = not source.members and (os.path.isdir(path) or is_product_archive(path) or is_remote_store(path))
    for form in FORMATS:
        if (form.folder_mark is not None) == is_bundle:
            product = form.product(source, options)
            if product is not None:
                return read_together(product)
    known = ", ".join(form.name for form in FORMATS if form.folder_mark is not None)
    raise InputError(f"{source.path} is damaged, or none of the products known ({known}); give one of its rasters")


def is_remote_store(path: str) -> bool:
    """Whether a path is the address of a Zarr store elsewhere."""
    return is_remote(path) and is_zarr(path)


def is_product_folder(folder: str) -> bool:
    """Whether a folder as a whole is one scene of a known product."""
    marks = [form.folder_mark for form in FORMATS if form.folder_mark is not None]
    if is_granule(folder):
        return True
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    hits = [hit for mark in marks for name in names if (hit := mark.match(name))]
    products = {hit.groupdict().get("product") for hit in hits}
    return len(products) == 1


def is_product_archive(path: str) -> bool:
    """Whether a zip or tar file as a whole is one scene of a known product."""
    marks = [form.archive_mark for form in FORMATS if form.archive_mark is not None]
    return any(mark.match(PurePosixPath(name).name) for name in _members(path) for mark in marks)


def is_scene_archive(path: str) -> bool:
    """Whether a zip or tar file as a whole is one scene: of a known product, or of single-band files."""
    return is_product_archive(path) or is_band_archive(_members(path))


def _members(path: str) -> list[str]:
    """Names of the members of a zip or tar file; none for any other file, or a damaged one."""
    if not path.casefold().endswith((".zip", *TARS)) or not os.path.isfile(path):
        return []
    try:
        # Of a zip file this reads the table of contents at its end, of a tar file the heads of its members.
        return Archive(path).names()
    except InputError:
        return []
