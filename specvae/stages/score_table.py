"""Scoring one table: every row's score beside its own columns, with the same reports as a map."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specvae.baselines import METHODS
from specvae.detector import Detector
from specvae.errors import InputError
from specvae.fingerprint import Fingerprint
from specvae.metrics import TruthMetrics
from specvae.model_file import StoredModel
from specvae.outputs.atomic import OutputFolder
from specvae.raster.options import IngestOptions
from specvae.raster.sources import Source
from specvae.report.build import finish_folder, report_of
from specvae.report.page_data import PageData
from specvae.report.table_quicklook import draw_table_quicklook
from specvae.spectra import Cube, Explanation, Parts, ScoredWindow, Window
from specvae.stages.score_page import table_page
from specvae.table.reading import Table, is_one_of, read_table
from specvae.table.writing import scores_name, write_scores
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score_map import Gatherers
    from specvae.stages.score_request import ScoreRequest

__all__ = ["score_table"]

RESULTS = ("score", "reconstruction", "kl", "p_value", "anomaly")


def score_table(
    source: Source,
    model: StoredModel,
    request: ScoreRequest,
    threshold: Threshold,
    folder: Path,
    mark: Callable[[], Fingerprint],
    progress: Callable[[str, float], None] | None = None,
) -> dict[str, Any]:
    """Score one table into ``folder``; the report."""
    from specvae.stages.score_map import Gatherers

    detector = model.detector
    started = time.perf_counter()
    table = read_table(source.path, request.ingest, detector.bands)
    read = time.perf_counter() - started
    valid = table.reason == 0
    if not valid.any():
        raise InputError(f"{source.path} has no valid row of {len(valid)}; expected finite numbers in every band")
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
        page = _page(detector, gathered, table, parts, columns["p_value"], request.explain, work.path)
        finish_folder(work.path, report, page, mark(), model, None)
        work.commit()
    return report


def _page(
    detector: Detector, gathered: Gatherers, table: Table, parts: Parts, p_values: Any, explain: int, folder: Path
) -> PageData:
    """The page's data, and explanations.csv of the ``explain`` highest-scoring rows."""
    order = np.argsort(-np.nan_to_num(parts.score, nan=-np.inf), kind="stable")
    top = order[: min(max(0, explain), int(np.isfinite(parts.score).sum()))].astype(np.int64)
    values = np.ascontiguousarray(table.values[top].T)
    told = detector.explain(values)
    labels = detector.bands.labels
    names = [name for name in table.others.column_names if name not in set(table.bands.names)]
    others = {name: table.others.column(name) for name in names[:3]}
    cases = []
    for k, i in enumerate(top.tolist()):
        drivers = np.argsort(-told.contribution[:, k], kind="stable")[:3]
        cases.append(
            {"row_number": i + 1}
            | {f"{name} ": str(column[i].as_py()) for name, column in others.items()}
            | {
                "score": float(parts.score[i]),
                "reconstruction": float(parts.reconstruction[i]),
                "kl": float(parts.kl[i]),
            }
            | {"p_value": None if np.isnan(p_values[i]) else float(p_values[i])}
            | {"bands": ", ".join(f"{labels[b]} {told.deviation[b, k]:+.1f}" for b in drivers)}
        )
    if top.size:
        explain_rows(folder / "explanations.csv", top, labels, values, told)
    return table_page(detector, gathered, cases, top, values, parts, told)


def explain_rows(
    path: Path, top: NDArray[np.int64], labels: tuple[str, ...], values: NDArray[np.float32], told: Explanation
) -> None:
    """Write explanations.csv: a row for each top row and each band."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "band", "contribution_nats", "deviation", "observed", "expected"])
        for k, i in enumerate(top.tolist()):
            for b, label in enumerate(labels):
                numbers = (told.contribution[b, k], told.deviation[b, k], values[b, k], told.expected[b, k])
                writer.writerow([i + 1, label, *(f"{v:.7g}" for v in numbers)])


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
