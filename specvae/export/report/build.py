"""The report of one scene: report.json from what was gathered, and the files that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from specvae.export.report.page import noun_of, render_page
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
from specvae.export.stac import FolderFiles, model_item, scene_item
from specvae.files.fingerprint import Fingerprint, sha256_of
from specvae.files.json_files import finite, write_json
from specvae.ingest.scene.describe import SceneSection
from specvae.ingest.scene.scene import Scene
from specvae.model_file import StoredModel
from specvae.scoring.gathered.survival import Survival
from specvae.scoring.pooling import BLIND_BEYOND
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.p_value_curve import p_value_points
from specvae.thresholds.threshold import Threshold
from specvae.version import __version__

__all__ = ["SCHEMA_VERSION", "finish_folder", "report_of"]

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
        "objects": objects or {"count": None, "file": None},
        "diagnostics": diagnostics,
        "history": detector.provenance.get("history", []),
        "timing": {name: round(value, 3) for name, value in figures.seconds.items()},
        "settings": settings,
        "warnings": _warnings(threshold, scene, diagnostics.get("warnings", ()), evidence),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
    }
    if (extent := extent_warning(figures.pixels, noun_of(report))) is not None:
        report["warnings"].insert(0, extent)
    if evidence is not None:
        report["evidence"] = evidence
    if figures.metrics is not None:
        report["metrics"] = figures.metrics
    # JSON has no NaN and no infinity. A cut that no calibration supports is infinite, and becomes null here, once for
    # the report, the page and the STAC item.
    return finite(report)


def _model_section(model: StoredModel) -> ModelSection:
    """Which file scored, and on what bands."""
    return {
        "path": model.path,
        "sha256": model.sha256,
        "created": model.created,
        "bands": list(model.detector.bands.labels),
        "patch": model.detector.config.patch,
        "looks_around": None if (around := model.detector.state.around) is None else around.outer,
    }


def _warnings(
    threshold: Threshold, scene: SceneSection, fit: Sequence[str], evidence: EvidenceSection | None
) -> list[str]:
    """What a reader must know of the cut, of the scene, of the fit, and of the evidence's cut."""
    pooled = evidence["threshold"]["warning"] if evidence else None
    warnings = [threshold.warning, *scene["notes"], *fit]
    if evidence:
        warnings.append(f"evidence: {BLIND_BEYOND}")
    # Both cuts come from the same held-out tiles, and often for the same reason: one sentence is enough then.
    if pooled and pooled != threshold.warning:
        warnings.append(f"evidence: {pooled}")
    return [warning for warning in warnings if warning]


def threshold_table(calibration: Calibration, survival: Survival, valid: int, area: float | None) -> list[ThresholdRow]:
    """A row for each rate: cut, interval, method, expected false alarms here and per km2, share of the scene above."""
    rows: list[ThresholdRow] = []
    for cut in calibration.table() if calibration.size else ():
        rate = cut.false_alarm_rate
        rows.append(
            {
                **cut.summary(),
                "expected_false_alarms": None if rate is None else rate * valid,
                "expected_per_km2": None if rate is None or not area else rate * 1e6 / area,
                "share_of_scene_above": survival.count_above(cut.value) / survival.total if survival.total else None,
            }
        )
    return rows


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
