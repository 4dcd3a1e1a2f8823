"""Opening a scene: from a path of any kind to a Scene, or one clear line why not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from specvae.bands import BandSet
from specvae.errors import InputError, ModelError
from specvae.ingest.formats.array_files import is_array_file, product_of_array
from specvae.ingest.formats.band_files import product_of_members
from specvae.ingest.formats.containers import product_of_container
from specvae.ingest.formats.gdal import LIBRARY_ERRORS, errors_in_one_line, open_dataset
from specvae.ingest.formats.one_file import data_file, product_of_dataset
from specvae.ingest.formats.packed import packed_raster
from specvae.ingest.formats.product_archive import Archive
from specvae.ingest.formats.product_folders import MTL, band_token, is_product_archive
from specvae.ingest.formats.references import check_references
from specvae.ingest.formats.sentinel2 import METADATA, product_of_safe
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.scene.plan import Plan, plan_product
from specvae.ingest.scene.probe import with_probes
from specvae.ingest.scene.scene import Scene
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources

__all__ = ["open_scene"]


def open_scene(
    source: Source | str | Path, options: IngestOptions | None = None, match: BandSet | None = None
) -> Scene:
    """Open a scene: a raster file, a product's folder or archive, single-band files, or an array file.

    With ``match``, a model's bands, the scene delivers exactly those in that order. Raises InputError for a source
    that cannot be read, ModelError for one whose bands do not fit, UsageError for options that make no sense.
    """
    source = source if isinstance(source, Source) else _one_source(str(source))
    options = (options or IngestOptions()).for_scene(source.stem)
    with errors_in_one_line(f"{source.path} cannot be read", errors=LIBRARY_ERRORS):
        product = _product(source, options)
        scene = Scene(_plan(source.key, product, options, match))
        try:
            return scene.open()
        except BaseException:
            scene.close()
            raise


def _plan(key: str, product: Product, options: IngestOptions, match: BandSet | None) -> Plan:
    """How the product is read; where its bands do not serve ``match``, tried again without those that are empty."""
    try:
        return with_probes(plan_product(key, product, options, match))
    except ModelError:
        if match is None or options.bands:
            raise
        used = {(layer.path, layer.index) for layer in with_probes(plan_product(key, product, options, None)).layers}
        rest = tuple(layer for layer in product.layers if layer.left_out or (layer.path, layer.index) in used)
        if len(rest) == len(product.layers):
            raise
        plan = plan_product(key, replace(product, layers=rest), options, match)
        empty = len(product.layers) - len(rest)
        return with_probes(replace(plan, notes=(*plan.notes, f"left out (empty, no value at all): {empty} bands")))


def _one_source(path: str) -> Source:
    found = find_sources([path])
    if len(found) > 1:
        raise InputError(f"{path} holds {len(found)} scenes and tables; open one of them")
    return found[0]


def _product(source: Source, options: IngestOptions) -> Product:
    path = source.path
    if source.is_table:
        raise InputError(f"{path} is a table, not a scene")
    if source.members:
        return product_of_members(source, options)
    if is_array_file(path):
        return product_of_array(path, options)
    if os.path.isdir(path) or is_product_archive(path):
        return _product_of_bundle(source, options)
    return _product_of_file(path, options)


def _product_of_file(path: str, options: IngestOptions) -> Product:
    """A raster file, or the cube in a container."""
    inner = data_file(packed_raster(path))
    check_references(inner, options.allow_remote)
    with open_dataset(inner, allow_remote=options.allow_remote) as dataset:
        work = product_of_dataset if dataset.count else product_of_container
        product = work(inner, dataset, options)
    return product if inner == path or inner == data_file(path) else replace(product, path=path, name=_stem(path))


def _stem(path: str) -> str:
    """``a.tif.gz`` -> ``a``."""
    name = Path(path).name.removesuffix(".gz")
    return Path(name).stem


def _product_of_bundle(source: Source, options: IngestOptions) -> Product:
    """A Sentinel-2 or Landsat product in a folder or zip file."""
    archive = Archive(source.path)
    names = archive.names()
    if any(METADATA.search(name) for name in names):
        return product_of_safe(source, options)
    mtl = sorted((n for n in names if MTL.match(Path(n).name)), key=lambda n: (not n.endswith(".txt"), n))
    folder = str(Path(mtl[0]).parent) if mtl else "."
    beside = [n for n in names if str(Path(n).parent) == folder and band_token(Path(n).name)]
    if not mtl or not beside:
        raise InputError(f"{source.path} is no Sentinel-2 SAFE and no Landsat product; give one of its rasters")
    members = tuple(archive.gdal(name) for name in beside)
    product = product_of_members(replace(source, members=members), options, archive.gdal(mtl[0]))
    return replace(product, files=archive.files([*beside, mtl[0]]))
