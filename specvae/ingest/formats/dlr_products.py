"""EnMAP and DESIS products of DLR in a folder or archive: the spectral image, quality layers, and the bands' metadata in XML."""

from __future__ import annotations

import math
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.gdal import open_dataset
from specvae.ingest.formats.one_file import product_of_dataset
from specvae.ingest.formats.product_archive import Archive, read_member
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.quality_layer import QualityLayer
from specvae.ingest.source import Source

__all__ = ["FORMAT", "IMAGE_FORMAT"]

METADATA = re.compile(r"^(?:ENMAP|DESIS)[\w.-]*METADATA\.xml$", re.I)
"""The file with the metadata, which makes a folder a product."""
IMAGE = re.compile(r"SPECTRAL_IMAGE(?:_(?P<detector>VNIR|SWIR))?(?:_COG)?\.(?:tiff?|bsq|bil|bip|jp2)$", re.I)
"""The spectral image, or one of each detector in EnMAP's L1B."""
QUALITY = re.compile(r"-QL_(?P<name>[\w-]+?)(?:_COG)?\.(?:tiff?|bsq|bil|bip|jp2)$", re.I)
"""A quality layer or quicklook beside it."""
ENMAP_LAYERS: dict[str, tuple[str, tuple[int, ...]]] = {
    "QUALITY_CLOUD": ("clouds", ()),
    "QUALITY_CLOUDSHADOW": ("shadows of clouds", ()),
    "QUALITY_HAZE": ("haze", ()),
    "QUALITY_CIRRUS": ("cirrus", ()),
    "QUALITY_SNOW": ("snow", ()),
    "QUALITY_CLASSES": ("background", (3,)),
}
"""Quality layers of one band: what they mark and by which values, () for all but 0 (cirrus is thin, medium or thick; classes
are 1 land, 2 water and 3 background), after the EnMAP ground segment, HSI Product Specification."""
DESIS_LAYER = "QUALITY-2"
DESIS_BANDS = ((1, "shadows"), (3, "snow"), (4, "haze"), (5, "haze"), (6, "clouds"), (7, "clouds"))
"""The quality layer of DESIS L2A, and those of its bands that mark what is not used: 4 and 6 over land, 5 and 7 over water
(2 is land and 8 water), after the DESIS Product Specification, PAV-DLR-ICD-003."""
LARGEST_XML = 64 << 20
"""Bytes of the metadata, which are read at once."""
LEVEL = re.compile(r"L(1[ABC]|2A)", re.I)
STAMP = re.compile(r"(20\d\d)(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)")


@dataclass(frozen=True)
class BandRow:
    """What the metadata say of one band."""

    wavelength: float | None
    width: float | None
    gain: float
    offset: float


def product_of_dlr(source: Source, options: IngestOptions) -> Product | None:
    """The product of EnMAP or DESIS in a folder, zip or tar file; None where there are no such metadata."""
    archive = Archive(source.path)
    names = archive.names()
    found = [name for name in names if METADATA.match(Path(name).name)]
    if not found:
        return None
    # A product of several tiles is unpacked into folders, each of which is a scene.
    metadata, folder = found[0], Path(found[0]).parent
    beside = [name for name in names if Path(name).parent == folder]
    images = [name for name in beside if IMAGE.search(name)]
    if len(images) != 1 or len(found) > 1:
        listed = ", ".join(Path(name).name for name in (found if len(found) > 1 else images)) or "no spectral image"
        raise InputError(
            f"{source.path} holds {listed}; expected one ...-SPECTRAL_IMAGE.TIF: give one of them by itself"
        )
    rows = _band_rows(archive.gdal(metadata))
    image = archive.gdal(images[0])
    with open_dataset(image, allow_remote=options.allow_remote) as dataset:
        product = product_of_dataset(image, dataset, options)
    if len(rows) != len(product.layers):
        raise InputError(f"{source.path}: the metadata describe {len(rows)} bands, the image has {len(product.layers)}")
    masks = _quality({name: archive.gdal(name) for name in beside})
    files = archive.files([images[0], metadata, *(name for name in beside if QUALITY.search(name))])
    product = replace(product, path=source.path, files=files, masks=masks)
    return _described(product, Path(metadata).name, rows, beside)


def product_of_image(source: Source, options: IngestOptions) -> Product | None:
    """The product of a spectral image that is given by itself, with the metadata beside it; None for any other file.

    EnMAP's L1B has an image of each detector, whose bands are the first or the last that the metadata describe.
    """
    hit = IMAGE.search(source.path)
    if hit is None or source.members or not os.path.isfile(source.path):
        return None
    folder = Path(source.path).parent
    stem = Path(source.path).name.upper().split("SPECTRAL_IMAGE")[0]
    beside = sorted(str(path) for path in folder.iterdir() if path.name.upper().startswith(stem))
    found = [path for path in beside if METADATA.match(Path(path).name)]
    if not stem or len(found) != 1:
        return None
    rows = _band_rows(found[0])
    with open_dataset(source.path, allow_remote=options.allow_remote) as dataset:
        product = product_of_dataset(source.path, dataset, options)
    count, detector = len(product.layers), (hit.group("detector") or "").upper()
    if len(rows) < count or (len(rows) != count and not detector):
        raise InputError(f"{source.path}: the metadata describe {len(rows)} bands, the image has {count}")
    own = rows[-count:] if detector == "SWIR" else rows[:count]
    masks = _quality({path: path for path in beside})
    files = (source.path, found[0], *(layer.path for layer in masks))
    named = replace(product, files=tuple(dict.fromkeys(files)), masks=masks)
    described = _described(named, Path(found[0]).name, own, beside)
    return replace(described, name=product.name)


def _quality(files: Mapping[str, str]) -> tuple[QualityLayer, ...]:
    """The quality layers among the files of a product that are applied; ``files``: GDAL's name by the file's name."""
    found: list[QualityLayer] = []
    for name, path in sorted(files.items()):
        hit = QUALITY.search(name)
        kind = hit.group("name").upper() if hit else ""
        if kind in ENMAP_LAYERS:
            what, values = ENMAP_LAYERS[kind]
            found.append(QualityLayer(path, what, values=values))
        elif kind == DESIS_LAYER:
            for what in dict.fromkeys(what for _, what in DESIS_BANDS):
                found.append(QualityLayer(path, what, tuple(band for band, marks in DESIS_BANDS if marks == what)))
    return tuple(found)


def _described(product: Product, metadata: str, rows: list[BandRow], names: list[str]) -> Product:
    """The product of the image with what the metadata say, and with the quality layers among ``names`` named."""
    quality = tuple(hit.group("name") for name in names if (hit := QUALITY.search(name)))
    stamp, level = STAMP.search(metadata), LEVEL.search(metadata)
    return replace(
        product,
        name=metadata[: -len("-METADATA.XML")],
        kind="EnMAP product" if metadata.upper().startswith("ENMAP") else "DESIS product",
        layers=tuple(_layer(layer, row) for layer, row in zip(product.layers, rows, strict=True)),
        notes=(*product.notes, *_not_applied(quality)),
        datetime="{}-{}-{}T{}:{}:{}Z".format(*stamp.groups()) if stamp else product.datetime,
        level=level.group(0).upper() if level else product.level,
        decisions=(*product.decisions, *_decisions(metadata, rows)),
    )


def _layer(layer: Layer, row: BandRow) -> Layer:
    """A band of the image with what the metadata say of it."""
    band, out = Band("", row.wavelength, row.width, layer.band.unit), None if row.gain else "no gain in the metadata"
    # Values that carry a scale in the image itself have been through another program, which states it.
    if layer.scale != 1.0 or layer.offset:
        return replace(layer, band=band, left_out=out)
    return replace(layer, band=band, left_out=out, scale=row.gain or 1.0, offset=row.offset)


def _decisions(metadata: str, rows: list[BandRow]) -> tuple[Decision, ...]:
    """What was taken from the metadata."""
    gains = sorted({row.gain for row in rows})
    chosen = f"stored * {gains[0]:g}" if len(gains) == 1 else f"stored * {gains[0]:g} to {gains[-1]:g}, band by band"
    return (
        Decision("wavelengths", f"{len(rows)} wavelengths and widths", f"{metadata}"),
        Decision("scale", f"{chosen}, plus the offset of each band", f"{metadata}"),
    )


def _not_applied(quality: tuple[str, ...]) -> list[str]:
    """A note of the quality layers beside the image that are not applied: of each band, or of tests along the way."""
    applied = {*ENMAP_LAYERS, DESIS_LAYER}
    parts = [(name, name.upper().split("_")) for name in quality if name.upper() not in applied]
    # Without a word behind it, the quicklook of a detector.
    masks = [name for name, words in parts if words not in (["VNIR"], ["SWIR"], ["IMAGE"])]
    if not masks:
        return []
    return [f"quality layers beside it are not applied: {', '.join(masks)}; give one with --mask and --mask-values"]


def _band_rows(path: str) -> list[BandRow]:
    """The bands that the metadata describe, in order. Raises InputError for metadata that are none."""
    try:
        text = read_member(path, LARGEST_XML)
        # An entity may stand for any number of others; no product's metadata define one.
        if b"<!ENTITY" in text:
            raise InputError(f"{path} defines entities, which no metadata of EnMAP or DESIS do")
        root = ElementTree.fromstring(text)
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        raise InputError(f"{path} cannot be read as XML: {error}") from error
    place = next((node for node in root.iter() if node.tag.rsplit("}", 1)[-1] == "bandCharacterisation"), None)
    bands = [] if place is None else [n for n in place if n.tag.rsplit("}", 1)[-1] in ("bandID", "band")]
    if not bands:
        raise InputError(f"{path} describes no band (bandCharacterisation); expected the metadata of EnMAP or DESIS")
    return [_row(band) for band in bands]


def _row(band: ElementTree.Element) -> BandRow:
    """One band, whose keys differ between the two missions in their first letter."""
    texts = {node.tag.rsplit("}", 1)[-1].casefold(): (node.text or "").strip() for node in band}

    def number(*keys: str) -> float | None:
        for key in keys:
            try:
                value = float(texts.get(key, ""))
            except ValueError:
                continue
            if math.isfinite(value):
                return value
        return None

    gain, offset = number("gainofband"), number("offsetofband")
    width = number("fwhmofband", "wavelengthwidthofband")
    return BandRow(number("wavelengthcenterofband"), width, 1.0 if gain is None else gain, offset or 0.0)


IMAGE_FORMAT = Format("EnMAP or DESIS image", product_of_image)
FORMAT = Format("EnMAP or DESIS product", product_of_dlr, folder_mark=METADATA, archive_mark=METADATA)
