"""Objects of a scored scene: their file, their section of report.json and their rows in the page."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from specvae.detector import Detector
from specvae.export.contents import ANOMALY
from specvae.export.maps_read_back import anomalous_pixels
from specvae.export.objects.frame import object_rows
from specvae.export.objects.known import KnownObjects, mark_known, read_known
from specvae.export.objects.rows import ObjectRows
from specvae.export.objects.writing import write_objects
from specvae.export.report.page_data import Spectra
from specvae.export.report.sections import LeadingObject, ObjectsSection
from specvae.ingest.grid import Grid
from specvae.scoring.gathered.object_table import JoinedObjects, ObjectTable, Omitted
from specvae.thresholds.object_p_values import ObjectCalibration, discoveries
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score.request import ScoreRequest

__all__ = ["SceneObjects", "explain_objects", "find_objects", "known_objects"]

EXPLAINED = 200
"""Objects whose spectra stand in the page and in explanations.csv."""
LEADING = 5
"""Objects that report.json describes."""


@dataclass(frozen=True, eq=False)
class SceneObjects:
    """The objects of one scene."""

    table: ObjectTable
    rows: ObjectRows
    """One row an object, in the order of ``table``."""
    section: ObjectsSection
    """``objects`` of report.json."""

    def cases(self) -> list[dict[str, Any]]:
        """Rows of the page's table."""
        names = [name for name in self.rows.columns if name not in ("outline", "reconstruction_share")]
        boxes = np.stack([self.table.row, self.table.col, self.table.bottom, self.table.right], axis=1)
        records = self.rows.records(names, 500)
        return [row | {"box": [int(v) for v in box]} for row, box in zip(records, boxes, strict=False)]

    @property
    def spectra(self) -> Spectra | None:
        """Of the first objects, at their peaks."""
        t = self.table
        if not len(t) or not len(t.spectrum):
            return None
        first = t.take(np.arange(min(EXPLAINED, len(t))))
        kl = np.asarray(first.peak * np.clip(first.kl / first.score, 0, 1), np.float32)
        return Spectra(first.peak_row, first.peak_col, first.spectrum, first.expected, first.peak, kl)


def known_objects(path: str | None, stem: str) -> KnownObjects | None:
    """The objects known from before, ``{stem}`` in the path filled in; None where none are named."""
    return read_known(path.replace("{stem}", stem)) if path else None


def find_objects(
    found: JoinedObjects,
    grid: Grid,
    detector: Detector,
    threshold: Threshold,
    request: ScoreRequest,
    known: KnownObjects | None,
    folder: Path,
) -> SceneObjects:
    """Outline the objects from ``anomaly.tif`` in ``folder``, judge them, and write their files there."""
    table = found.table
    normal = ObjectCalibration(detector.calibration.tiles, threshold.value, detector.calibration.p_values)
    p_values = normal.p_values(table.score - table.pixels * threshold.value, table.peak, table.pixels)
    with anomalous_pixels(folder / ANOMALY.name) as flags:
        rows = object_rows(table, grid, detector.bands.labels, flags, p_values)
    if known is not None:
        rows = rows.insert("bands", known=mark_known(rows, known))
    if request.fdr is not None:
        kept, adjusted = discoveries(p_values, request.fdr)
        rows = rows.insert("bands", q_value=adjusted, keep=kept)
    files = [path.name for path in write_objects(rows, folder, request.objects)]
    return SceneObjects(table, rows, _section(found, rows, files, normal, request))


def _section(
    found: JoinedObjects, rows: ObjectRows, files: list[str], normal: ObjectCalibration, request: ScoreRequest
) -> ObjectsSection:
    section: ObjectsSection = {
        "count": found.count,
        "written": len(found.table),
        "left_out": _words(found.beyond_cap),
        "file": files[0],
        "files": files,
        "p_value_method": normal.method,
        "p_value_note": normal.note if len(found.table) else None,
        "boxes": int((rows["outline"] == "box").sum()),
        "leading": _leading(rows),
    }
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
            peak=row["peak"],
            p_value=row["p_value"],
            bands=row["bands"],
            lon=row["lon"],
            lat=row["lat"],
        )
        for row in rows.records(list(LeadingObject.__annotations__), LEADING, new)
    ]


def _words(left: Omitted) -> str | None:
    if not left.objects:
        return None
    return (
        f"{left.objects:,} more objects of {left.pixels:,} pixels, with peaks of {left.peak:.4g} nats at most, "
        "are in anomaly.tif only"
    )


def explain_objects(path: Path, table: ObjectTable, labels: tuple[str, ...]) -> None:
    """Write explanations.csv: a row for each of the first objects and each band, means over the object."""
    if not len(table.contribution):
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["object", "band", "contribution_nats", "deviation", "observed_at_peak", "expected_at_peak"])
        for i in range(min(EXPLAINED, len(table))):
            n = table.pixels[i]
            for b, label in enumerate(labels):
                pair = (table.contribution[b, i] / n, table.deviation[b, i] / n)
                both = (table.spectrum[b, i], table.expected[b, i])
                writer.writerow([i + 1, label, *(f"{v:.7g}" for v in (*pair, *both))])
