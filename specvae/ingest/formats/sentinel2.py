"""Sentinel-2 SAFE products, unpacked or zipped: bands, reflectance by the product's own factors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats.band_files import BandFile, read_files
from specvae.ingest.formats.product_archive import Archive, read_member
from specvae.ingest.formats.sensors import SENTINEL2, band_name
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["METADATA", "product_of_safe"]

METADATA = re.compile(r"(?:^|/)(?:MTD_MSIL(?:1C|2A)\.xml|S2\w_\w+MTD_SAFL(?:1C|2A)\w+\.xml)$")
IMAGE = re.compile(
    r"(?:^|/)(?:IMG_DATA(?:/R\d0m)?)/[^/]*_(?P<band>B\d[0-9A]|SCL)(?:_(?P<size>\d0)m)?\.(?:jp2|tif)$", re.I
)
LARGEST = 16 << 20
PHYSICAL = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
"""Bands in the order of ``band_id``."""


@dataclass(frozen=True)
class Radiometry:
    """How counts become reflectance: (count + offset) / quantification."""

    quantification: float
    offsets: dict[str, float]
    nodata: float
    saturated: float

    def rule(self, name: str) -> Callable[[Layer], Layer]:
        """What the product adds to what a band's file says."""

        def apply(layer: Layer) -> Layer:
            if name not in SENTINEL2:
                return layer
            scale = 1.0 / self.quantification
            return replace(
                layer, scale=scale, offset=self.offsets.get(name, 0.0) * scale, nodata=self.nodata,
                saturated=self.saturated, band=replace(layer.band, unit="reflectance"),
            )  # fmt: skip

        return apply


def product_of_safe(source: Source, options: IngestOptions) -> Product:
    """The scene in a SAFE folder or zip file. Raises InputError where its metadata or images are missing."""
    archive = Archive(source.path)
    names = archive.names()
    found = sorted((n for n in names if METADATA.search(n)), key=lambda n: (n.count("/"), n))
    if not found:
        raise InputError(f"{source.path} holds no MTD_MSIL1C.xml or MTD_MSIL2A.xml; it is no whole SAFE product")
    text = read_member(archive.gdal(found[0]), LARGEST).decode("utf-8", "replace")
    images = _images(names)
    if not any(name in SENTINEL2 for name in images):
        raise InputError(f"{source.path} holds no band image in IMG_DATA; it is no whole SAFE product")
    told = _radiometry(text)
    files = [
        BandFile(archive.gdal(images[name]), Band(name, *_wavelength(name)), told.rule(name))
        for name in [*PHYSICAL, "SCL"] if name in images
    ]  # fmt: skip
    read = read_files(files, options)
    return Product(
        Path(source.path).name.removesuffix(".zip").removesuffix(".SAFE"), source.path, "Sentinel-2 product",
        read.layers, read.grids, read.blocks, archive.files([found[0], *images.values()]), tuple(_notes(text, told)),
        _datetime(text), _first(r"<PROCESSING_LEVEL>([^<]+)", text),
    )  # fmt: skip


def _images(names: list[str]) -> dict[str, str]:
    """The finest image of each band."""
    best: dict[str, tuple[int, str]] = {}
    for name in names:
        hit = IMAGE.search(str(PurePosixPath(name)))
        if hit:
            band = band_name(hit.group("band").upper())
            size = int(hit.group("size") or 0)
            if band not in best or size < best[band][0]:
                best[band] = (size, name)
    return {band: name for band, (_, name) in best.items()}


def _wavelength(name: str) -> tuple[float | None, float | None]:
    known = SENTINEL2.get(name)
    return (known.wavelength, known.width) if known else (None, None)


def _radiometry(text: str) -> Radiometry:
    quantification = _number(r"<(?:BOA_)?QUANTIFICATION_VALUE[^>]*>([^<]+)", text) or 10_000.0
    offsets = re.findall(r"<(?:BOA|RADIO)_ADD_OFFSET\s+band_id=\"(\d+)\"\s*>([^<]+)<", text)
    special = dict(re.findall(r"<SPECIAL_VALUE_TEXT>(\w+)</SPECIAL_VALUE_TEXT>\s*<SPECIAL_VALUE_INDEX>(\d+)<", text))
    by_band = {PHYSICAL[int(at)]: float(value) for at, value in offsets if int(at) < len(PHYSICAL)}
    return Radiometry(quantification, by_band, float(special.get("NODATA", 0)), float(special.get("SATURATED", 65535)))


def _notes(text: str, told: Radiometry) -> list[str]:
    baseline = _first(r"<PROCESSING_BASELINE>([^<]+)", text)
    shifted = {value for value in told.offsets.values() if value}
    offset = f", with the offset {min(shifted):g} of baseline {baseline} applied" if shifted else ""
    return [f"values are reflectance: counts / {told.quantification:g}{offset}"]


def _datetime(text: str) -> str | None:
    found = _first(r"<(?:DATATAKE_SENSING_START|PRODUCT_START_TIME)>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", text)
    return f"{found}Z" if found else None


def _first(pattern: str, text: str) -> str | None:
    hit = re.search(pattern, text)
    return hit.group(1).strip() if hit else None


def _number(pattern: str, text: str) -> float | None:
    try:
        value = float(_first(pattern, text) or "nan")
    except ValueError:
        return None
    return value if value > 0 else None
