"""What a fitted model is, in words and numbers ready for JSON: for ``specvae inspect MODEL``."""

from __future__ import annotations

from typing import Any, TypedDict

from specvae.detector import Detector
from specvae.errors import ModelError
from specvae.model_file import load_model
from specvae.scoring.scorer import ScorerDescription, describe_scorer
from specvae.thresholds.calibration import CalibrationSummary
from specvae.thresholds.threshold import ThresholdSummary

__all__ = ["ModelDescription", "model_description"]


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


def model_description(path: str) -> ModelDescription:
    """What the model at ``path`` is, ready for JSON. Raises ModelError for a file that is no model or has no band."""
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
