"""Scoring one table: every row's score beside its own columns, with the same reports as a map."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import InputError
from specvae.export.contents import EXPLANATIONS, QUICKLOOK, result_folder
from specvae.export.report.build import finish_folder, report_of
from specvae.export.report.page_data import PageData
from specvae.export.report.sections import Report
from specvae.export.report.table_quicklook import draw_table_quicklook
from specvae.export.table_writing import ScoresWriter, scores_name
from specvae.files.fingerprint import Fingerprint
from specvae.ingest.scene.describe import SceneSection
from specvae.ingest.source import Source
from specvae.ingest.table.reading import Table, TableFile, is_one_of, open_table
from specvae.model_file import StoredModel
from specvae.scoring.gathered.drift import DriftAccumulator
from specvae.scoring.gathered.metrics import LabelledScores, TruthMetrics
from specvae.spectra import CELL, Cube, Explanation, Parts, ScoredWindow, Window
from specvae.stages.score.best_rows import BestRows, Rows
from specvae.stages.score.overlap import overlapped, prefetched
from specvae.stages.score.page import table_page
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score.gatherers import Gatherers
    from specvae.stages.score.request import ScoreRequest

__all__ = ["score_table"]

CHUNK = 48 * CELL**2
"""Rows at a time: whole cells, so that a row always stands in the same column of the same product."""


DRIFT_ROWS = 1_000_000
"""Rows that are compared with the fit, at least, where there are so many."""


def score_table(
    source: Source,
    model: StoredModel,
    request: ScoreRequest,
    threshold: Threshold,
    folder: Path,
    mark: Callable[[], Fingerprint],
    progress: Callable[[str, float], None] | None = None,
) -> Report:
    """Score one table into ``folder``, chunk by chunk: reading, computing and writing overlap; the report."""
    started = time.perf_counter()
    detector = model.detector
    file = open_table(source.path, request.ingest, detector.bands)
    if request.ingest.truth is not None and request.ingest.truth not in file.names:
        raise InputError(
            f"--truth: the table has no column {request.ingest.truth!r}; it has {', '.join(file.names[:20])}"
        )
    with result_folder(folder) as work:
        with ScoresWriter(work.path / scores_name(source.path)) as writer:
            scored = _Scored.of(detector, request, threshold, writer, file.rows or 0)
            overlapped(prefetched(scored.read(file.chunks(CHUNK))), _same, scored.score, scored.write)
        gathered, n = scored.gathered, scored.rows
        if not gathered.counts.valid:
            missing = f"no valid row of {n}; expected finite numbers in every band" if n else "no row"
            raise InputError(f"{source.path} has {missing}")
        figures = gathered.finish(time.perf_counter() - started)
        report = report_of(_about(source, file, n, detector), model, threshold, figures, request.settings())
        score = np.concatenate(scored.scores)
        draw_table_quicklook(work.path / QUICKLOOK.name, score, threshold, source.key)
        page = _page(detector, gathered, scored.best, work.path)
        finish_folder(work.path, report, page, mark(), model, None, {})
        work.commit()
    return report


def _same(table: Table) -> Table:
    return table


def _about(source: Source, file: TableFile, rows: int, detector: Detector) -> SceneSection:
    """The ``scene`` section of the report."""
    return {
        "path": source.path,
        "key": source.key,
        "kind": "table",
        "rows": rows,
        "cols": 1,
        "bands": list(file.bands.labels),
        "notes": list(file.notes),
        "crs": None,
        "pixel_area_m2": None,
        "band_match": detector.bands.match(file.bands).by,
        "wavelengths": file.bands.wavelengths,
    }


@dataclass
class _Scored:
    """One table while it is scored: what is written, and gathered, of each chunk. Each method has its own thread."""

    detector: Detector
    threshold: Threshold
    truth: str | None
    writer: ScoresWriter
    gathered: Gatherers
    best: BestRows
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    rows: int = 0

    @classmethod
    def of(
        cls, detector: Detector, request: ScoreRequest, threshold: Threshold, writer: ScoresWriter, rows: int
    ) -> _Scored:
        """``rows``: how many there are, 0 where that is not known."""
        from specvae.stages.score.gatherers import Gatherers

        truth = request.ingest.truth
        gathered = Gatherers.of(detector, 1, 1, (0, 0, 0), truth is not None, threshold.value)
        # A million rows tell as much of drift as five do.
        step = max(1, rows // DRIFT_ROWS)
        gathered.drift = DriftAccumulator(detector.drift_reference, detector.bands.labels, step)
        return cls(detector, threshold, truth, writer, gathered, BestRows(max(0, request.explain)))

    def read(self, chunks: Iterable[Table]) -> Iterator[Table]:
        """The chunks, timed."""
        begun = time.perf_counter()
        for table in chunks:
            self.gathered.spent.append(("read", time.perf_counter() - begun))
            yield table
            begun = time.perf_counter()

    def score(self, table: Table, _: Table) -> Parts:
        """Parts ``(n,)`` of a chunk."""
        begun = time.perf_counter()
        parts = self.detector.score_rows(table.values, table.valid)
        self.gathered.spent.append(("compute", time.perf_counter() - begun))
        return parts

    def write(self, table: Table, parts: Parts) -> None:
        """Write a chunk, and give it to whatever gathers."""
        begun = time.perf_counter()
        anomalous = parts.score > self.threshold.value
        p_values = self.detector.calibration.p_values(parts.score)
        columns: dict[str, NDArray[Any]] = {
            "score": parts.score,
            "reconstruction": parts.reconstruction,
            "kl": parts.kl,
            "p_value": p_values,
            "anomaly": np.where(table.valid, anomalous.astype(np.uint8), np.uint8(255)),
        }
        self.writer.write(table.others, columns)
        window = Window(0, self.rows, 1, len(table))
        cube = Cube(table.values.T[:, None, :], table.reason[None], window)
        piece = ScoredWindow(
            cube, Parts(parts.score[None], parts.reconstruction[None], parts.kl[None]), anomalous[None]
        )
        for accumulator in (self.gathered.counts, self.gathered.survival, self.gathered.drift):
            accumulator.update(piece)
        if self.gathered.metrics is not None:
            self._compare(self.gathered.metrics, table, parts)
        self.best.update(table, self.rows, parts, p_values)
        self.scores.append(parts.score)
        self.rows += len(table)
        self.gathered.spent.append(("write", time.perf_counter() - begun))

    def _compare(self, metrics: TruthMetrics, table: Table, parts: Parts) -> None:
        """Figures against the truth column, where ``--truth`` names one."""
        truth = table.others.column(table.others.column_names.index(self.truth))
        unknown = is_one_of(truth, {"", "nan", "none", "255", "<na>"})
        normal = is_one_of(truth, {"0", "0.0", "false", "normal"})
        known = table.valid & ~unknown
        rows = np.vstack([parts.score[known][None], self.detector.background.scores(table.values[known])])
        metrics.update(LabelledScores(rows, ~normal[known]))


def _page(detector: Detector, gathered: Gatherers, best: BestRows, folder: Path) -> PageData:
    """The page's data, and explanations.csv of the highest-scoring rows."""
    rows = best.rows
    assert rows is not None
    explanation = detector.explain(rows.values)
    cases = _cases(rows, best.names, detector.bands.labels, explanation)
    if rows.at.size:
        explain_rows(folder / EXPLANATIONS.name, rows.at, detector.bands.labels, rows.values, explanation)
    return table_page(detector, gathered, cases, rows, explanation)


def _cases(
    rows: Rows, names: tuple[str, ...], labels: tuple[str, ...], explanation: Explanation
) -> list[dict[str, Any]]:
    """What the page tells of each row."""
    cases = []
    for k, i in enumerate(rows.at.tolist()):
        drivers = np.argsort(-explanation.contribution[:, k], kind="stable")[:3]
        cases.append(
            {"row_number": i + 1}
            | {f"{name} ": text for name, text in zip(names, rows.others[:, k], strict=True)}
            | {name: float(getattr(rows, name)[k]) for name in ("score", "reconstruction", "kl")}
            | {"p_value": None if np.isnan(rows.p_value[k]) else float(rows.p_value[k])}
            | {"bands": ", ".join(f"{labels[b]} {explanation.deviation[b, k]:+.1f}" for b in drivers)}
        )
    return cases


def explain_rows(
    path: Path, top: NDArray[np.int64], labels: tuple[str, ...], values: NDArray[np.float32], explanation: Explanation
) -> None:
    """Write explanations.csv: a row for each top row and each band."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "band", "contribution_nats", "deviation", "observed", "expected"])
        for k, i in enumerate(top.tolist()):
            for b, label in enumerate(labels):
                numbers = (
                    explanation.contribution[b, k],
                    explanation.deviation[b, k],
                    values[b, k],
                    explanation.expected[b, k],
                )
                writer.writerow([i + 1, label, *(f"{v:.7g}" for v in numbers)])
