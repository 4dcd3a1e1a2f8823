"""Any single file that GDAL reads: a raster with bands, packed or not, or a container whose variables are bands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from specvae.ingest.formats.arrays.product import product_of_tree
from specvae.ingest.formats.arrays.tree import is_tree
from specvae.ingest.formats.containers import product_of_container
from specvae.ingest.formats.format import Format
from specvae.ingest.formats.gdal import open_dataset
from specvae.ingest.formats.one_file import data_file, header_decision, product_of_dataset
from specvae.ingest.formats.packed import packed_raster
from specvae.ingest.formats.references import check_references
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["FORMAT"]


def product_of_file(source: Source, options: IngestOptions) -> Product:
    """The product in a raster file or a container; of a packed file, the raster inside under the file's own name."""
    path = source.path
    inner = data_file(packed_raster(path))
    check_references(inner, options.allow_remote)
    with open_dataset(inner, allow_remote=options.allow_remote) as dataset:
        product = product_of_tree(inner, dataset.driver, options) if is_tree(inner) else None
        if product is None:
            # GDAL opens a container as a dataset without bands, whose variables are datasets of their own.
            work = product_of_dataset if dataset.count else product_of_container
            product = work(inner, dataset, options)
    product = replace(product, decisions=(*header_decision(path), *product.decisions))
    return product if inner in (path, data_file(path)) else replace(product, path=path, name=_stem(path))


def _stem(path: str) -> str:
    """A packed file's name without its endings: ``a.tif.gz`` is ``a``."""
    name = Path(path).name.removesuffix(".gz")
    return Path(name).stem


FORMAT = Format("raster file", product_of_file)
