"""Opening a scene: from a path of any kind to an open scene, or one clear line why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from specvae.bands import BandSet
from specvae.errors import InputError, ModelError
from specvae.ingest.formats.gdal import LIBRARY_ERRORS, errors_in_one_line
from specvae.ingest.formats.registry import product_of
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.scene.earlier import check_dates, with_earlier
from specvae.ingest.scene.masking import with_masks
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.scene.plan import Plan, plan_product
from specvae.ingest.scene.probe import with_probes
from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources

__all__ = ["open_scene"]


def open_scene(
    source: Source | str | Path,
    options: IngestOptions | None = None,
    match: BandSet | None = None,
    before: BandSet | None = None,
) -> PixelScene:
    """Open a scene: a raster file, a product's folder or archive, single-band files, or an array file.

    With ``match``, a model's bands, the scene delivers exactly those in that order; ``before`` are those that the model
    has of an earlier date. Raises InputError for a source that cannot be read, ModelError for one whose bands do not fit
    or that comes without the dates of the model, UsageError for options that make no sense.
    """
    source = source if isinstance(source, Source) else _one_source(str(source))
    options = (options or IngestOptions()).for_scene(source.stem)
    with errors_in_one_line(f"{source.path} cannot be read", errors=LIBRARY_ERRORS):
        product = product_of(source, options)
        product = replace(product, decisions=(*source.decisions, *product.decisions))
        plan = with_masks(_plan(source.key, product, options, match))
        if match is not None:
            check_dates(options, before is not None)
        scene = PixelScene(with_earlier(plan, _earlier(options, before)) if options.before else plan)
        try:
            return scene.open()
        # An interruption from the keyboard counts too: files opened so far must not stay open.
        except BaseException:
            scene.close()
            raise


def _plan(key: str, product: Product, options: IngestOptions, match: BandSet | None) -> Plan:
    """How the product is read; where its bands do not serve ``match``, tried again without those that are empty.

    A model that was fitted on such a file has no empty bands, for the fit dropped them: the bands of the next file
    serve it by their order or number only after its empty ones are dropped as well. To find them costs a look at the
    pixels, so that the usual case is tried first.
    """
    try:
        return with_probes(plan_product(key, product, options, match))
    except ModelError:
        if match is None or options.bands:
            raise
        used = {layer.place for layer in with_probes(plan_product(key, product, options, None)).layers}
        with_values = tuple(layer for layer in product.layers if layer.left_out or layer.place in used)
        if len(with_values) == len(product.layers):
            raise
        plan = plan_product(key, replace(product, layers=with_values), options, match)
        empty = len(product.layers) - len(with_values)
        return with_probes(replace(plan, notes=(*plan.notes, f"left out (empty, no value at all): {empty} bands")))


def _earlier(options: IngestOptions, match: BandSet | None) -> Plan:
    """How the earlier date is read."""
    source, own = _one_source(str(options.before)), options.of_earlier()
    if source.is_table:
        raise InputError(f"--before {source.path} is a table; give a scene of the same ground")
    return _plan(source.key, product_of(source, own), own, match)


def _one_source(path: str) -> Source:
    """The only source behind a path. Raises InputError where there are several."""
    sources = find_sources([path])
    if len(sources) > 1:
        raise InputError(f"{path} holds {len(sources)} scenes and tables; open one of them")
    return sources[0]
