"""Landsat products in a folder, zip or tar file: the single-band files beside an MTL file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from specvae.errors import InputError
from specvae.ingest.formats.band_files import product_of_band_files
from specvae.ingest.formats.band_sets import band_token
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.landsat import MTL
from specvae.ingest.formats.product_archive import Archive
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMAT"]


def products_of(names: Iterable[str]) -> list[str]:
    """The products whose metadata files are among these names: what stands before ``_MTL`` in them."""
    hits = (MTL.match(name) for name in names)
    return sorted({hit.group("product") for hit in hits if hit})


def product_of_landsat(source: Source, options: IngestOptions) -> Product | None:
    """The Landsat product in a folder, zip or tar file; None where no MTL file lies beside single-band files."""
    archive = Archive(source.path)
    names = archive.names()
    # A product holds its metadata as text, JSON and XML: the text is the oldest and best tried form.
    mtl = sorted((n for n in names if MTL.match(Path(n).name)), key=lambda n: (not n.endswith(".txt"), n))
    if not mtl:
        return None
    products = products_of(Path(n).name for n in mtl)
    if len(products) > 1:
        raise InputError(f"{source.path} holds {len(products)} Landsat products ({', '.join(products[:4])}); unpack it")
    folder = str(Path(mtl[0]).parent)
    beside = [n for n in names if str(Path(n).parent) == folder and band_token(Path(n).name)]
    if not beside:
        return None
    members = tuple(archive.gdal(name) for name in beside)
    product = product_of_band_files(replace(source, members=members), options, archive.gdal(mtl[0]))
    return replace(product, files=archive.files([*beside, mtl[0]]))


FORMAT = Format("Landsat product", product_of_landsat, folder_mark=MTL, archive_mark=MTL)
