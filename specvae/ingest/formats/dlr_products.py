"""EnMAP and DESIS products of DLR in a folder or archive: the spectral image, quality layers, and the bands' metadata in XML."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
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
from specvae.ingest.source import Source

__all__ = ["FORMAT"]

METADATA = re.compile(r"^(?:ENMAP|DESIS)[\w.-]*METADATA\.xml$", re.I)
"""The file with the metadata, which makes a folder a product."""
IMAGE = re.compile(r"SPECTRAL_IMAGE(?:_(?P<detector>VNIR|SWIR))?(?:_COG)?\.(?:tiff?|bsq|bil|bip|jp2)$", re.I)
"""The spectral image, or one of each detector in EnMAP's L1B."""
QUALITY = re.compile(r"-QL_(?P<name>\w+?)(?:_COG)?\.(?:tiff?|bsq|bil|bip|jp2)$", re.I)
"""A quality layer or quicklook beside it."""
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
    product = replace(product, path=source.path, files=archive.files([images[0], metadata]))
    return _described(product, Path(metadata).name, rows, beside)


def _described(product: Product, metadata: str, rows: list[BandRow], names: list[str]) -> Product:
    """The product of the image with what the metadata say, and with the quality layers among ``names`` named."""
    quality = tuple(hit.group("name") for name in names if (hit := QUALITY.search(name)))
    stamp, level = STAMP.search(metadata), LEVEL.search(metadata)
    return replace(
        product,
        name=metadata[: -len("-METADATA.XML")],
        kind="EnMAP product" if metadata.upper().startswith("ENMAP") else "DESIS product",
        layers=tuple(_layer(layer, row) for layer, row in zip(product.layers, rows, strict=True)),
        notes=(*product.notes, *_masks(quality)),
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


def _masks(quality: tuple[str, ...]) -> list[str]:
    """A note of the quality layers beside the image, which are applied where they are named."""
    masks = [
        name for name in quality if "VNIR" not in name.upper().split("_") and "SWIR" not in name.upper().split("_")
    ]
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


FORMAT = Format("EnMAP or DESIS product", product_of_dlr, folder_mark=METADATA, archive_mark=METADATA)
