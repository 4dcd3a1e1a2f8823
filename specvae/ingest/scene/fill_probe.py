"""An undeclared fill: a value that stands for nothing, as it looks along the border of a scene and inside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.band_reader import BandReader
from specvae.ingest.decision import Decision
from specvae.ingest.layer import Layer
from specvae.ingest.scene.looks import border_windows, is_costly, is_large, middle_window, places, within_block
from specvae.ingest.scene.plan import Plan
from specvae.ingest.validity import equals, holds
from specvae.spectra import Window

__all__ = ["with_fill"]

SIDE = 64
"""Side in pixels of the windows that are looked at."""
EDGES = 8
"""Windows along the border where a look costs little: corners and the middles between them."""
INSIDE = 3 << 20
"""Values that are looked at inside a scene, about."""
LEAST_PIXELS = 16
"""Pixels with a value, at least, before it counts as a fill."""
LEAST_SHARE = 0.02
"""Least share of the border for values that are a usual fill."""
COMMON_SHARE = 0.05
"""Least share of the border for values that are no usual fill."""
SURE = (0.0, -9999.0, -32768.0, 65535.0, -3.4028234663852886e38)
"""Fills that nothing else looks like."""
FILLS = (*SURE, -999.0, 32767.0, 255.0, -1.0, 9999.0, -99999.0, 1e20, 9.969209968386869e36)
"""Values that are used as fill without being declared, the last two by NetCDF."""
SURE_SHARE = 0.05
"""Least share of the border for a fill that --nodata auto uses without asking."""
GAP = 0.05
"""Least distance of a fill in single bands from the values next to it, as a share of their range."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Stored values of all bands at the pixels looked at; NaN where they are known as missing."""

    values: Values
    """``(bands, n)``."""
    border: NDArray[np.bool_]
    """``(n,)``: on the scene's border."""


@dataclass(frozen=True)
class Fill:
    """What looks like fill: a value for each band that has it."""

    by_band: dict[int, float]
    """Value by the 0-based position of the band in the plan."""
    share: float
    """Of the border, or of what was looked at inside."""
    where: str
    sure: bool
    """Whether nothing else looks like it."""


def with_fill(plan: Plan, readers: list[BandReader], positions: Sequence[tuple[int, ...]]) -> Plan:
    """The plan with a decision on what looks like undeclared fill; with ``--nodata auto`` it is used where unmistakable.

    ``positions``: of each reader's bands in the plan.
    """
    plan = _with_what_types_hold(plan)
    sample = _sample(plan, readers, positions)
    fill = _in_all_bands(sample) or _in_single_bands(sample, plan.layers)
    if fill is None:
        return plan
    text = _words(fill, plan.layers)
    declared = any(layer.nodata is not None for layer in plan.layers)
    if plan.options.nodata == "auto" and fill.sure and not declared:
        layers = tuple(
            replace(layer, nodata=fill.by_band.get(at, layer.nodata)) for at, layer in enumerate(plan.layers)
        )
        decision = Decision(
            "fill", f"{text} looks like undeclared fill and is taken as nodata", "the option --nodata auto"
        )
        return replace(plan, layers=layers, decisions=(*plan.decisions, decision))
    value = next(iter(fill.by_band.values()))
    auto = ", or --nodata auto" if fill.sure and not declared and plan.options.nodata is None else ""
    decision = Decision(
        "fill",
        f"{text} looks like undeclared fill and is used as a value",
        "the lack of a nodata value that says otherwise",
        ("nodata",),
        f"--nodata {value:g}{auto}",
        guessed=True,
    )
    return replace(plan, decisions=(*plan.decisions, decision))


def _with_what_types_hold(plan: Plan) -> Plan:
    """The plan with a note for each nodata value that no pixel can have, since the bands' type cannot hold it."""
    cannot = [layer for layer in plan.layers if layer.nodata is not None and not holds(layer.dtype, layer.nodata)]
    if not cannot:
        return plan
    value, dtype = cannot[0].nodata, cannot[0].dtype
    said = f"--nodata {value:g}" if isinstance(plan.options.nodata, float | int) else f"its nodata value {value:g}"
    return replace(plan, notes=(*plan.notes, f"{said} marks nothing: {dtype} cannot hold it"))


def _words(fill: Fill, layers: tuple[Layer, ...]) -> str:
    """The fill in words: the value in all bands, or each value with its bands."""
    by_value: dict[float, list[str]] = {}
    for at, value in fill.by_band.items():
        by_value.setdefault(value, []).append(layers[at].label)
    if len(by_value) == 1 and len(fill.by_band) == len(layers):
        what = f"{next(iter(by_value)):g}{' in all bands' if len(layers) > 1 else ''}"
    else:
        what = " and ".join(
            f"{value:g} in {', '.join(names[:6])}{', ...' * (len(names) > 6)}" for value, names in by_value.items()
        )
    return f"{what} at {fill.share:.0%} of {fill.where}"


def _sample(plan: Plan, readers: list[BandReader], positions: Sequence[tuple[int, ...]]) -> Sample:
    """The values along the border, and inside at four places where no fill is declared or values may hold anything."""
    grid, bands = plan.grid, len(plan.layers)
    costly = is_costly(plan.block, bands)
    many = places(plan.block, bands, EDGES)
    large = costly or is_large(plan.block)
    along = border_windows(grid.rows, grid.cols, SIDE, corners=large or many < EDGES)
    # Two opposite corners where a look costs much, and one where it costs most.
    along = along[:: max(1, len(along) - 1)][:many] if costly else along
    windows = [(w, _edge(w, grid.rows, grid.cols)) for w in along]
    if any(layer.nodata is None or layer.dtype.startswith("float") for layer in plan.layers):
        height, width = min(SIDE, grid.rows), min(SIDE, grid.cols)
        inner = max(1, min(2 if large else 4, INSIDE // (height * width * bands)))
        eighths = ((2, 3), (6, 5), (3, 6), (5, 2))[:inner]
        starts = [(grid.rows * r // 8, grid.cols * c // 8) for r, c in eighths]
        inside = [Window(min(r, grid.rows - height), min(c, grid.cols - width), height, width) for r, c in starts]
        inside = [middle_window(grid.rows, grid.cols, SIDE)] if costly else inside
        windows += [(within_block(window, plan.block, bands), np.zeros((height, width), bool)) for window in inside]
    values: list[Values] = []
    border: list[NDArray[np.bool_]] = []
    for window, edge in windows:
        stored = np.full((len(plan.layers), window.rows, window.cols), np.nan)
        for reader, at in zip(readers, positions, strict=True):
            stored[list(at)] = _known(reader, window)
        # Of the windows along the border only the border itself counts: a collar may be narrower than a window.
        taken = edge if edge.any() else np.ones_like(edge)
        values.append(stored[:, taken])
        border.append(edge[taken])
    return Sample(np.concatenate(values, axis=1), np.concatenate(border))


def _known(reader: BandReader, window: Window) -> Values:
    """Stored values ``(bands, rows, cols)`` of a file; NaN where they are known as missing."""
    raw = reader.read(window)
    stored = raw.astype(np.float64)
    gone = np.zeros(stored.shape[1:], bool)
    for at, layer in enumerate(reader.layers):
        missing = equals(raw[at], layer.nodata) if layer.nodata is not None else None
        gone |= False if missing is None else missing
    for masked in reader.masked(window):
        gone |= False if masked is None else masked
    stored[:, gone] = np.nan
    return stored


def _in_all_bands(sample: Sample) -> Fill | None:
    """The one value that all of several bands share at a pixel often enough, along the border or inside."""
    if len(sample.values) < 2:
        return None
    same = np.where((sample.values == sample.values[0]).all(axis=0), sample.values[0], np.nan)
    for part, where in ((sample.border, "the border"), (~sample.border, "the pixels looked at inside")):
        touched = int(part.sum())
        values, counts = np.unique(same[part & np.isfinite(same)], return_counts=True)
        if not len(values):
            continue
        value, count = Counter(dict(zip(values.tolist(), counts.tolist(), strict=True))).most_common(1)[0]
        share, usual = count / max(1, touched), _usual(value)
        inside = where != "the border"
        if count < LEAST_PIXELS or share < (LEAST_SHARE if usual else COMMON_SHARE):
            continue
        # Inside, dark pixels may be 0 in all bands too: there the value has to stand apart from the measured ones.
        if (
            inside
            and sum(_far_out(band[np.isfinite(band)]) == value for band in sample.values) <= len(sample.values) / 2
        ):
            continue
        sure = share >= SURE_SHARE and any(_same(value, fill) for fill in SURE) and not inside
        return Fill(dict.fromkeys(range(len(sample.values)), value), share, where, sure)
    return None


def _in_single_bands(sample: Sample, layers: tuple[Layer, ...]) -> Fill | None:
    """Usual fills in some bands alone, or other ones in different bands; each far from the other values of its band."""
    found: dict[int, float] = {}
    on_border: list[float] = []
    inside: list[float] = []
    for at in range(len(layers)):
        value = _far_out(sample.values[at][np.isfinite(sample.values[at])])
        shares = [_share(sample.values[at], value, part) for part in (sample.border, ~sample.border)]
        if value is not None and max(shares) >= LEAST_SHARE:
            found[at] = value
            on_border.append(shares[0])
            inside.append(shares[1])
    if not found:
        return None
    by_border = max(on_border) >= LEAST_SHARE
    share = max(on_border if by_border else inside)
    # 0 alone may be measured (a dark pixel, the level of the sea): in a single band it is said, but never taken.
    sure = by_border and share >= SURE_SHARE and all(v != 0 and any(_same(v, f) for f in SURE) for v in found.values())
    return Fill(found, share, "the border" if by_border else "the pixels looked at inside", sure)


def _share(values: Values, value: float | None, part: NDArray[np.bool_]) -> float:
    """The share of ``value`` among a part of the values of a band; 0 where the part is empty."""
    return float((values[part] == value).mean()) if value is not None and part.any() else 0.0


def _far_out(values: Values) -> float | None:
    """The usual fill that is the least or largest value of a band, and far from the next one; else None."""
    if len(values) < LEAST_PIXELS:
        return None
    for value in (values.min(), values.max()):
        rest = values[values != value]
        count = len(values) - len(rest)
        if not _usual(float(value)) or count < LEAST_PIXELS or not len(rest):
            continue
        low, high = np.percentile(rest, (1, 99))
        nearest = float(np.abs(rest - value).min())
        if nearest > max(GAP * (high - low), 3 * _step(rest)):
            return float(value)
    return None


def _step(values: Values) -> float:
    """The median distance of neighbouring values, which is 1 in counts that are dense."""
    steps = np.diff(np.unique(values))
    return float(np.median(steps)) if len(steps) else 0.0


def _usual(value: float) -> bool:
    """Whether a value is used as fill."""
    return any(_same(value, fill) for fill in FILLS)


def _same(value: float, fill: float) -> bool:
    """Whether two values are equal, as float32 where they are huge: such fills are rounded in files of that type."""
    return value == fill or (abs(fill) > 1e19 and abs(value - fill) <= 1e-6 * abs(fill))


def _edge(window: Window, rows: int, cols: int) -> NDArray[np.bool_]:
    """Pixels of a window on the raster's border."""
    edge = np.zeros((window.rows, window.cols), bool)
    edge[0, :] |= window.row == 0
    edge[-1, :] |= window.row + window.rows == rows
    edge[:, 0] |= window.col == 0
    edge[:, -1] |= window.col + window.cols == cols
    return edge
