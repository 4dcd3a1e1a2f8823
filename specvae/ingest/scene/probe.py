"""Probes: what only a look at the pixels shows, an undeclared fill along the border and bands that are empty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.band_reader import BandReader
from specvae.ingest.layer import Layer
from specvae.ingest.scene.plan import Plan
from specvae.ingest.validity import equals
from specvae.spectra import Window

__all__ = ["border_windows", "with_probes"]

SIDE = 64
"""Side in pixels of the windows along the border."""
LEAST_PIXELS = 16
"""Border pixels that share a value in all bands, at least, before it counts as a fill."""
LEAST_SHARE = 0.02
"""Least share of the border for values that are a usual fill."""
COMMON_SHARE = 0.05
"""Least share of the border for values that are no usual fill."""
SURE = (0.0, -9999.0, -32768.0, 65535.0, -3.4028234663852886e38)
"""Fills that nothing else looks like."""
FILLS = (*SURE, -999.0, 32767.0, 255.0, -1.0, 9999.0)
"""Values that are used as fill without being declared."""
SURE_SHARE = 0.05
"""Least share of the border for a fill that --nodata auto uses without asking."""


def with_probes(plan: Plan) -> Plan:
    """The plan after a look at the pixels: without empty bands, and with an undeclared fill noted or used."""
    readers = [reader for _, reader in plan.open_readers()]
    try:
        plan = _without_empty(plan, readers)
        return _with_fill(plan, readers)
    finally:
        for reader in readers:
            reader.close()


def border_windows(rows: int, cols: int, side: int = SIDE) -> list[Window]:
    """Corners and middles of the edges of a raster: windows of at most ``side`` pixels."""
    height, width = min(side, rows), min(side, cols)
    tops = sorted({0, max(0, (rows - height) // 2), rows - height})
    starts = sorted({0, max(0, (cols - width) // 2), cols - width})
    centre = (tops[1], starts[1]) if len(tops) == len(starts) == 3 else None
    return [Window(top, first, height, width) for top in tops for first in starts if (top, first) != centre]


def _with_fill(plan: Plan, readers: list[BandReader]) -> Plan:
    """The plan with a note of an undeclared fill; with ``--nodata auto`` it is used where unmistakable and alone."""
    if isinstance(plan.options.nodata, float | int) or len(plan.layers) < 2:
        return plan
    value, share, sure = _constant_border(plan, readers)
    if value is None:
        return plan
    seen = f"{value:g} in all bands at {share:.0%} of the border looks like undeclared fill"
    declared = any(layer.nodata is not None for layer in plan.layers)
    if plan.options.nodata == "auto" and sure and not declared:
        layers = tuple(replace(layer, nodata=value) for layer in plan.layers)
        return replace(plan, layers=layers, notes=(*plan.notes, f"{seen}: taken as nodata, as --nodata auto says"))
    auto = ", or --nodata auto" if sure and not declared and plan.options.nodata is None else ""
    return replace(plan, notes=(*plan.notes, f"{seen}; use --nodata {value:g} if it is{auto}"))


def _constant_border(plan: Plan, readers: list[BandReader]) -> tuple[float | None, float, bool]:
    """The value that all bands share along the border: (value, share of the border pixels, unmistakable)."""
    grid = plan.grid
    common: Counter[float] = Counter()
    touched = 0
    for window in border_windows(grid.rows, grid.cols):
        edge = _edge(window, grid.rows, grid.cols)
        touched += int(edge.sum())
        values, counts = np.unique(_same_in_all(readers, window)[edge], return_counts=True)
        # The commonest of each window alone: in a float raster every pixel may have a value of its own.
        for at in np.argsort(-counts)[:16]:
            if np.isfinite(values[at]):
                common[float(values[at])] += int(counts[at])
    if not common:
        return None, 0.0, False
    value, count = common.most_common(1)[0]
    share = count / max(1, touched)
    usual = any(_same(value, fill) for fill in FILLS)
    if count < LEAST_PIXELS or share < (LEAST_SHARE if usual else COMMON_SHARE):
        return None, 0.0, False
    return value, share, share >= SURE_SHARE and any(_same(value, fill) for fill in SURE)


def _same(value: float, fill: float) -> bool:
    """Whether two values are equal, as float32 where they are huge: such fills are rounded in files of that type."""
    return value == fill or (abs(fill) > 1e30 and np.float32(value) == np.float32(fill))


def _same_in_all(readers: list[BandReader], window: Window) -> NDArray[np.float64]:
    """The value where all bands of all files have one and the same, NaN elsewhere and where it is known as missing."""
    common: NDArray[np.float64] | None = None
    for reader in readers:
        raw = reader.read(window)
        stored = raw.astype(np.float64)
        same = np.where((stored == stored[0]).all(axis=0), stored[0], np.nan)
        for nodata in {layer.nodata for layer in reader.layers if layer.nodata is not None}:
            missing = equals(raw[0], nodata)
            same = same if missing is None else np.where(missing, np.nan, same)
        for masked in reader.masked(window):
            same = same if masked is None else np.where(masked, np.nan, same)
        # NaN equals nothing, so that a pixel that is out for one file stays out.
        common = same if common is None else np.where(common == same, common, np.nan)
    assert common is not None
    return common


def _edge(window: Window, rows: int, cols: int) -> NDArray[np.bool_]:
    """Pixels of a window on the raster's border."""
    edge = np.zeros((window.rows, window.cols), bool)
    edge[0, :] |= window.row == 0
    edge[-1, :] |= window.row + window.rows == rows
    edge[:, 0] |= window.col == 0
    edge[:, -1] |= window.col + window.cols == cols
    return edge


def _without_empty(plan: Plan, readers: list[BandReader]) -> Plan:
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
    middle = Window(max(0, grid.rows // 2 - 32), max(0, grid.cols // 2 - 32), min(64, grid.rows), min(64, grid.cols))
    for window in (middle, *border_windows(grid.rows, grid.cols, 32)):
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
