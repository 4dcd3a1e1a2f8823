"""The stage ``inspect``: what a model is, or how a scene or table will be read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import InputError, ModelError
from specvae.ingest.decision import DecisionRow
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.describe import SceneDescription, description
from specvae.ingest.scene.looks import is_costly, is_large, places, within_block
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.scene import Scene
from specvae.ingest.sources import find_sources
from specvae.ingest.table.reading import read_table
from specvae.model_file import load_model
from specvae.scoring.scorer import ScorerDescription, describe_scorer
from specvae.spectra import Invalid, Window
from specvae.thresholds.calibration import CalibrationSummary
from specvae.thresholds.threshold import ThresholdSummary

__all__ = ["ModelDescription", "RasterDescription", "TableDescription", "inspect"]

LOOKED_AT = 64
"""Windows that are read, at least, to count the invalid pixels of a large scene."""
PART = 256
"""Rows and columns, at most, of what is read of a window where blocks are large or bands many."""
LEAST = 64
"""Rows and columns of such a part, at least."""
MUCH = 2
"""Times as many pixels as would do that a window is read whole, which is cheaper than more of smaller ones."""
VALUES = 16 << 20
"""Values that are read, about, of a scene of many bands."""
WINDOW_PIXELS = 1 << 18
"""Pixels of each of these windows, about."""


class Validity(TypedDict):
    """How many pixels are usable."""

    pixels_looked_at: int
    valid_share: float
    invalid_by_reason: dict[str, int]


class RasterDescription(SceneDescription):
    """How a raster will be read; ``kind`` is ``raster``."""

    format: str
    """The product's kind: GDAL's driver, or a product such as ``Landsat product``."""
    pixels_looked_at: int
    valid_share: float
    invalid_by_reason: dict[str, int]


class TableDescription(TypedDict):
    """How a table will be read; ``kind`` is ``table``."""

    kind: str
    path: str
    rows: int
    valid: int
    invalid_by_reason: dict[str, int]
    bands: list[str]
    wavelengths_nm: tuple[float, ...] | None
    other_columns: list[str]
    notes: list[str]
    decisions: list[DecisionRow]


class ModelBand(TypedDict):
    """One band of a model, with the location and scale that standardise it."""

    label: str
    name: str
    wavelength_nm: float | None
    centre: float
    scale: float


class ContextRing(TypedDict):
    """The ring around a pixel whose principal components are the model's context; radii in pixels."""

    outer: int
    guard: int
    components: int


class ModelDescription(TypedDict):
    """What a model is; ``kind`` is ``model``. The parts that are read from its file have that file's keys."""

    kind: str
    path: str
    sha256: str
    created: str
    format_version: int
    bands: list[ModelBand]
    before: list[str] | None
    """The bands of the earlier date; None for a model of one date."""
    context: ContextRing | None
    halo: int
    patch: int | None
    latent: int
    parameters: int
    scorer: ScorerDescription
    interrupted: bool
    """Whether its fit was interrupted, so that the same command would go on with it."""
    pixels: dict[str, Any]
    folds: dict[str, Any]
    contamination: dict[str, Any]
    mask_buffer: dict[str, Any] | None
    """What was counted where pixels along masks set no cut; None where all set them, or a user said how many do not."""
    diagnostics: dict[str, Any]
    thresholds: list[ThresholdSummary]
    calibration: CalibrationSummary
    config: dict[str, Any]
    provenance: dict[str, Any]


def inspect(path: str, options: IngestOptions | None = None) -> ModelDescription | TableDescription | RasterDescription:
    """A JSON-ready description. Raises InputError or ModelError for what can be neither read nor understood."""
    target = Path(path)
    # By its name or its first bytes: a damaged model is to be reported as a model, and one may have any name.
    if target.suffix == ".specvae" or _is_model(target):
        return _model(path)
    sources = find_sources([path])
    if len(sources) != 1:
        raise InputError(f"{path} holds {len(sources)} sources; inspect one of them, for instance {sources[0].path}")
    source = sources[0]
    if source.is_table:
        return _table(source.path, options)
    with open_scene(source, options) as scene:
        scene_description = description(scene)
        return {
            **scene_description,
            "format": scene_description["kind"],
            "kind": "raster",
            **_validity(scene),
        }


def _is_model(path: Path) -> bool:
    """Whether a file begins as a model file does: the length of its header, in 8 bytes, and the header's brace."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError:
        return False
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def _table(path: str, options: IngestOptions | None) -> TableDescription:
    """How a table will be read, and how many of its rows are usable."""
    table = read_table(path, options)
    counts = np.bincount(table.reason, minlength=len(Invalid))
    return {
        "kind": "table",
        "path": path,
        "rows": len(table.values),
        "valid": int(counts[0]),
        "invalid_by_reason": _by_reason(counts),
        "bands": list(table.bands.labels),
        "wavelengths_nm": table.bands.wavelengths,
        "other_columns": [name for name in table.others.column_names if name not in set(table.bands.names)],
        "notes": table.notes,
        "decisions": [decision.to_json() for decision in table.decisions],
    }


def _validity(scene: Scene) -> Validity:
    """Counts by reason over the scene, or over windows spread across a large one."""
    windows, costly = scene.windows(WINDOW_PIXELS), is_costly(scene.block, scene.depth)
    large = costly or is_large(scene.block)
    # Spread evenly over all windows: invalid pixels lie together, in collars and clouds.
    step = max(1, -(-len(windows) // places(scene.block, scene.depth, LOOKED_AT)))
    counts = np.zeros(len(Invalid), np.int64)
    looked_at = windows[step // 2 :: step]
    for window in looked_at:
        side = LEAST if costly else math.isqrt(VALUES // (len(looked_at) * scene.depth))
        if (
            large or side * side * MUCH < window.size
        ):  # a part in one block, for the whole of a window would decode several
            window = within_block(_part(window, min(PART, max(LEAST, side))), scene.block, scene.depth)
        counts += np.bincount(scene.read(window).reason.ravel(), minlength=len(Invalid))
    total = int(counts.sum())
    return {
        "pixels_looked_at": total,
        "valid_share": float(counts[0] / total) if total else 0.0,
        "invalid_by_reason": _by_reason(counts),
    }


def _part(window: Window, side: int) -> Window:
    """A window of at most ``side`` rows and columns in the middle of another."""
    rows, cols = min(side, window.rows), min(side, window.cols)
    return Window(window.row + (window.rows - rows) // 2, window.col + (window.cols - cols) // 2, rows, cols)


def _by_reason(counts: NDArray[np.int64]) -> dict[str, int]:
    """How many are invalid, by the reason's label."""
    return {kind.label: int(counts[kind]) for kind in Invalid if kind != Invalid.VALID}


def _model(path: str) -> ModelDescription:
    """What the model at ``path`` is."""
    stored = load_model(path)
    detector = stored.detector
    ring = detector.state.around
    if not detector.bands:
        raise ModelError(f"the model {path} has no band; fit it again")
    return {
        "kind": "model",
        "path": path,
        "sha256": stored.sha256,
        "created": stored.created,
        "format_version": stored.metadata["format_version"],
        "bands": _model_bands(detector),
        "before": None if detector.before is None else list(detector.before.labels),
        "context": None if ring is None else {"outer": ring.outer, "guard": ring.guard, "components": ring.components},
        "halo": detector.halo,
        "patch": detector.config.patch,
        "latent": detector.state.latent,
        "parameters": detector.state.parameters,
        "scorer": describe_scorer(detector.state, detector.device),
        "interrupted": detector.interrupted,
        "pixels": detector.provenance.get("pixels", {}),
        "folds": detector.provenance.get("folds", {"count": 1}),
        "contamination": detector.provenance.get("contamination", {}),
        "mask_buffer": detector.provenance.get("mask_buffer"),
        "diagnostics": detector.provenance.get("diagnostics", {}),
        "thresholds": [t.summary() for t in detector.calibration.table()],
        "calibration": detector.calibration.summary(),
        "config": stored.metadata["config"],
        "provenance": stored.metadata["provenance"],
    }


def _model_bands(detector: Detector) -> list[ModelBand]:
    """The model's bands; of a model of patches, which has a location and scale for each pixel, those of the first."""
    step = detector.stride**2
    centres, scales = detector.state.centre[::step], detector.state.scale[::step]
    return [
        {
            "label": label,
            "name": band.name,
            "wavelength_nm": band.wavelength,
            "centre": float(centre),
            "scale": float(scale),
        }
        for label, band, centre, scale in zip(detector.bands.labels, detector.bands, centres, scales, strict=True)
    ]
