"""Sentinel-1 SAFE products of ground-range detected images: a band for each polarisation, in uncalibrated counts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats.band_files import BandFile, read_band_files
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.formats.product_archive import Archive
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMAT"]

FOLDER_MARK = re.compile(r"manifest\.safe$")
ARCHIVE_MARK = re.compile(r"s1[a-d]-\w{2,3}-(?:grd\w?|slc)-(?:vv|vh|hh|hv)-.*\.tiff$", re.I)
IMAGE = re.compile(
    r"(?:^|/)measurement/s1[a-d]-(?P<mode>\w{2,3})-(?P<kind>grd\w?|slc)-(?P<band>vv|vh|hh|hv)-(?P<start>\d{8}t\d{6})-.*\.tiff$",
    re.I,
)
"""A measurement: mode, product, polarisation and the start of the acquisition."""
CO_FIRST = ("VV", "VH", "HH", "HV")
"""Polarisations, sent and received, in the order in which they become bands."""


def product_of_sentinel1(source: Source, options: IngestOptions) -> Product | None:
    """The scene in a Sentinel-1 SAFE folder, zip or tar file; None where it is none. Raises InputError for an SLC."""
    archive = Archive(source.path)
    hits = {name: hit for name in archive.names() if (hit := IMAGE.search(str(PurePosixPath(name))))}
    if not hits:
        return None
    if any(hit.group("kind").casefold() == "slc" for hit in hits.values()):
        raise InputError(f"{source.path} is a single-look complex product; give the ground-range detected one (GRD)")
    names = sorted(hits, key=lambda name: CO_FIRST.index(hits[name].group("band").upper()))
    files = [BandFile(archive.gdal(n), Band(hits[n].group("band").upper(), unit="DN"), _counts()) for n in names]
    stack = read_band_files(files, options)
    start = next(iter(hits.values())).group("start")
    return Product(
        name=Path(source.path).name.removesuffix(".zip").removesuffix(".SAFE"),
        path=source.path,
        kind="Sentinel-1 product",
        layers=stack.layers,
        grids=stack.grids,
        blocks=stack.blocks,
        files=archive.files(names),
        storage=GdalBands(),
        notes=("values are counts without calibration or terrain correction, and 0 is fill",),
        datetime=f"{start[:4]}-{start[4:6]}-{start[6:8]}T{start[9:11]}:{start[11:13]}:{start[13:15]}Z",
        level="GRD",
    )


def _counts() -> Callable[[Layer], Layer]:
    """What the product adds to a measurement: 0 marks the border, which ESA's files declare in no tag."""
    return lambda layer: layer if layer.nodata is not None else replace(layer, nodata=0.0)


FORMAT = Format("Sentinel-1 product", product_of_sentinel1, folder_mark=FOLDER_MARK, archive_mark=ARCHIVE_MARK)
