"""EnMAP and DESIS products of DLR: a folder with the spectral image, its quality layers, and the metadata of its bands in XML."""

from __future__ import annotations

import math
import os
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


def product_of_folder(source: Source, options: IngestOptions) -> Product | None:
    """The product in a folder of EnMAP or DESIS; None for other folders."""
    folder = Path(source.path)
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    metadata = next((name for name in names if METADATA.match(name)), None)
    if metadata is None:
        return None
    images = [name for name in names if IMAGE.search(name)]
    if len(images) != 1:
        listed = ", ".join(images) or "no spectral image"
        raise InputError(f"{folder} holds {listed}; expected one ...-SPECTRAL_IMAGE.TIF: give one of them by itself")
    rows = _band_rows(str(folder / metadata))
    image = str(folder / images[0])
    with open_dataset(image, allow_remote=options.allow_remote) as dataset:
        product = product_of_dataset(image, dataset, options)
    if len(rows) != len(product.layers):
        raise InputError(f"{folder}: {metadata} describes {len(rows)} bands, {images[0]} has {len(product.layers)}")
    quality = tuple(hit.group("name") for name in names if (hit := QUALITY.search(name)))
    stamp, level = STAMP.search(metadata), LEVEL.search(metadata)
    return replace(
        product,
        name=folder.name,
        path=str(folder),
        kind="EnMAP product" if metadata.upper().startswith("ENMAP") else "DESIS product",
        layers=tuple(_layer(layer, row) for layer, row in zip(product.layers, rows, strict=True)),
        files=(image, str(folder / metadata)),
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
        if os.path.getsize(path) > LARGEST_XML:
            raise InputError(f"{path} has {os.path.getsize(path)} bytes, more than {LARGEST_XML}; that is no metadata")
        text = Path(path).read_bytes()
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


FORMAT = Format("EnMAP or DESIS product", product_of_folder, folder_mark=METADATA)
