"""Scenes in several single-band files: each file a band, named after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats.band_metadata import categorical, layers_of
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.formats.landsat import landsat_rules
from specvae.ingest.formats.limits import check_raster
from specvae.ingest.formats.one_file import acquired, block_of
from specvae.ingest.formats.product_folders import band_token
from specvae.ingest.formats.references import check_references
from specvae.ingest.formats.sensors import SENTINEL2, band_name
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["BandFile", "Read", "product_of_members", "read_files"]

SENTINEL_NAME = ("S2A", "S2B", "S2C", "T")


@dataclass(frozen=True)
class BandFile:
    """A file that holds one band, and what its product says about it."""

    path: str
    band: Band
    rule: Callable[[Layer], Layer] = lambda layer: layer
    """Adds the product's scale, fill and saturation to what the file itself says."""


@dataclass(frozen=True)
class Read:
    """What the files of a scene say together."""

    layers: tuple[Layer, ...]
    grids: dict[str, Grid]
    blocks: dict[str, tuple[int, int]]


def read_files(files: Iterable[BandFile], options: IngestOptions) -> Read:
    """Layers, grids and blocks of single-band files. Raises InputError for one that cannot be read."""
    layers: list[Layer] = []
    grids: dict[str, Grid] = {}
    blocks: dict[str, tuple[int, int]] = {}
    for file in files:
        check_references(file.path, options.allow_remote)
        with open_dataset(file.path, allow_remote=options.allow_remote) as dataset:
            check_raster(dataset, file.path, options.allow_huge)
            with errors_in_one_line(f"{file.path} cannot be read as a raster"):
                found = layers_of(dataset, file.path)[0]
                grids[file.path], blocks[file.path] = Grid.of(dataset), block_of(dataset)
        flags = "classes or flags, not spectra" if categorical(file.band.name) else None
        named = replace(found, band=file.band, left_out=found.left_out or flags)
        layers.append(file.rule(named))
    if not layers:
        raise InputError("no band file was found; expected one file a band")
    return Read(tuple(layers), grids, blocks)


def product_of_members(source: Source, options: IngestOptions, mtl: str | None = None) -> Product:
    """The product of single-band files that differ in their band's name, Landsat's rules applied to Landsat's."""
    tokens = [(path, band_token(Path(path).name)) for path in source.members]
    named = sorted(((path, band_name(found[1])) for path, found in tokens if found), key=_by_number)
    landsat = landsat_rules([path for path, _ in named], mtl)
    files = []
    for path, name in named:
        if landsat:
            files.append(BandFile(path, landsat.band(name), landsat.rule(path, name)))
        else:
            files.append(BandFile(path, _sentinel_band(path, name)))
    read = read_files(files, options)
    stem = Path(source.path).name
    when = (landsat.datetime if landsat else None) or acquired({}, source.members[0])
    kind = "Landsat product" if landsat else "single-band files"
    return Product(
        source.stem or stem, source.path, kind, read.layers, read.grids, read.blocks,
        tuple(p for p in [*source.members, *([mtl] if mtl else [])] if os.path.isfile(p)),
        tuple(landsat.notes(read.layers)) if landsat else (), when, landsat.level if landsat else None,
    )  # fmt: skip


def _sentinel_band(path: str, name: str) -> Band:
    known = SENTINEL2.get(name) if Path(path).name.startswith(SENTINEL_NAME) else None
    return Band(name, known.wavelength, known.width) if known else Band(name)


def _by_number(item: tuple[str, str]) -> tuple[int, str]:
    """B8 before B8A before B9 before B10; others behind, by name."""
    digits = "".join(c for c in item[1] if c.isdigit())
    numbered = item[1].startswith("B") and digits
    return (int(digits) if numbered else 10_000), item[1]
