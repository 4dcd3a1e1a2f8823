"""The sections of report.json, and what of a scene's accumulators they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from specvae.export.report.trust import TrustSection
from specvae.ingest.scene.describe import SceneSection
from specvae.scoring.gathered.metrics import Ranking, TruthFigures
from specvae.scoring.gathered.pixels import PixelSection
from specvae.scoring.gathered.survival import Survival
from specvae.thresholds.calibration import CalibrationSummary
from specvae.thresholds.drift.verdict import Drift, DriftSummary
from specvae.thresholds.p_value_curve import PValuePoints
from specvae.thresholds.threshold import ThresholdSummary

__all__ = ["EvidenceSection", "ModelSection", "ObjectsSection", "Report", "SceneFigures", "ThresholdRow"]


class ModelSection(TypedDict):
    """The ``model`` section: which file scored."""

    path: str
    sha256: str
    created: str
    bands: list[str]
    patch: int | None
    """Side of the patches, pixels; None for a model of pixels."""
    interrupted: NotRequired[bool]
    """Whether its fit was interrupted, so that it is not what its settings ask for."""
    looks_around: NotRequired[int | None]
    """Side of the window around a pixel that the model looks at, pixels; None for a model without context."""


class ThresholdRow(ThresholdSummary):
    """One row of ``thresholds``: a cut, and what it means for this scene."""

    expected_false_alarms: float | None
    """Normal pixels above the cut, if every valid pixel of the scene were normal."""
    expected_per_km2: float | None
    share_of_scene_above: float | None
    false_share_bound: float | None
    """With 95 %, no larger share of the flags at this cut, or at any other, is false; None where nothing is flagged."""


class LeadingObject(TypedDict):
    """One of the strongest objects, for whoever is alerted."""

    id: int
    pixels: int
    area_m2: float | None
    evidence: float
    """-log of its pixels' p-values summed, nats."""
    peak: float
    """Highest score, nats."""
    p_value: float | None
    bands: str
    lon: float | None
    lat: float | None


class LargestObject(TypedDict):
    """The object of the most pixels."""

    pixels: int
    area_m2: float | None


class ObjectsSection(TypedDict):
    """The ``objects`` section; of a table ``count`` and ``file`` alone, both None. ``file`` is None where none is written."""

    count: int | None
    written: NotRequired[int]
    left_out: NotRequired[str | None]
    """What the cap on the number of objects and --min-pixels left out, in words; None where they left out nothing."""
    too_small: NotRequired[int]
    """Objects of fewer pixels than --min-pixels."""
    file: str | None
    files: NotRequired[list[str]]
    p_value_method: NotRequired[str]
    p_value_note: NotRequired[str | None]
    boxes: NotRequired[int]
    """Objects whose outline is their bounding box; only where objects are outlined."""
    expected_false: NotRequired[float | None]
    """Objects that as many normal pixels show at this cut, by those of the held-out data; None without held-out data."""
    outstanding: NotRequired[int | None]
    """Objects stronger than any that 19 in 20 normal scenes as large show; None without held-out data."""
    leading: NotRequired[list[LeadingObject]]
    largest: NotRequired[LargestObject | None]
    """None where nothing was written."""
    known: NotRequired[int]
    new: NotRequired[int]
    """Objects not known from before; only with ``--known``, like ``known``."""
    fdr: NotRequired[float | None]
    kept: NotRequired[int]
    """Objects within the false-discovery rate; only with ``--fdr``, like ``fdr``."""


class EvidenceMetrics(Ranking):
    """How well the pooled evidence tells the true anomalies."""

    positives: int
    negatives: int
    detection_rate: float | None
    false_alarm_rate: float | None


class EvidenceSection(TypedDict):
    """The ``evidence`` section: only with ``--pool``."""

    file: str
    flags: str
    anomalous: int
    reach: int
    """Pixels that its ring reaches from the one that is judged."""
    threshold: ThresholdSummary
    metrics: NotRequired[EvidenceMetrics]


class Report(TypedDict):
    """What report.json holds; ``report.schema.json`` beside this file is its schema."""

    schema_version: int
    scene: SceneSection
    model: ModelSection
    pixels: PixelSection
    threshold: ThresholdSummary
    thresholds: list[ThresholdRow]
    calibration: CalibrationSummary
    p_values: PValuePoints | None
    drift: DriftSummary
    trust: TrustSection
    objects: ObjectsSection
    diagnostics: dict[str, Any]
    """What the fit found of its own training, as the model file holds it."""
    history: list[dict[str, float]]
    """The losses while fitting, as the model file holds them."""
    timing: dict[str, float]
    """Seconds of ``read``, ``compute`` and ``write``, which overlap and are of all threads together, and ``total``."""
    settings: dict[str, Any]
    """The options that the results depend on."""
    warnings: list[str]
    created: str
    """ISO 8601, UTC."""
    version: str
    evidence: NotRequired[EvidenceSection]
    metrics: NotRequired[TruthFigures]


@dataclass(frozen=True, eq=False)
class SceneFigures:
    """What the accumulators of one scene came to, as far as a report says it."""

    pixels: PixelSection
    survival: Survival
    drift: Drift
    metrics: TruthFigures | None
    seconds: dict[str, float]
