"""The report of one scene: report.json from what was gathered, and the files that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from specvae.detector import Detector
from specvae.export.contents import (
    ITEM,
    MODEL_ITEM,
    PAGE,
    REPORT,
    THRESHOLDS,
)
from specvae.export.maps import AssetBands
from specvae.export.products import Products
from specvae.export.report.extent import extent_warning
from specvae.export.report.page import render_page
from specvae.export.report.page_data import PageData
from specvae.export.report.sections import (
    EvidenceSection,
    ModelSection,
    ObjectsSection,
    Report,
    SceneFigures,
    ThresholdRow,
)
from specvae.export.report.thresholds_csv import write_thresholds
from specvae.export.report.trust import TrustSection, trust_of
from specvae.export.stac import FolderFiles, model_item, scene_item
from specvae.files.fingerprint import Fingerprint, sha256_of
from specvae.files.json_files import finite, write_json
from specvae.ingest.scene.describe import SceneSection
from specvae.ingest.scene.scene import Scene
from specvae.model_file import StoredModel
from specvae.scoring.gathered.pixels import PixelSection
from specvae.scoring.gathered.survival import Survival
from specvae.scoring.pooling import blind_beyond
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.false_share import bound_false_share
from specvae.thresholds.p_value_curve import p_value_points
from specvae.thresholds.threshold import Threshold
from specvae.version import __version__

__all__ = ["SCHEMA_VERSION", "finish_folder", "report_of", "trust_section"]

SCHEMA_VERSION = 1


def report_of(
    scene: SceneSection,
    model: StoredModel,
    threshold: Threshold,
    figures: SceneFigures,
    settings: dict[str, Any],
    objects: ObjectsSection | None = None,
    evidence: EvidenceSection | None = None,
) -> Report:
    """``report.json``: a scene's counts, threshold, calibration, drift, timing, and figures where truth was given."""
    detector, valid = model.detector, figures.pixels["valid"]
    noun = "rows" if scene["kind"] == "table" else "patches" if detector.config.patch else "pixels"
    diagnostics = detector.provenance.get("diagnostics", {})
    report: Report = {
        "schema_version": SCHEMA_VERSION,
        "scene": scene,
        "model": _model_section(model),
        "pixels": figures.pixels,
        "threshold": threshold.summary(),
        "thresholds": threshold_table(detector.calibration, figures.survival, valid, scene["pixel_area_m2"]),
        "calibration": detector.calibration.summary(),
        "p_values": p_value_points(detector.calibration),
        "drift": figures.drift.summary(),
        "trust": trust_section(detector, threshold, figures, noun),
        "objects": objects or {"count": None, "file": None},
        "diagnostics": diagnostics,
        "history": detector.provenance.get("history", []),
        "timing": {name: round(value, 3) for name, value in figures.seconds.items()},
        "settings": settings,
        "warnings": _warnings(threshold, scene, diagnostics.get("warnings", ()), evidence, figures.pixels, noun),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
    }
    if evidence is not None:
        report["evidence"] = evidence
    if figures.metrics is not None:
        report["metrics"] = figures.metrics
    # JSON has no NaN and no infinity. A cut that no calibration supports is infinite, and becomes null here, once for
    # the report, the page and the STAC item.
    return finite(report)


def trust_section(detector: Detector, threshold: Threshold, figures: SceneFigures, noun: str) -> TrustSection:
    """The joined verdict, with the bound on the false share at the reported cut; ``noun``: what is counted."""
    calibration = detector.calibration
    (bound,) = false_shares(calibration, figures.survival, figures.pixels["valid"], [threshold.value])
    return trust_of(figures, threshold.summary(), calibration.summary(), noun, bound, detector.interrupted)


def _model_section(model: StoredModel) -> ModelSection:
    """Which file scored, and on what bands."""
    return {
        "path": model.path,
        "sha256": model.sha256,
        "created": model.created,
        "bands": list(model.detector.bands.labels),
        "patch": model.detector.config.patch,
        "interrupted": model.detector.interrupted,
        "looks_around": None if (around := model.detector.state.around) is None else around.outer,
    }


def _warnings(
    threshold: Threshold,
    scene: SceneSection,
    fit: Sequence[str],
    evidence: EvidenceSection | None,
    pixels: PixelSection,
    noun: str,
) -> list[str]:
    """What a reader must know of how much is anomalous, of the cut, the scene, the fit, and of the evidence's cut."""
    pooled = evidence["threshold"]["warning"] if evidence else None
    warnings = [extent_warning(pixels, noun), threshold.warning, *scene["notes"], *fit]
    if evidence:
        warnings.append(f"evidence: {blind_beyond(evidence['reach'])}")
    # Both cuts come from the same held-out tiles, and often for the same reason: one sentence is enough then.
    if pooled and pooled != threshold.warning:
        warnings.append(f"evidence: {pooled}")
    return [warning for warning in warnings if warning]


def threshold_table(calibration: Calibration, survival: Survival, valid: int, area: float | None) -> list[ThresholdRow]:
    """A row for each rate: cut, interval, method, expected false alarms here and per km2, share of the scene above."""
    rows: list[ThresholdRow] = []
    cuts = calibration.table() if calibration.size else ()
    bounds = false_shares(calibration, survival, valid, [cut.value for cut in cuts])
    for cut, bound in zip(cuts, bounds, strict=True):
        rate = cut.false_alarm_rate
        rows.append(
            {
                **cut.summary(),
                "expected_false_alarms": None if rate is None else rate * valid,
                "expected_per_km2": None if rate is None or not area else rate * 1e6 / area,
                "share_of_scene_above": survival.count_above(cut.value) / survival.total if survival.total else None,
                "false_share_bound": bound,
            }
        )
    return rows


def false_shares(calibration: Calibration, survival: Survival, valid: int, cuts: Sequence[float]) -> list[float | None]:
    """For each cut, the bound on the share of false flags; None where nothing is flagged or no bound is known."""
    bound = bound_false_share(calibration.tiles, valid)
    if bound is None or not cuts:
        return [None] * len(cuts)
    shares = bound.share(np.array(cuts, np.float64), survival.counts_above)
    return [float(share) if np.isfinite(share) else None for share in shares]


def finish_folder(
    folder: Path,
    report: Report,
    page: PageData | None,
    mark: Fingerprint,
    model: StoredModel,
    scene: Scene | None,
    maps: Mapping[str, AssetBands],
    written: Products,
) -> None:
    """Write thresholds.csv, report.html, report.json, the model's item and, last, item.json, as far as they are ``written``.

    ``page``: None where report.html is not; ``maps`` gives the bands of each map in the folder.
    """
    # Maps may be large. They are hashed in a thread of their own while the page is rendered, which costs nothing: hashing
    # releases Python's global lock.
    with ThreadPoolExecutor(1, "hash") as beside:
        sums = {name: beside.submit(sha256_of, folder / name) for name in sorted(maps)}
        if THRESHOLDS in written:
            write_thresholds(folder / THRESHOLDS.name, report["thresholds"])
        if page is not None:
            (folder / PAGE.name).write_text(render_page(report, page), encoding="utf-8")
        write_json(folder / REPORT.name, report)
        if MODEL_ITEM in written:
            write_json(folder / MODEL_ITEM.name, model_item(model, folder))
        files = FolderFiles(folder, maps, {name: hashed.result() for name, hashed in sums.items()})
    # The item is written last, since it lists the other files with their checksums: whoever sees one sees a complete
    # folder, and a folder without one is what a killed process has abandoned.
    grid = None if scene is None else scene.grid
    write_json(folder / ITEM.name, scene_item(report, mark, files, grid))
