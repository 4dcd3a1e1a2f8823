"""Scoring one table: every row's score beside its own columns, with the same reports as a map."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specvae.baselines import METHODS
from specvae.errors import InputError
from specvae.fingerprint import Fingerprint
from specvae.metrics import TruthMetrics
from specvae.model_file import StoredModel
from specvae.outputs.atomic import OutputFolder
from specvae.raster.options import IngestOptions
from specvae.raster.sources import Source
from specvae.report.build import finish_folder, report_of
from specvae.report.quicklook import draw_table_quicklook
from specvae.spectra import Cube, Parts, ScoredWindow, Window
from specvae.table.reading import Table, is_one_of, read_table
from specvae.table.writing import scores_name, write_scores
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score import ScoreRequest

__all__ = ["score_table"]

RESULTS = ("score", "reconstruction", "kl", "p_value", "anomaly")


def score_table(
    source: Source,
    model: StoredModel,
    request: ScoreRequest,
    threshold: Threshold,
    folder: Path,
    mark: Fingerprint,
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Score one table into ``folder``; the report."""
    from specvae.stages.score_map import Gatherers

    detector = model.detector
    started = time.perf_counter()
    table = read_table(source.path, request.ingest, detector.bands)
    read = time.perf_counter() - started
    valid = table.reason == 0
    parts = detector.score_rows(table.values, valid)
    anomalous = parts.score > threshold.value
    n = len(table.values)
    window = Window(0, 0, 1, n)
    gathered = Gatherers.of(detector, 1, n, (0, 0, 0), False, threshold.value)
    cube = Cube(np.ascontiguousarray(table.values.T)[:, None, :], table.reason[None], window)
    rows = Parts(parts.score[None], parts.reconstruction[None], parts.kl[None])
    piece = ScoredWindow(cube, rows, anomalous[None])
    gathered.counts.update(piece)
    gathered.sample.update(piece)
    gathered.survival.update(piece)
    gathered.drift.update(piece)
    gathered.metrics = _metrics(table, request, detector.background, parts, valid, threshold)
    with OutputFolder(folder) as work:
        columns: dict[str, Any] = dict(zip(RESULTS, (parts.score, parts.reconstruction, parts.kl), strict=False))
        columns["p_value"] = detector.calibration.p_values(parts.score)
        columns["anomaly"] = np.where(valid, anomalous.astype(np.uint8), np.uint8(255))
        written = time.perf_counter()
        write_scores(work.path / scores_name(source.path), table.others, columns)
        now = time.perf_counter()
        seconds = {"read": read, "compute": written - started - read, "write": now - written, "total": now - started}
        about = {
            "path": source.path, "key": source.key, "kind": "table", "rows": n, "cols": 1,
            "bands": list(table.bands.labels), "notes": table.notes, "crs": None, "pixel_area_m2": None,
            "band_match": detector.bands.match(table.bands).by, "wavelengths": table.bands.wavelengths,
        }  # fmt: skip
        report = report_of(about, model, threshold, gathered, seconds, request.settings())
        draw_table_quicklook(work.path / "quicklook.png", parts.score, threshold, source.key)
        finish_folder(work.path, report, model, gathered, mark, None)
        work.commit()
    return report


def _metrics(
    table: Table, request: ScoreRequest, background: Any, parts: Parts, valid: Any, threshold: Threshold
) -> Any:
    """Figures against a truth column, where ``--truth`` names one."""
    options: IngestOptions = request.ingest
    if options.truth is None:
        return None
    names = table.others.column_names
    if options.truth not in names:
        raise InputError(f"--truth: the table has no column {options.truth!r}; it has {', '.join(names[:20])}")
    told = table.others.column(names.index(options.truth))
    unknown = is_one_of(told, {"", "nan", "none", "255", "<na>"})
    normal = is_one_of(told, {"0", "0.0", "false", "normal"})
    known = valid & ~unknown
    metrics = TruthMetrics(("specvae", *METHODS), threshold.value)
    rows = np.vstack([parts.score[known][None], background.scores(table.values[known])])
    metrics.update(rows, ~normal[known])
    return metrics
