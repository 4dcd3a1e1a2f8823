"""Probes: what only a look at the pixels shows, an undeclared fill along the border and bands that are empty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.band_reader import BandReader
from specvae.ingest.layer import Layer
from specvae.ingest.scene.added_offset import with_offset
from specvae.ingest.scene.fill_probe import with_fill
from specvae.ingest.scene.looks import border_windows, is_costly, middle_window, within_block
from specvae.ingest.scene.plan import Plan
from specvae.ingest.scene.remembering import RememberingReader, small_cache
from specvae.ingest.validity import equals
from specvae.spectra import Window

__all__ = ["with_probes"]

Opened = list[tuple[tuple[int, ...], BandReader]]
"""A reader of each file, with the positions of its bands in the plan."""


def with_probes(plan: Plan) -> Plan:
    """The plan after a look at the pixels: without empty bands, an undeclared fill noted or used, and with --offset."""
    with small_cache(is_costly(plan.block, len(plan.layers))):
        return _probed(plan)


def _probed(plan: Plan) -> Plan:
    opened, layers = _opened(plan), plan.layers
    try:
        for look in (_without_empty, with_fill, with_offset):
            # Two looks at one place read it once, for to decode a place may take most of the time.
            if plan.layers != layers:
                opened, layers = _reopened(opened, plan), plan.layers
            plan = look(plan, [reader for _, reader in opened], [at for at, _ in opened])
        return plan
    finally:
        _closed(opened)


def _opened(plan: Plan) -> Opened:
    """A reader of each file of a plan, which remembers what it has read, with the positions of its bands in the plan."""
    return [(at, RememberingReader(reader, plan.grid)) for at, reader in plan.open_readers()]


def _reopened(opened: Opened, plan: Plan) -> Opened:
    """Readers of the bands of another plan in place of those that are open."""
    _closed(opened)
    opened.clear()  # so that none is closed twice where the next ones cannot be opened
    return _opened(plan)


def _closed(opened: Opened) -> None:
    for _, reader in opened:
        reader.close()


def _without_empty(plan: Plan, readers: list[BandReader], _: Sequence[tuple[int, ...]]) -> Plan:
    """The plan without the bands that have no single value, where others have some.

    Raises InputError where a model or --bands wants such a band. A few windows are looked at first; only bands that
    are empty in all of these are read as a whole.
    """
    suspects = [layer for reader in readers for layer in _suspects(reader, plan)]
    # Where all look empty the windows may have missed a small scene; one without any value is refused when it is
    # scored.
    if not suspects or len(suspects) == len(plan.layers):
        return plan
    empty = {layer.place for reader in readers for layer in _confirmed(reader, suspects, plan)}
    if not empty or len(empty) == len(plan.layers):
        return plan
    names = [layer.label for layer in plan.layers if layer.place in empty]
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    if plan.match is not None or plan.options.bands:
        raise InputError(
            f"{plan.product.path} has no value at all in {shown}; choose other bands, or fit without these"
        )
    with_values = tuple(layer for layer in plan.layers if layer.place not in empty)
    return replace(plan, layers=with_values, notes=(*plan.notes, f"left out (empty, no value at all): {shown}"))


def _suspects(reader: BandReader, plan: Plan) -> list[Layer]:
    """Bands of a file without a value in any of the windows sampled: in the middle and along the border."""
    empty = {
        # Whole numbers without a nodata value always are values.
        layer.index: layer
        for layer in reader.layers
        if layer.nodata is not None or layer.dtype.startswith("float")
    }
    grid = plan.grid
    looks, bands = (
        (middle_window(grid.rows, grid.cols, 64), *border_windows(grid.rows, grid.cols, 32)),
        len(plan.layers),
    )
    for window in (within_block(look, plan.block, bands) for look in looks):
        if not empty:
            break
        for layer, band in zip(reader.layers, reader.read(window), strict=True):
            if layer.index in empty and _has_value(band, layer):
                del empty[layer.index]
    return list(empty.values())


def _confirmed(reader: BandReader, suspects: list[Layer], plan: Plan) -> list[Layer]:
    """Those among the suspects of a file that have no value anywhere."""
    empty = {layer.index: layer for layer in reader.layers if layer in suspects}
    for window in _everywhere(plan):
        if not empty:
            break
        for layer, band in zip(reader.layers, reader.read(window), strict=True):
            if layer.index in empty and _has_value(band, layer):
                del empty[layer.index]
    return list(empty.values())


def _everywhere(plan: Plan) -> Iterator[Window]:
    """Windows of whole rows, about a million pixels each, that cover the scene."""
    rows, cols = plan.grid.shape
    step = max(1, (1 << 20) // max(1, cols))
    for row in range(0, rows, step):
        yield Window(row, 0, min(step, rows - row), cols)


def _has_value(band: NDArray[np.generic], layer: Layer) -> bool:
    """Whether any stored value is neither nodata nor NaN."""
    if layer.nodata is not None:
        missing = equals(band, layer.nodata)
        if missing is not None and bool(missing.all()):
            return False
    return not (band.dtype.kind == "f" and bool(np.isnan(band).all()))
