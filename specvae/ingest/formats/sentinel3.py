"""Sentinel-3 products, which are known, and refused with what to do: they lie in the sensor's geometry, a file a band."""

from __future__ import annotations

import re
from pathlib import Path

from specvae.errors import InputError
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.product_archive import Archive
from specvae.ingest.options import IngestOptions
from specvae.ingest.source import Source

__all__ = ["FORMAT"]

MARK = re.compile(r"^xfdumanifest\.xml$", re.I)
"""The manifest, which makes a folder a product."""


def product_of_sentinel3(source: Source, options: IngestOptions) -> None:
    """None where a source is none of Sentinel-3. Raises InputError where it is one."""
    if any(MARK.match(Path(name).name) for name in Archive(source.path).names()):
        raise InputError(
            f"{source.path} is a Sentinel-3 product in the sensor's own geometry, a file for each band; bring it onto a "
            "map and into one GeoTIFF first (ESA's SNAP: gpt Reproject)"
        )


FORMAT = Format("Sentinel-3 product", product_of_sentinel3, folder_mark=MARK, archive_mark=MARK)
