"""A zip or tar file of single-band files that make one scene together, without the metadata of a known product."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from specvae.errors import InputError
from specvae.ingest.formats.band_files import product_of_band_files
from specvae.ingest.formats.band_sets import band_token, belongs_to
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.packed import ENDINGS, TARS
from specvae.ingest.formats.product_archive import Archive
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMAT", "is_band_archive"]


def is_band_archive(names: Sequence[str]) -> bool:
    """Whether the rasters among these members differ in their band's name alone, and are two at least."""
    return len(_bands(names)) > 1


def _bands(names: Sequence[str]) -> list[str]:
    """The members that are bands of one scene; empty where there is another raster, or a second scene."""
    rasters = [name for name in names if name.casefold().endswith(ENDINGS)]
    tokens = {name: token for name in rasters if (token := band_token(PurePosixPath(name).name))}
    stems = {token[0] for token in tokens.values()}
    if len(stems) != 1:
        return []
    strange = [n for n in rasters if n not in tokens and not belongs_to(PurePosixPath(n).name, next(iter(stems)))]
    return [] if strange else list(tokens)


def product_of_band_archive(source: Source, options: IngestOptions) -> Product | None:
    """The product of the band files in an archive; None where it holds something else."""
    if not source.path.casefold().endswith((".zip", *TARS)) or os.path.isdir(source.path):
        return None
    archive = Archive(source.path)
    bands = _bands(archive.names())
    if len(bands) < 2:
        return None
    try:
        product = product_of_band_files(replace(source, members=tuple(archive.gdal(n) for n in bands)), options)
    except InputError as error:
        raise InputError(f"{source.path} holds {len(bands)} band files, but not of one scene: {error}") from error
    return replace(product, files=(source.path,))


FORMAT = Format("archive of single-band files", product_of_band_archive)
