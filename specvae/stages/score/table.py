"""Scoring one table: every row's score beside its own columns, with the same reports as a map."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from specvae.detector import Detector
from specvae.errors import InputError
from specvae.export.contents import EXPLANATIONS, PAGE, QUICKLOOK, SCORES_CSV
from specvae.export.plain_text import plain_text
from specvae.export.products import Products
from specvae.export.reasons_in_words import Wording, wording_of
from specvae.export.report.build import finish_folder, report_of
from specvae.export.report.page import SHOWN_CASES
from specvae.export.report.page_data import Case, Cell, PageData
from specvae.export.report.sections import Report
from specvae.export.report.table_quicklook import ScoreSpread, draw_table_quicklook
from specvae.export.result_folders import result_folder
from specvae.export.table_writing import ScoresWriter, scores_name
from specvae.ingest.scene.describe import SceneSection
from specvae.ingest.source import Source
from specvae.ingest.table.labels import TruthCounts, truth_of
from specvae.ingest.table.reading import Table, TableFile, open_table
from specvae.scoring.gathered.drift import DriftAccumulator
from specvae.scoring.gathered.metrics import LabelledScores, TruthMetrics
from specvae.spectra import CELL, Cube, Explanation, Parts, ScoredWindow, Window
from specvae.stages.score.best_rows import BestRows, Rows
from specvae.stages.score.job import Job
from specvae.stages.score.overlap import overlapped, prefetched
from specvae.stages.score.page import table_page
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score.gatherers import Gatherers
    from specvae.stages.score.request import ScoreRequest

__all__ = ["score_table"]

CHUNK = 16 * CELL**2
"""Rows at a time: a multiple of a cell, so that a row is always the same column of the same matrix product."""

ROW = "row"
"""Column of a row's number: from 0 and without the header, as ``DataFrame.iloc`` of pandas counts, in every file alike."""
EXPLAINED = 10
"""Rows that are explained at least, where nobody says how many."""
EXPLAINED_VALUES = 20_000
"""Values of flagged rows that are explained at most: a row of n values takes 3 n scores."""
DRIFT_ROWS = 1_000_000
"""The fewest rows that are compared with the fit where a table has as many."""


def score_table(job: Job) -> Report:
    """Score one table into its folder, chunk by chunk: reading, computing and writing overlap; the report."""
    started = time.perf_counter()
    source, detector, threshold = job.source, job.model.detector, job.threshold
    file = _opened(source, job.request, detector)
    with result_folder(job.folder) as work:
        with _writer(work.path, source, job.request) as writer:
            scored = _Scored.of(detector, job.request, threshold, writer, file.rows or 0)
            # A table is read in order by an iterator, which a thread of its own runs ahead of: the second step, the
            # reading of a window, has nothing to do here.
            overlapped(prefetched(scored.read(file.chunks(CHUNK))), _same, scored.score, scored.write)
        scored.refuse_empty(source.path)
        figures = scored.gathered.finish(time.perf_counter() - started)
        about = _about(source, file, scored.rows, detector)
        if scored.truth is not None:
            about["notes"] += scored.labels.notes(scored.truth)
        report = report_of(about, job.model, threshold, figures, job.request.settings())
        if QUICKLOOK in job.request.written:
            draw_table_quicklook(work.path / QUICKLOOK.name, scored.spread, source.key, threshold)
        written, asked = job.request.written, job.request.explain
        page = _page(detector, scored.gathered, scored.best, work.path, written, threshold.value, asked)
        finish_folder(work.path, report, page, job.fingerprint(), job.model, None, {}, job.request.written)
        work.commit()
    return report


def _writer(folder: Path, source: Source, request: ScoreRequest) -> AbstractContextManager[ScoresWriter | None]:
    """The writer of the scored rows; None where they are no product."""
    return ScoresWriter(folder / scores_name(source.path)) if SCORES_CSV in request.written else nullcontext()


def _opened(source: Source, request: ScoreRequest, detector: Detector) -> TableFile:
    """The table, with the columns that are the model's bands. Raises InputError where it lacks the truth column."""
    file = open_table(source.path, request.ingest, detector.bands)
    if request.ingest.truth is not None and request.ingest.truth not in file.names:
        raise InputError(
            f"--truth: the table has no column {request.ingest.truth!r}; it has {', '.join(file.names[:20])}"
        )
    return file


def _same(table: Table) -> Table:
    """The chunk as it is."""
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
        "decisions": [decision.to_json() for decision in file.decisions],
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
    writer: ScoresWriter | None
    gathered: Gatherers
    best: BestRows
    spread: ScoreSpread
    labels: TruthCounts = field(default_factory=TruthCounts)
    rows: int = 0

    @classmethod
    def of(
        cls, detector: Detector, request: ScoreRequest, threshold: Threshold, writer: ScoresWriter | None, rows: int
    ) -> _Scored:
        """Nothing scored yet; ``rows`` is how many rows the table has, 0 where that is not known."""
        from specvae.stages.score.gatherers import Gatherers

        truth = request.ingest.truth
        gathered = Gatherers.of(detector, 1, 1, (0, 0, 0), truth is not None, threshold.value, request.written)
        # The drift of a table is measured on every n-th row: distances of distributions from a million rows are as sharp
        # as any verdict needs, and sorting all rows of a larger table would take longer than scoring them.
        step = max(1, rows // DRIFT_ROWS)
        gathered.drift = DriftAccumulator(detector.drift_reference, detector.bands.labels, step, shape=(1, rows))
        most = max(EXPLAINED, min(SHOWN_CASES, EXPLAINED_VALUES // len(detector.bands)))
        best = BestRows(most if request.explain is None else request.explain)
        spread = ScoreSpread(threshold.value)
        return cls(detector, threshold, truth, writer, gathered, best, spread)

    def refuse_empty(self, path: str) -> None:
        """Raise InputError for a table without a valid row: there is nothing to say of it."""
        if not self.gathered.counts.valid:
            missing = f"no valid row of {self.rows}; expected finite numbers in every band" if self.rows else "no row"
            raise InputError(f"{path} has {missing}")

    def read(self, chunks: Iterable[Table]) -> Iterator[Table]:
        """The chunks, with the seconds that each one takes to read counted."""
        # A generator cannot be timed from within a ``with``: while it waits to be asked, the clock would go on.
        begun = time.perf_counter()
        for table in chunks:
            self.gathered.spent.append(("read", time.perf_counter() - begun))
            yield table
            begun = time.perf_counter()

    def score(self, table: Table, _: Table) -> Parts:
        """The scores ``(n,)`` of a chunk and their two terms."""
        begun = time.perf_counter()
        parts = self.detector.score_rows(table.values, table.valid)
        self.gathered.spent.append(("compute", time.perf_counter() - begun))
        return parts

    def write(self, table: Table, parts: Parts) -> None:
        """Write a chunk, and give it to the accumulators."""
        begun = time.perf_counter()
        anomalous = parts.score > self.threshold.value
        p_values = self.detector.calibration.p_values(parts.score)
        columns: dict[str, NDArray[np.generic]] = {
            ROW: np.arange(self.rows, self.rows + len(table)),
            "score": parts.score,
            "reconstruction": parts.reconstruction,
            "kl": parts.kl,
            "p_value": p_values,
            # Empty where the row is not usable: 255 would be taken for a flag by whoever sums the column.
            "anomaly": np.ma.masked_array(anomalous.astype(np.uint8), ~table.valid),
        }
        if self.writer is not None:
            self.writer.write(table.others, columns, table.plain)
        # The accumulators know windows of rasters; a table is to them a raster of one row, this chunk a window of it.
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
        self.spread.update(parts.score)
        self.rows += len(table)
        self.gathered.spent.append(("write", time.perf_counter() - begun))

    def _compare(self, metrics: TruthMetrics, table: Table, parts: Parts) -> None:
        """Give the rows whose truth is known to the metrics, beside what the baselines say of them."""
        truth = truth_of(self.truth or "", table.others.column(table.others.column_names.index(self.truth)))
        known = table.valid & ~truth.unknown
        rows = np.vstack([parts.score[known][None], self.detector.background.scores(table.values[known])])
        metrics.update(LabelledScores(rows, truth.anomalous[known]))
        self.labels.update(truth, known)


def _page(
    detector: Detector,
    gathered: Gatherers,
    best: BestRows,
    folder: Path,
    written: Products,
    threshold: float,
    asked: int | None,
) -> PageData | None:
    """The page's data, None where there is no page, and explanations.csv of the highest-scoring rows.

    ``asked``: of how many; None: of those above the ``threshold``.
    """
    if PAGE not in written and EXPLANATIONS not in written:
        return None
    rows = best.rows
    assert rows is not None
    if asked is None:
        # All that are flagged, as far as they can be explained in seconds, and a few more where few or none are.
        flagged = int(np.count_nonzero(rows.score > threshold))
        rows = rows.take(np.arange(min(len(rows.at), max(EXPLAINED, min(flagged, best.count)))))
    explanation = detector.explain(rows.values)
    cases = _cases(rows, best.names, wording_of(detector, rows=True), explanation)
    if rows.at.size and EXPLANATIONS in written:
        explain_rows(folder / EXPLANATIONS.name, rows.at, detector.bands.labels, rows.values, explanation)
    return table_page(detector, gathered, cases, rows, explanation) if PAGE in written else None


def _cases(rows: Rows, names: tuple[str, ...], wording: Wording, explanation: Explanation) -> list[Case]:
    """The rows of the page's table."""
    cases = []
    for k, i in enumerate(rows.at.tolist()):
        of_row = (explanation.contribution, explanation.alone, rows.values, explanation.expected)
        drivers = wording.drivers(*(part[:, k] for part in of_row))
        cells: dict[str, Cell] = {"row_number": i}
        # The space after the name keeps a column that is called "score" apart from the score itself.
        cells |= {f"{name} ": text for name, text in zip(names, rows.others[:, k], strict=True)}
        cells |= {
            "score": float(rows.score[k]),
            "reconstruction": float(rows.reconstruction[k]),
            "kl": float(rows.kl[k]),
        }
        cells["p_value"] = None if np.isnan(rows.p_value[k]) else float(rows.p_value[k])
        cells["bands"] = wording.in_words(drivers, rows.values[:, k], explanation.alone[:, k])
        cases.append(Case(cells))
    return cases


OF_ROWS = ("contribution", "alone", "by_itself", "deviation")
"""What explanations.csv says of an explained row, before what was observed and expected."""


def explain_rows(
    path: Path, top: NDArray[np.int64], labels: tuple[str, ...], values: NDArray[np.float32], explanation: Explanation
) -> None:
    """Write explanations.csv: a line for each top row, by its number from 0, and each band: they add up to the row's score."""
    nats = (f"{name}_nats" if name != "deviation" else name for name in OF_ROWS)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([ROW, "band", *nats, "observed", "expected"])
        for k, i in enumerate(top.tolist()):
            for b, label in enumerate(labels):
                numbers = [getattr(explanation, name)[b, k] for name in OF_ROWS]
                numbers += [values[b, k], explanation.expected[b, k]]
                writer.writerow([i, plain_text(label), *(f"{v:.9g}" for v in numbers)])
