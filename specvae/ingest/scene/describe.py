"""How a scene is read, in words and numbers ready for JSON: for ``specvae inspect`` and for reports."""

from __future__ import annotations

import math
from typing import NotRequired, TypedDict

from specvae.files.names import printable
from specvae.ingest.decision import DecisionRow
from specvae.ingest.layer import Layer
from specvae.ingest.scene.plan import Plan, unused
from specvae.ingest.scene.scene import Scene

__all__ = ["SceneDescription", "SceneSection", "about", "description"]


class BandDescription(TypedDict):
    """One band as it is read."""

    number: int
    """1-based, in the order delivered."""
    name: str | None
    wavelength_nm: float | None
    width_nm: float | None
    unit: str | None
    file: str
    index: int
    """1-based, within the file."""
    dtype: str
    scale: float
    offset: float
    nodata: float | str | None
    """A number; ``nan``, ``inf`` or ``-inf`` as text, for JSON has none of them."""
    saturated: float | str | None


class UnusedBand(TypedDict):
    """A band that is not read."""

    band: str
    why: str


class Georeferencing(TypedDict):
    """What places the scene on Earth."""

    crs: str | None
    transform: list[float] | None
    """The six numbers of the affine transform, row by row."""
    pixel_size: float | None
    gcps: int
    rpcs: bool


class MaskPaths(TypedDict):
    """The masks over the scene."""

    mask: str | None
    aoi: str | None
    normal: str | None


class EarlierSection(TypedDict):
    """The earlier date beside a scene."""

    path: str
    bands: list[str]
    band_match: str | None
    datetime: str | None


class SceneDescription(TypedDict):
    """How a scene is read, ready for JSON."""

    name: str
    path: str
    kind: str
    rows: int
    cols: int
    dtype: str
    block: list[int]
    georeferencing: Georeferencing
    pixel_area_m2: float | None
    datetime: str | None
    level: str | None
    bands: list[BandDescription]
    left_out: list[UnusedBand]
    band_match: str | None
    masks: MaskPaths
    files: list[str]
    before: EarlierSection | None
    notes: list[str]
    decisions: list[DecisionRow]


class SceneSection(TypedDict):
    """The section ``scene`` of a report: of a raster, or of a table as one column of rows."""

    path: str
    key: str
    kind: str
    """``raster`` or ``table``."""
    rows: int
    cols: int
    bands: list[str]
    wavelengths: tuple[float, ...] | None
    band_match: str | None
    crs: str | None
    pixel_area_m2: float | None
    datetime: NotRequired[str | None]
    """Acquisition, ISO 8601; only of a raster."""
    before: NotRequired[EarlierSection]
    """The earlier date; only where one was given."""
    notes: list[str]
    decisions: list[DecisionRow]
    """What its reader decided, on what evidence, and what else it could have been."""


def description(scene: Scene) -> SceneDescription:
    """Everything ``specvae inspect SCENE`` says about how a scene is read: no NaN, no infinity."""
    plan = scene.plan
    return {
        "name": printable(scene.name),
        "path": printable(scene.path),
        "kind": plan.product.kind,
        "rows": scene.rows,
        "cols": scene.cols,
        "dtype": scene.dtype,
        "block": list(scene.block),
        "georeferencing": _georeferencing(scene),
        "pixel_area_m2": scene.pixel_area_m2,
        "datetime": scene.datetime,
        "level": scene.level,
        "bands": [_band(number, layer) for number, layer in enumerate(plan.layers, start=1)],
        "left_out": [{"band": layer.label, "why": why} for layer, why in unused(plan.product, plan.layers)],
        "band_match": plan.match.by if plan.match else None,
        "masks": {"mask": plan.options.mask, "aoi": plan.options.aoi, "normal": plan.options.normal},
        "files": [printable(path) for path in plan.files],
        "before": None if plan.before is None else _earlier(plan.before),
        "notes": scene.notes,
        "decisions": [decision.to_json() for decision in scene.decisions],
    }


def _georeferencing(scene: Scene) -> Georeferencing:
    """What places the scene on Earth, ready for JSON."""
    grid = scene.plan.grid
    return {
        "crs": (grid.crs.to_string() if grid.crs else None),
        "transform": list(grid.transform)[:6] if grid.placed else None,
        "pixel_size": scene.pixel_size,
        "gcps": len(grid.gcps),
        "rpcs": grid.rpcs is not None,
    }


def _band(number: int, layer: Layer) -> BandDescription:
    """One band as it is read, ready for JSON."""
    return {
        "number": number,
        "name": layer.band.name or None,
        "wavelength_nm": layer.band.wavelength,
        "width_nm": layer.band.width,
        "unit": layer.band.unit or None,
        "file": printable(layer.path),
        "index": layer.index,
        "dtype": layer.dtype,
        "scale": layer.scale,
        "offset": layer.offset,
        "nodata": _plain(layer.nodata),
        "saturated": _plain(layer.saturated),
    }


def _plain(value: float | None) -> float | str | None:
    """A finite number as it is; NaN and the infinities as text, for JSON has none of them."""
    return value if value is None or math.isfinite(value) else str(value)


def about(scene: Scene) -> SceneSection:
    """The section ``scene`` of a report, of a raster."""
    section: SceneSection = {
        "path": printable(scene.path),
        "key": scene.key,
        "kind": "raster",
        "rows": scene.rows,
        "cols": scene.cols,
        "bands": list(scene.bands.labels),
        "wavelengths": scene.bands.wavelengths,
        "band_match": scene.band_match.by if scene.band_match else None,
        "crs": scene.crs.to_string() if scene.crs else None,
        "pixel_area_m2": scene.pixel_area_m2,
        "datetime": scene.datetime,
        "notes": scene.notes,
        "decisions": [decision.to_json() for decision in scene.decisions],
    }
    if scene.before is not None:
        section["before"] = _earlier(scene.before)
    return section


def _earlier(plan: Plan) -> EarlierSection:
    """The earlier date, ready for JSON."""
    return {
        "path": printable(plan.product.path),
        "bands": list(plan.bands.labels),
        "band_match": plan.match.by if plan.match else None,
        "datetime": plan.product.datetime,
    }
