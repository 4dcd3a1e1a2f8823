"""A plan: how a scene is read, decided once and picklable, so that workers read it the same way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from specvae.bands import BandMatch, BandSet
from specvae.errors import InputError, UsageError
from specvae.ingest.band_reader import BandReader
from specvae.ingest.decision import Decision, guesses
from specvae.ingest.formats.references import is_remote
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.quality_layer import QualityLayer
from specvae.ingest.scene.selection import asked_for, choose, for_model

__all__ = ["Plan", "plan_product", "unused"]


@dataclass(frozen=True)
class Plan:
    """How a scene is read: which bands of which files, in which order, on which grid."""

    key: str
    """Where the scene's report goes, below the output folder."""
    product: Product
    options: IngestOptions
    layers: tuple[Layer, ...]
    """The bands read, in the order in which they are delivered."""
    grid: Grid
    """The scene's grid: that of the finest band in use, or of the band asked for."""
    block: tuple[int, int]
    """Rows and columns decoded at once by the file on that grid."""
    match: BandMatch | None
    """How the bands serve a model, where one was given."""
    files: tuple[str, ...]
    """The files behind the scene, as far as they are on this machine."""
    notes: tuple[str, ...]
    """What a user should know about how the scene is read, in sentences without a full stop."""
    decisions: tuple[Decision, ...] = ()
    """What was decided about how the scene is read: by its format, and in planning."""
    before: Plan | None = None
    """How the earlier date is read, whose bands are delivered behind the scene's; None for a scene of one date."""

    @property
    def said(self) -> list[str]:
        """What fit and score say: the notes and the decisions that were guessed."""
        return [*self.notes, *guesses(self.decisions)]

    @property
    def quality(self) -> tuple[QualityLayer, ...]:
        """The product's quality layers that leave pixels out; none where the options say so."""
        return self.product.masks if self.options.product_masks == "auto" else ()

    @property
    def bands(self) -> BandSet:
        """The scene's own bands, which are delivered first."""
        return BandSet(tuple(layer.band for layer in self.layers))

    @property
    def depth(self) -> int:
        """Values that are delivered of a pixel: its own bands, and those of the earlier date."""
        return len(self.layers) + (0 if self.before is None else self.before.depth)

    def open_readers(self) -> Iterator[tuple[tuple[int, ...], BandReader]]:
        """A reader of each file in use: (positions of its bands in the order delivered, the reader), one after another."""
        by_path: dict[str, list[int]] = {}
        for position, layer in enumerate(self.layers):
            by_path.setdefault(layer.path, []).append(position)
        for at in by_path.values():
            layers = tuple(self.layers[i] for i in at)
            yield tuple(at), self.product.storage.open(layers, self.grid, allow_remote=self.options.allow_remote)
        if self.before is not None:
            for behind, reader in self.before.open_readers():
                yield tuple(len(self.layers) + i for i in behind), reader


def plan_product(key: str, product: Product, options: IngestOptions, match: BandSet | None) -> Plan:
    """Choose the bands and the grid of a product."""
    if match is None:
        layers, served = choose(product.layers, options.bands, product.path), None
    else:
        layers, served = for_model(product.layers, options.bands, match, product.path)
    fill = options.nodata if isinstance(options.nodata, float | int) else None
    if fill is not None:
        # The user's value counts for every band, also for those whose file declares another.
        layers = tuple(replace(layer, nodata=float(fill)) for layer in layers)
    reference = _reference(product, layers, options.grid)
    grid = product.grids[reference]
    notes = [*product.notes, *_left_out(product, layers), *_resampled(product, layers, grid)]
    if served is not None and served.warning:
        notes.append(served.warning)
    decisions = (*product.decisions, _chosen(product, layers, options.bands, served))
    block, files = product.blocks[reference], _files(product)
    return Plan(key, product, options, layers, grid, block, served, files, tuple(notes), decisions)


def _chosen(product: Product, layers: tuple[Layer, ...], asked: str | None, served: BandMatch | None) -> Decision:
    """Which bands are read, and why these."""
    if served is not None:
        evidence = f"the model's bands, matched by {served.by}"
    elif asked:
        evidence = f"the option --bands {asked}"
    else:
        evidence = "their names, wavelengths and colours, which say what is spectral"
    others = tuple(f"{layer.label} ({why})" for layer, why in unused(product, layers)[:12])
    chosen = f"{len(layers)} of {len(product.layers)} bands: {_few([layer.label for layer in layers])}"
    return Decision("bands", chosen, evidence, others, "--bands" if others else "")


def _reference(product: Product, layers: tuple[Layer, ...], asked: str | None) -> str:
    """The dataset whose grid is the scene's: the one asked for, else the finest, the first among equals."""
    if asked:
        return product.layers[asked_for(product.layers, asked)[0]].path
    paths = list(dict.fromkeys(layer.path for layer in layers))
    systems = {product.grids[path].crs for path in paths}
    # GDAL could warp one to the other, but nothing says which of them is meant, and both would be interpolated.
    if len(systems) > 1:
        raise InputError(f"{product.path}: its files have {len(systems)} different CRSs; bring them to one first")
    # The finest: coarser bands can be interpolated, whereas averaging finer ones would lose small anomalies.
    finest = max(paths, key=lambda path: product.grids[path].rows * product.grids[path].cols)
    for path in paths:
        if not product.grids[finest].same_footprint(product.grids[path]):
            sizes = " and ".join(f"{Path(p).name} {'x'.join(map(str, product.grids[p].shape))}" for p in (finest, path))
            raise InputError(f"{product.path}: its files do not cover the same ground ({sizes}); choose with --bands")
    return finest


def unused(product: Product, layers: tuple[Layer, ...]) -> list[tuple[Layer, str]]:
    """The bands of a product that are not spectral or not usable, and not among ``layers``, each with the reason."""
    used = {layer.place for layer in layers}
    return [(b, b.left_out) for b in product.layers if b.left_out and b.place not in used]


def _left_out(product: Product, layers: tuple[Layer, ...]) -> list[str]:
    """A sentence for each reason for which bands are not used."""
    by_reason: dict[str, list[str]] = {}
    for layer, why in unused(product, layers):
        by_reason.setdefault(why, []).append(layer.label)
    return [f"left out ({why}): {_few(labels)}" for why, labels in by_reason.items()]


def _few(labels: list[str]) -> str:
    """At most twelve labels, and how many more there are."""
    return ", ".join(labels[:12]) + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")


def _resampled(product: Product, layers: tuple[Layer, ...], grid: Grid) -> list[str]:
    """A sentence that names the bands whose own grid is not the scene's; none where all are on it."""
    moved = [layer.label for layer in layers if not product.grids[layer.path].same_place(grid)]
    size = abs(grid.transform.a) or abs(grid.transform.b)
    return [f"resampled to the grid of {size:g} units a pixel: {_few(moved)}"] if moved else []


def _files(product: Product) -> tuple[str, ...]:
    """The product's files that are there. Raises UsageError for a product of which none is on this machine."""
    files = tuple(path for path in product.files if os.path.exists(path))
    if not files and not is_remote(product.path):
        raise UsageError(f"{product.path} is no file on this machine")
    return files
