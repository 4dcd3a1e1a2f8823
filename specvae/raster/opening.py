"""Opening a scene: from a path of any kind to a Scene, or one clear line why not."""

from __future__ import annotations

from pathlib import Path

from specvae.errors import InputError
from specvae.raster.arrays import is_array_file, product_of_array
from specvae.raster.options import IngestOptions
from specvae.raster.plan import plan_product
from specvae.raster.probe import with_probes
from specvae.raster.product import Product
from specvae.raster.scene import Scene
from specvae.raster.single import product_of_file
from specvae.raster.sources import Source, find_sources
from specvae.spectra import BandSet

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
    product = _product(source, options)
    scene = Scene(with_probes(plan_product(source.key, product, options, match)))
    try:
        return scene.open()
    except BaseException:
        scene.close()
        raise


def _one_source(path: str) -> Source:
    found = find_sources([path])
    if len(found) > 1:
        raise InputError(f"{path} holds {len(found)} scenes and tables; open one of them")
    return found[0]


def _product(source: Source, options: IngestOptions) -> Product:
    path = source.path
    if source.is_table:
        raise InputError(f"{path} is a table, not a scene")
    if is_array_file(path):
        return product_of_array(path, options)
    return product_of_file(path, options)
