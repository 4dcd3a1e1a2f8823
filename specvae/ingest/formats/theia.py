"""Sentinel-2 and VENuS products of Theia (MAJA): surface reflectance in a file a band, corrected for slopes, with masks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.band_files import BandFile, read_band_files
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.formats.product_archive import Archive
from specvae.ingest.formats.sensors import SENTINEL2, band_of
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.quality_layer import QualityLayer
from specvae.ingest.source import Source

__all__ = ["FORMAT"]

MARK = re.compile(r"^(?:SENTINEL2|VENUS|LANDSAT)[\w-]*_MTD_ALL\.xml$", re.I)
"""The file with the metadata, which makes a folder a product."""
BAND = re.compile(r"_(?P<kind>FRE|SRE)_B(?P<band>\d{1,2}A?)\.tif$", re.I)
"""A band of surface reflectance: FRE is flat, corrected for the slope of the ground, and SRE is not."""
MASK = re.compile(r"_(?P<kind>CLM|EDG)_R1\.tif$", re.I)
"""The mask of clouds and their shadows, and that of the edge of the swath, on the finest grid."""
STAMP = re.compile(r"_(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-")
QUANTIFICATION, NODATA = 10_000.0, -10_000.0
"""Counts of a reflectance of 1, and the fill, after Theia's description of its products of level 2A."""


def product_of_theia(source: Source, options: IngestOptions) -> Product | None:
    """The product in a folder, zip or tar file; None where it is none. Raises InputError where it has no band."""
    archive = Archive(source.path)
    names = archive.names()
    mark = next((name for name in names if MARK.match(Path(name).name)), None)
    if mark is None:
        return None
    bands = {(hit.group("kind").upper(), hit.group("band").upper()): n for n in names if (hit := BAND.search(n))}
    kind = "FRE" if any(key[0] == "FRE" for key in bands) else "SRE"
    chosen = sorted((band for k, band in bands if k == kind), key=lambda band: (int(band.rstrip("A")), band))
    if not chosen:
        raise InputError(f"{source.path} holds no band of surface reflectance (..._FRE_B2.tif); unpack all of it")
    sensor = SENTINEL2 if Path(mark).name.upper().startswith("SENTINEL2") else {}
    files = [BandFile(archive.gdal(bands[kind, b]), band_of(sensor, f"B{b}"), _scaled) for b in chosen]
    stack, masks = read_band_files(files, options), [n for n in names if MASK.search(n)]
    stamp, others = STAMP.search(mark), ("SRE",) if kind == "FRE" and any(k == "SRE" for k, _ in bands) else ()
    return Product(
        name=Path(mark).name[: -len("_MTD_ALL.xml")],
        path=source.path,
        kind="Theia product",
        layers=stack.layers,
        grids=stack.grids,
        blocks=stack.blocks,
        files=archive.files([mark, *(bands[kind, b] for b in chosen), *masks]),
        storage=GdalBands(),
        datetime="{}-{}-{}T{}:{}:{}Z".format(*stamp.groups()) if stamp else None,
        level="L2A",
        masks=tuple(_quality(archive, name) for name in masks),
        decisions=(Decision("files", f"its bands of {kind}", "Theia's names of files", others),),
    )


def _scaled(layer: Layer) -> Layer:
    """A band with Theia's scale and fill."""
    return replace(layer, scale=1 / QUANTIFICATION, nodata=NODATA)


def _quality(archive: Archive, name: str) -> QualityLayer:
    """A mask, which is not 0 where a pixel is covered, or where a detector saw nothing."""
    hit = MASK.search(name)
    clouds = hit is not None and hit.group("kind").upper() == "CLM"
    return QualityLayer(archive.gdal(name), "clouds and their shadows" if clouds else "the edge of the swath")


FORMAT = Format("Theia product", product_of_theia, folder_mark=MARK, archive_mark=MARK)
