"""Objects of a scored scene: their file, their section of report.json and their rows in the page."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from specvae.export.contents import ANOMALY, OBJECTS_GEOPACKAGE
from specvae.export.maps_read_back import anomalous_pixels
from specvae.export.objects.frame import SceneFacts, object_rows, shapes_of
from specvae.export.objects.known import KnownObjects, mark_known, read_known
from specvae.export.objects.rows import ObjectRows
from specvae.export.objects.writing import write_objects
from specvae.export.plain_text import plain_text
from specvae.export.reasons_in_words import wording_of
from specvae.export.report.page import SHOWN_CASES
from specvae.export.report.page_data import Case, Spectra
from specvae.export.report.sections import LargestObject, LeadingObject, ObjectsSection
from specvae.ingest.grid import Grid
from specvae.scoring.gathered.object_table import JoinedObjects, ObjectTable
from specvae.stages.score.job import Job
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.object_p_values import ObjectCalibration, discoveries

if TYPE_CHECKING:
    from specvae.stages.score.request import ScoreRequest

__all__ = ["SceneObjects", "explain_objects", "find_objects", "known_objects"]

EXPLAINED = 200
"""The most objects whose spectra the page and explanations.csv hold."""
LEADING = 5
"""The most objects that report.json describes."""


OBJECT_MEANS = {
    "contribution": "contribution_nats",
    "alone": "alone_nats",
    "surroundings": "surroundings_nats",
    "deviation": "deviation",
    "observed": "observed_mean",
    "foreseen": "expected_mean",
}
"""Columns of explanations.csv that are means over an object, by what they are the sums of."""
AT_PEAK = {"at_peak": "contribution_at_peak", "spectrum": "observed_at_peak", "expected": "expected_at_peak"}
"""Columns of explanations.csv that are of an object's peak pixel."""
SCENE_COLUMNS = tuple(SceneFacts("", None, None, None, None, "").columns(0))
"""Columns that are alike for all objects of a scene."""


@dataclass(frozen=True, eq=False)
class SceneObjects:
    """The objects of one scene."""

    table: ObjectTable
    rows: ObjectRows
    """One row an object, in the order of ``table``."""
    section: ObjectsSection
    """``objects`` of report.json."""

    def cases(self) -> list[Case]:
        """Rows of the page's table."""
        table = self.table
        # The page marks the place of an object on its map, so that row and column need no column of the table; of the
        # two shares one is enough, since they add up to 1.
        hidden = ("outline", "rank", "reconstruction_share", "kl_share", "mean", "row", "col", *SCENE_COLUMNS)
        numbered = ("band_", "change_", "nats_")  # the words say them
        names = [name for name in self.rows.columns if name not in hidden and not name.startswith(numbered)]
        places = zip(table.peak_row, table.peak_col, table.row, table.col, table.bottom, table.right, strict=True)
        # There may be ten thousand objects, of which the page shows the first few hundred: hence not ``strict``.
        return [
            Case(cells, int(row), int(col), (int(top), int(first), int(bottom), int(right)))
            for cells, (row, col, top, first, bottom, right) in zip(
                self.rows.records(names, SHOWN_CASES), places, strict=False
            )
        ]

    @property
    def first(self) -> tuple[int, int] | None:
        """Row and column in the middle of the object that report.json describes first; None where it describes none."""
        leading = self.section.get("leading")
        if not leading:
            return None
        at = leading[0]["id"] - 1  # ids are from 1, in the order of the table
        row, col = (round(float(middle[at])) for middle in self.table.centroid)
        return row, col

    @property
    def spectra(self) -> Spectra | None:
        """The mean spectra of the first objects, what was expected on average and why; None where none were gathered."""
        t = self.table
        if not len(t) or not len(t.spectrum):
            return None
        first = t.take(np.arange(min(EXPLAINED, len(t))))
        # Rounding may leave a KL a little below 0 or above the score, which no chart could show as a share of it.
        kl = np.asarray(first.mean * np.clip(first.kl / first.score, 0, 1), np.float32)
        sums = (first.observed, first.foreseen, first.contribution)
        observed, expected, contribution = (np.asarray(part / first.pixels, np.float32) for part in sums)
        mean = first.mean.astype(np.float32)
        return Spectra(first.peak_row, first.peak_col, observed, expected, contribution, mean, kl)


def known_objects(path: str | None, stem: str) -> KnownObjects | None:
    """The objects known from before, ``{stem}`` in the path filled in; None where none are named."""
    return read_known(path.replace("{stem}", stem)) if path else None


def find_objects(
    joined: JoinedObjects,
    grid: Grid,
    job: Job,
    known: KnownObjects | None,
    folder: Path,
    scene: SceneFacts,
    valid: int,
) -> SceneObjects:
    """Judge the objects, and as far as asked for outline them from ``anomaly.tif`` in ``folder`` and write them there.

    ``scene`` is said of each of them; ``valid``: the scene's usable pixels.
    """
    table, detector, request, cut = joined.table, job.model.detector, job.request, job.threshold.value
    shapes = None
    if request.outlines:
        with anomalous_pixels(folder / ANOMALY.name) as flags:
            shapes = shapes_of(table, flags)
    normal = _normal_objects(detector.calibration, cut)
    # An object is judged by how far its pixels exceed the cut, all together: a wide object of moderate scores may be
    # as remarkable as a small one with a high peak.
    p_values = normal.p_values(table.score - table.pixels * cut, table.peak, table.pixels, table.surprise)
    rows = object_rows(table, grid, wording_of(detector), shapes, p_values, scene)
    if known is not None:
        rows = rows.insert("bands", known=mark_known(rows, known))
    if request.fdr is not None:
        discovered, adjusted = discoveries(p_values, request.fdr)
        rows = rows.insert("bands", q_value=adjusted, keep=discovered)
    formats = request.objects if OBJECTS_GEOPACKAGE in request.written else ()
    files = [path.name for path in write_objects(rows, folder, formats)]
    return SceneObjects(table, rows, _section(joined, rows, files, normal, request, valid))


@lru_cache(maxsize=1)  # the same for every scene of a batch
def _normal_objects(calibration: Calibration, cut: float) -> ObjectCalibration:
    """The objects that the normal data of a model show above a cut, nats."""
    return ObjectCalibration(calibration.tiles, cut, calibration.p_values)


def _section(
    joined: JoinedObjects,
    rows: ObjectRows,
    files: list[str],
    normal: ObjectCalibration,
    request: ScoreRequest,
    valid: int,
) -> ObjectsSection:
    """The ``objects`` section of report.json."""
    section: ObjectsSection = {
        "count": joined.count,
        "written": len(joined.table),
        "left_out": _words(joined, ANOMALY in request.written, request.min_pixels),
        "too_small": joined.too_small.objects,
        "file": files[0] if files else None,
        "files": files,
        "p_value_method": normal.method,
        "p_value_note": normal.note if len(joined.table) else None,
        "expected_false": normal.expected(valid),
        "outstanding": normal.outstanding(rows["p_value"], valid),
        "leading": _leading(rows),
        "largest": _largest(rows),
    }
    if "outline" in rows:
        section["boxes"] = int((rows["outline"] == "box").sum())
    if "known" in rows:
        section["known"], section["new"] = int(rows["known"].sum()), int((~rows["known"]).sum())
    if "keep" in rows:
        section["fdr"], section["kept"] = request.fdr, int(rows["keep"].sum())
    return section


def _leading(rows: ObjectRows) -> list[LeadingObject]:
    """The first few objects, of those not known from before, for whoever is alerted."""
    new = ~rows["known"] if "known" in rows else None
    return [
        LeadingObject(
            id=row["id"],
            pixels=row["pixels"],
            area_m2=row["area_m2"],
            evidence=row["evidence"],
            peak=row["peak"],
            p_value=row["p_value"],
            bands=row["bands"],
            lon=row["lon"],
            lat=row["lat"],
        )
        for row in rows.records(list(LeadingObject.__annotations__), LEADING, new)
    ]


def _largest(rows: ObjectRows) -> LargestObject | None:
    """The object of the most pixels; None where there is none."""
    if not len(rows):
        return None
    largest = np.arange(len(rows)) == rows["pixels"].argmax()
    row = rows.records(["pixels", "area_m2"], 1, largest)[0]
    return LargestObject(pixels=row["pixels"], area_m2=row["area_m2"])


def _words(joined: JoinedObjects, mapped: bool, least: int) -> str | None:
    """What the cap on the number of objects and the least size left out, in words; None where they left out nothing."""
    omitted, small, words = joined.beyond_cap, joined.too_small, []
    where = "in anomaly.tif only" if mapped else "counted only"
    if omitted.objects:
        words.append(
            f"the {len(joined.table):,} objects of the most evidence are written; {omitted.objects:,} more of "
            f"{omitted.pixels:,} pixels, with peaks of {omitted.peak:.4g} nats at most, are {where}"
        )
    if small.objects:
        words.append(
            f"{small.objects:,} objects of fewer than {least} pixels, {small.pixels:,} pixels in all, are {where}"
        )
    return "; ".join(words) or None


def explain_objects(path: Path, table: ObjectTable, labels: tuple[str, ...]) -> None:
    """Write explanations.csv: a row for each of the first objects and each band.

    Means over the object first, whose contributions add up to its mean score, then what its peak pixel shows, whose
    contributions add up to its peak.
    """
    if not len(table.contribution):
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["object", "band", *OBJECT_MEANS.values(), *AT_PEAK.values()])
        for i in range(min(EXPLAINED, len(table))):
            # The table holds sums over an object's pixels, which windows could add up; here they become means.
            n = table.pixels[i]
            for b, label in enumerate(labels):
                means = [getattr(table, name)[b, i] / n for name in OBJECT_MEANS]
                peak = [getattr(table, name)[b, i] for name in AT_PEAK]
                writer.writerow([i + 1, plain_text(label), *(f"{v:.9g}" for v in (*means, *peak))])
