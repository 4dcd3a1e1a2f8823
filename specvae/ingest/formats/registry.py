"""The one list of formats, in the order in which they are tried, and what follows from it."""

from __future__ import annotations

import os
import zipfile
from pathlib import PurePosixPath

from specvae.errors import InputError
from specvae.ingest.formats import array_files, band_files, landsat_product, raster_files, sentinel2
from specvae.ingest.formats.format import Format
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMATS", "is_product_archive", "is_product_folder", "product_of"]

FORMATS: tuple[Format, ...] = (
    # Sets of single-band files were recognised before, by their names: nothing else is asked about them.
    band_files.FORMAT,
    # By ending, before GDAL, which would take some .mat files for HDF5.
    array_files.FORMAT,
    sentinel2.FORMAT,
    landsat_product.FORMAT,
    # Behind all others, for GDAL makes something of the parts of any product.
    raster_files.FORMAT,
)
"""The first format that makes a product of a source has it; the last takes every file, as GDAL recognises formats."""


def product_of(source: Source, options: IngestOptions) -> Product:
    """The product of a source, whatever its format. Raises InputError where no format can read it."""
    if source.is_table:
        raise InputError(f"{source.path} is a table, not a scene")
    is_bundle = not source.members and (os.path.isdir(source.path) or is_product_archive(source.path))
    for form in FORMATS:
        if (form.folder_mark is not None) == is_bundle:
            product = form.product(source, options)
            if product is not None:
                return product
    raise InputError(f"{source.path} is no Sentinel-2 SAFE and no Landsat product; give one of its rasters")


def is_product_folder(folder: str) -> bool:
    """Whether a folder as a whole is one scene of a known product."""
    marks = [form.folder_mark for form in FORMATS if form.folder_mark is not None]
    try:
        return any(mark.match(name) for name in os.listdir(folder) for mark in marks)
    except OSError:
        return False


def is_product_archive(path: str) -> bool:
    """Whether a zip file as a whole is one scene of a known product."""
    if not path.casefold().endswith(".zip") or not os.path.isfile(path):
        return False
    marks = [form.archive_mark for form in FORMATS if form.archive_mark is not None]
    try:
        with zipfile.ZipFile(path) as archive:
            # This reads the table of contents at the end of the file, and unpacks nothing.
            names = [PurePosixPath(name).name for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return any(mark.match(name) for name in names for mark in marks)
