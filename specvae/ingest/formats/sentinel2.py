"""Sentinel-2 SAFE products, unpacked or zipped: bands, reflectance by the product's own factors."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from specvae.errors import InputError
from specvae.ingest.formats.band_files import BandFile, read_band_files
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.formats.product_archive import Archive, read_member
from specvae.ingest.formats.sensors import SENTINEL2, band_name, band_of
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMAT", "granules_of", "is_granule"]

FOLDER_MARK = re.compile(r"MTD_MSIL\w+\.xml$|.*MTD_SAFL1C.*\.xml$")
ARCHIVE_MARK = re.compile(r".*MTD_MSIL\w+\.xml$|.*MTD_SAFL(?:1C|2A).*\.xml$")
METADATA = re.compile(r"(?:^|/)(?:MTD_MSIL(?:1C|2A)\.xml|S2\w_\w+MTD_SAFL(?:1C|2A)\w+\.xml)$")
"""The product's own metadata, in the names of today and of before 2016."""
IMAGE = re.compile(
    r"(?:^|/)(?:IMG_DATA(?:/R\d0m)?)/[^/]*_(?P<band>B\d[0-9A]|SCL)(?:_(?P<size>\d0)m)?\.(?:jp2|tif)$", re.I
)
"""A band's image: Level 2A has each band at several resolutions, and ends in that resolution."""
LARGEST_METADATA = 16 << 20
"""Bytes of the metadata that are read at most."""
PHYSICAL = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
"""Bands in the order of ``band_id``."""


GRANULE = "GRANULE"
"""The folder of a product in which each of its granules, a tile of the grid, has a folder."""


def granules_of(folder: str) -> list[str]:
    """Folders of the granules with images in a SAFE folder, sorted; before 2016 a product had one for each of its tiles."""
    place = Path(folder, GRANULE)
    return sorted(str(p) for p in place.iterdir() if (p / "IMG_DATA").is_dir()) if place.is_dir() else []


def is_granule(folder: str) -> bool:
    """Whether a folder is a granule of a SAFE folder."""
    place = Path(folder)
    return place.parent.name == GRANULE and (place / "IMG_DATA").is_dir()


@dataclass(frozen=True)
class Radiometry:
    """How counts become reflectance: (count + offset) / quantification."""

    quantification: float
    """Counts of a reflectance of 1."""
    offsets: dict[str, float]
    """Added to the counts, by band; products from baseline 04.00 on have -1000."""
    nodata: float
    """Count that marks a missing pixel."""
    saturated: float
    """Count that marks a saturated pixel."""

    def rule(self, name: str) -> Callable[[Layer], Layer]:
        """What the product adds to what the file of a band says: scale, offset, nodata, saturation and unit."""

        def apply(layer: Layer) -> Layer:
            """The layer with what the product says of it."""
            if name not in SENTINEL2:
                return layer
            scale = 1.0 / self.quantification
            return replace(
                layer,
                scale=scale,
                # A layer adds its offset after scaling, whereas ESA adds to the counts: (count + offset) * scale.
                offset=self.offsets.get(name, 0.0) * scale,
                nodata=self.nodata,
                saturated=self.saturated,
                band=replace(layer.band, unit="reflectance"),
            )

        return apply


def product_of_safe(source: Source, options: IngestOptions) -> Product | None:
    """The scene in a SAFE folder, zip or tar file, or in one of its granules; None where it is none.

    Raises InputError where its images are missing, or where it holds several granules.
    """
    root = str(Path(source.path).parent.parent) if is_granule(source.path) else source.path
    archive = Archive(root)
    names = archive.names()
    # The one nearest to the root is the product's own.
    metadata = sorted((n for n in names if METADATA.search(n)), key=lambda n: (n.count("/"), n))
    if not metadata:
        return None
    text = read_member(archive.gdal(metadata[0]), LARGEST_METADATA).decode("utf-8", "replace")
    images = _images(_of_one_granule(source.path, names))
    if not any(name in SENTINEL2 for name in images):
        raise InputError(f"{source.path} holds no band image in IMG_DATA; it is no whole SAFE product")
    radiometry = _radiometry(text)
    # The scene classification comes last: it is no band, but can be asked for by name and is listed as not used.
    bands = [name for name in [*PHYSICAL, "SCL"] if name in images]
    files = [BandFile(archive.gdal(images[name]), band_of(SENTINEL2, name), radiometry.rule(name)) for name in bands]
    stack = read_band_files(files, options)
    return Product(
        name=Path(source.path).name.removesuffix(".zip").removesuffix(".SAFE"),
        path=source.path,
        kind="Sentinel-2 product",
        layers=stack.layers,
        grids=stack.grids,
        blocks=stack.blocks,
        files=archive.files([metadata[0], *images.values()]),
        storage=GdalBands(),
        notes=(_note(text, radiometry),),
        datetime=_datetime(text),
        level=_first(r"<PROCESSING_LEVEL>([^<]+)", text),
    )


def _of_one_granule(path: str, names: list[str]) -> list[str]:
    """The members of the granule at ``path``, or all where the product has one. Raises InputError where it has several."""
    if is_granule(path):
        return [name for name in names if f"/{GRANULE}/{Path(path).name}/" in f"/{name}"]
    granules = sorted(
        {name.split(f"{GRANULE}/")[1].split("/")[0] for name in names if IMAGE.search(name) and f"{GRANULE}/" in name}
    )
    if len(granules) > 1:
        first = os.path.join(path, GRANULE, granules[0])
        advice = f"unpack it and give one, such as {first}" if os.path.isfile(path) else f"give one, such as {first}"
        raise InputError(f"{path} holds {len(granules)} granules ({', '.join(granules[:6])}); {advice}")
    return names


def _images(names: list[str]) -> dict[str, str]:
    """The member with the finest image of each band."""
    best: dict[str, tuple[int, str]] = {}
    for name in names:
        hit = IMAGE.search(str(PurePosixPath(name)))
        if hit:
            band = band_name(hit.group("band").upper())
            # Names of Level 1C state no resolution: there each band has one image.
            size = int(hit.group("size") or 0)
            if band not in best or size < best[band][0]:
                best[band] = (size, name)
    return {band: name for band, (_, name) in best.items()}


def _radiometry(text: str) -> Radiometry:
    """The factors in the text of the product's metadata, ESA's usual ones where it states none."""
    # By patterns rather than a parser of XML: the names of elements have stayed while namespaces changed, and entities
    # that expand without end do nothing.
    quantification = _number(r"<(?:BOA_)?QUANTIFICATION_VALUE[^>]*>([^<]+)", text) or 10_000.0
    offsets = re.findall(r"<(?:BOA|RADIO)_ADD_OFFSET\s+band_id=\"(\d+)\"\s*>([^<]+)<", text)
    special = dict(re.findall(r"<SPECIAL_VALUE_TEXT>(\w+)</SPECIAL_VALUE_TEXT>\s*<SPECIAL_VALUE_INDEX>(\d+)<", text))
    by_band = {PHYSICAL[int(at)]: float(value) for at, value in offsets if int(at) < len(PHYSICAL)}
    return Radiometry(quantification, by_band, float(special.get("NODATA", 0)), float(special.get("SATURATED", 65535)))


def _note(text: str, radiometry: Radiometry) -> str:
    """What the values are, in words."""
    baseline = _first(r"<PROCESSING_BASELINE>([^<]+)", text)
    shifted = {value for value in radiometry.offsets.values() if value}
    offset = f", with the offset {min(shifted):g} of baseline {baseline} applied" if shifted else ""
    return f"values are reflectance: counts / {radiometry.quantification:g}{offset}"


def _datetime(text: str) -> str | None:
    """Start of the acquisition, ISO 8601, or None."""
    start = _first(r"<(?:DATATAKE_SENSING_START|PRODUCT_START_TIME)>(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", text)
    return f"{start}Z" if start else None


def _first(pattern: str, text: str) -> str | None:
    """The first group of the first match of a pattern, or None."""
    hit = re.search(pattern, text)
    return hit.group(1).strip() if hit else None


def _number(pattern: str, text: str) -> float | None:
    """The positive number in the first match of a pattern, or None."""
    try:
        value = float(_first(pattern, text) or "nan")
    except ValueError:
        return None
    return value if value > 0 else None


FORMAT = Format("Sentinel-2 product", product_of_safe, folder_mark=FOLDER_MARK, archive_mark=ARCHIVE_MARK)
