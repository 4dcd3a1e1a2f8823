"""``--pool``: evidence.tif from score.tif, with its own cut and flags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from specvae.export.contents import EVIDENCE, EVIDENCE_ANOMALY, EVIDENCE_STYLE, SCORE
from specvae.export.maps import AssetBands, MapBand, MapWriter
from specvae.export.maps_read_back import map_windows
from specvae.export.qgis_styles import write_evidence_style
from specvae.export.report.sections import EvidenceMetrics, EvidenceSection
from specvae.ingest.scene.scene import Scene
from specvae.model_file import StoredModel
from specvae.scoring.gathered.metrics import LabelledScores, TruthFigures, TruthMetrics
from specvae.scoring.pooling import HALO, pool, stored_reach
from specvae.spectra import Window
from specvae.thresholds.calibration import DEFAULT_RATE
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score.request import ScoreRequest

__all__ = ["PooledEvidence", "evidence_cut", "pool_evidence"]

EVIDENCE_BAND = MapBand(
    "evidence", "log score less the log scores around; higher is more anomalous; no score, not nats", "1"
)
FLAG_BAND = MapBand("anomaly", "by the evidence: 1 anomalous, 0 normal, 255 invalid", "1")
SAMPLED = 5
"""Every so many rows and columns of a window tell what colours the map's style runs through."""
WINDOW = 1 << 20
"""Pixels pooled at once."""


@dataclass(frozen=True)
class PooledEvidence:
    """What pooling a scene came to."""

    section: EvidenceSection
    """``evidence`` of report.json."""
    maps: dict[str, AssetBands]
    """The bands of each map that was written."""


def evidence_cut(model: StoredModel, request: ScoreRequest) -> Threshold:
    """The evidence's own cut, at the rate that was asked for. Raises ModelError for a model without."""
    explicit = request.false_alarm_rate is not None
    return model.detector.evidence_calibration().threshold(request.false_alarm_rate or DEFAULT_RATE, explicit)


def pool_evidence(folder: Path, scene: Scene, model: StoredModel, request: ScoreRequest) -> PooledEvidence:
    """Write evidence.tif and its flags beside score.tif."""
    cut = evidence_cut(model, request)
    metrics = TruthMetrics(("specvae-pooled",), cut.value) if scene.has_truth else None
    tags = {"specvae_model_sha256": model.sha256, "direction": "higher is more anomalous"}
    cut_tags = tags | {"threshold": repr(cut.value)}
    reach = stored_reach(model.detector.provenance)
    nan, threads, anomalous, some = float("nan"), request.threads, 0, list[NDArray[np.float32]]()
    with (
        map_windows(folder / SCORE.name) as read,
        MapWriter(folder / EVIDENCE.name, scene.grid, [EVIDENCE_BAND], "float32", nan, tags, threads) as evidence,
        MapWriter(folder / EVIDENCE_ANOMALY.name, scene.grid, [FLAG_BAND], "uint8", 255, cut_tags, threads) as flags,
    ):
        for window in scene.windows(WINDOW):
            pooled = _pooled(read, window, scene.grid.window, reach)
            above = pooled > cut.value
            some.append(pooled[::SAMPLED, ::SAMPLED][np.isfinite(pooled[::SAMPLED, ::SAMPLED])])
            anomalous += int(above.sum())
            evidence.write(window, pooled[None])
            flags.write(window, np.where(np.isfinite(pooled), above.astype(np.uint8), np.uint8(255))[None])
            if metrics is not None:
                _judge(metrics, pooled, scene, window)
        evidence.close()
        flags.close()
    _write_style(folder / EVIDENCE_STYLE.name, np.concatenate(some) if some else np.zeros(0, np.float32), cut.value)
    maps = {EVIDENCE.name: evidence.asset_bands, EVIDENCE_ANOMALY.name: flags.asset_bands}
    return PooledEvidence(_section(anomalous, cut, metrics, reach), maps)


def _write_style(path: Path, some: NDArray[np.float32], cut: float) -> None:
    """The style of evidence.tif, from its 2 to its 99.8 %, and at least to half above the cut."""
    low, high = np.quantile(some, [0.02, 0.998]).tolist() if some.size else (0.0, 1.0)
    write_evidence_style(path, low, max(high, 1.5 * cut) if np.isfinite(cut) else high)


def _pooled(
    read: Callable[[Window], NDArray[np.float32]], window: Window, scene: Window, reach: int
) -> NDArray[np.float32]:
    """The evidence ``(rows, cols)`` of a window."""
    # What is pooled at a pixel depends on its surroundings out to HALO pixels. They are read again for every window, so
    # that the windows join without seams.
    around = window.grow(HALO).clip(scene)
    return pool(read(around), reach)[window.shift(-around.row, -around.col).slices]


def _section(anomalous: int, cut: Threshold, metrics: TruthMetrics | None, reach: int) -> EvidenceSection:
    """The ``evidence`` section of report.json."""
    section: EvidenceSection = {
        "file": EVIDENCE.name,
        "flags": EVIDENCE_ANOMALY.name,
        "anomalous": anomalous,
        "reach": reach,
        "threshold": cut.summary(),
    }
    if metrics is not None:
        section["metrics"] = _without_baselines(metrics.finish())
    return section


def _without_baselines(figures: TruthFigures) -> EvidenceMetrics:
    """The figures of the pooled evidence, with which no other method is compared."""
    return {
        "auroc": figures["auroc"],
        "average_precision": figures["average_precision"],
        "positives": figures["positives"],
        "negatives": figures["negatives"],
        "detection_rate": figures["detection_rate"],
        "false_alarm_rate": figures["false_alarm_rate"],
    }


def _judge(metrics: TruthMetrics, pooled: NDArray[np.float32], scene: Scene, window: Window) -> None:
    """Give the pixels whose truth is known to the metrics."""
    truth = scene.truth(window)
    if truth is None:
        return
    known = np.isfinite(pooled) & (truth != 255)
    metrics.update(LabelledScores(pooled[known][None], truth[known] != 0))
