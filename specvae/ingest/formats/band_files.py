"""Scenes in several single-band files: each file a band, named after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats.acquisition import acquired
from specvae.ingest.formats.band_kinds import categorical
from specvae.ingest.formats.band_metadata import layers_of
from specvae.ingest.formats.band_sets import band_token, is_capture
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.gdal import errors_in_one_line, open_dataset
from specvae.ingest.formats.gdal_reader import GdalBands
from specvae.ingest.formats.landsat import MTL, Landsat, landsat_rules
from specvae.ingest.formats.limits import check_raster
from specvae.ingest.formats.one_file import block_of
from specvae.ingest.formats.references import check_references
from specvae.ingest.formats.sensors import band_name, band_of, sensor_bands
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMAT", "BandFile", "BandStack", "product_of_band_files", "read_band_files"]


@dataclass(frozen=True)
class BandFile:
    """A file that holds one band, and what its product says about it."""

    path: str
    band: Band
    rule: Callable[[Layer], Layer] = lambda layer: layer
    """Adds the product's scale, fill and saturation to what the file itself says."""


@dataclass(frozen=True)
class BandStack:
    """The bands, grids and blocks of the single-band files of one scene."""

    layers: tuple[Layer, ...]
    grids: dict[str, Grid]
    """Grid of each file."""
    blocks: dict[str, tuple[int, int]]
    """Rows and columns that are decoded at once, of each file."""


def read_band_files(files: Iterable[BandFile], options: IngestOptions) -> BandStack:
    """Layers, grids and blocks of single-band files. Raises InputError for one that cannot be read."""
    layers: list[Layer] = []
    grids: dict[str, Grid] = {}
    blocks: dict[str, tuple[int, int]] = {}
    for file in files:
        check_references(file.path, options.allow_remote)
        with open_dataset(file.path, allow_remote=options.allow_remote) as dataset:
            check_raster(dataset, file.path, options.allow_huge)
            with errors_in_one_line(f"{file.path} cannot be read as a raster"):
                stored = layers_of(dataset, file.path)[0]
                grids[file.path], blocks[file.path] = Grid.of(dataset), block_of(dataset)
        flags = "classes or flags, not spectra" if categorical(file.band.name) else None
        band = _stated(file.band, stored.band) if is_capture(Path(file.path).name) else file.band
        layers.append(file.rule(replace(stored, band=band, left_out=stored.left_out or flags)))
    if not layers:
        raise InputError("no band file was found; expected one file a band")
    return BandStack(tuple(layers), grids, blocks)


def _stated(band: Band, stored: Band) -> Band:
    """The band of a camera's lens as its picture states it; by its number alone where it states nothing."""
    return replace(stored, name=stored.name or band.name) if stored.wavelength is not None else band


def product_of_members(source: Source, options: IngestOptions) -> Product | None:
    """The product of a source that is a set of single-band files; None for any other source."""
    return product_of_band_files(source, options, _mtl_beside(source)) if source.members else None


def _mtl_beside(source: Source) -> str | None:
    """Landsat's metadata among the files of a set of band files: the text, which is the oldest form, before others."""
    mtl = sorted((p for p in source.files if MTL.match(Path(p).name)), key=lambda p: (not p.endswith(".txt"), p))
    return mtl[0] if mtl else None


def product_of_band_files(source: Source, options: IngestOptions, mtl: str | None = None) -> Product:
    """The product of single-band files, with Landsat's rules where their names or the file ``mtl`` say Landsat."""
    tokens = [(path, band_token(Path(path).name)) for path in source.members]
    named = sorted(((path, band_name(token[1])) for path, token in tokens if token), key=_by_number)
    landsat = landsat_rules([path for path, _ in named], mtl)
    stack = read_band_files((_band_file(path, name, landsat) for path, name in named), options)
    return Product(
        name=source.stem or Path(source.path).name,
        path=source.path,
        kind="Landsat product" if landsat else "single-band files",
        layers=stack.layers,
        grids=stack.grids,
        blocks=stack.blocks,
        files=tuple(p for p in [*source.members, *([mtl] if mtl else [])] if os.path.isfile(p)),
        storage=GdalBands(),
        notes=(*(landsat.notes(stack.layers) if landsat else ()), *_counts(landsat, mtl, stack.layers)),
        # The tags of such files may say when they were written; their names have the date of acquisition in them.
        datetime=(landsat.datetime if landsat else None) or acquired({}, source.members[0]),
        level=landsat.level if landsat else None,
    )


def _counts(landsat: Landsat | None, mtl: str | None, layers: tuple[Layer, ...]) -> tuple[str, ...]:
    """A note where nothing says how Landsat's counts become reflectance."""
    plain = all(layer.scale == 1.0 and not layer.offset for layer in layers)
    if landsat is None or mtl is not None or not plain:
        return ()
    return ("values are counts, for no MTL file beside them says how they become reflectance",)


def _band_file(path: str, name: str, landsat: Landsat | None) -> BandFile:
    """A band's file with the wavelength of its sensor, where the names of the files say which it is."""
    if landsat:
        return BandFile(path, band_of(landsat.bands, name), landsat.rule(path, name))
    return BandFile(path, band_of(sensor_bands(Path(path).name), name))


def _by_number(item: tuple[str, str]) -> tuple[int, str]:
    """A key that sorts (path, band) as B8 before B8A before B9 before B10, and other names behind these."""
    digits = "".join(c for c in item[1] if c.isdigit())
    numbered = item[1].startswith("B") and digits
    return (int(digits) if numbered else 10_000), item[1]


FORMAT = Format("single-band files", product_of_members)
