"""Scoring one raster: windows read, scored and written at once, everything else gathered by accumulators."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.export.contents import ANOMALY, EXPLANATIONS, PIXELS, QUICKLOOK, SCORE, result_folder
from specvae.export.maps import AssetBands, MapWriter
from specvae.export.objects.known import KnownObjects
from specvae.export.report.build import finish_folder, report_of
from specvae.export.report.quicklook import draw_quicklook, rgb_bands
from specvae.export.report.sections import Report
from specvae.ingest.scene.describe import about
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import in_patches
from specvae.ingest.scene.scene import Scene
from specvae.spectra import Window
from specvae.stages.score.gatherers import Gatherers
from specvae.stages.score.job import Job
from specvae.stages.score.objects import SceneObjects, explain_objects, find_objects, known_objects
from specvae.stages.score.page import map_page
from specvae.stages.score.patch_pixels import picture_of, write_pixels
from specvae.stages.score.pooled import PooledEvidence, evidence_cut, pool_evidence
from specvae.stages.score.reading import WindowReader, read_in_order
from specvae.stages.score.scored_windows import WindowScoring
from specvae.stages.score.window import FLAG_BAND, score_bands

__all__ = ["Fill", "score_map"]

Fill = Callable[[Gatherers, MapWriter, MapWriter], None]
"""Gives accumulators and maps what was scored elsewhere, in place of scoring it here."""


def score_map(job: Job, fill: Fill | None = None) -> Report:
    """Score one raster into its folder; the report. Everything is written completely or not at all."""
    source, request, detector = job.source, job.request, job.model.detector
    known = known_objects(request.known, source.stem)
    if request.pool:
        # Asked for here only to be refused: a model without the evidence's cut must not fail after an hour of scoring.
        evidence_cut(job.model, request)
    opened = in_patches(open_scene(source, request.ingest, match=detector.bands), detector.config.patch)
    with opened as scene, result_folder(job.folder) as work:
        rgb = rgb_bands(detector.bands)
        gathered = Gatherers.of(detector, scene.rows, scene.cols, rgb, scene.has_truth, job.threshold.value)
        run = _SceneRun(job, scene, work.path, gathered, known)
        started = time.perf_counter()
        objects, maps = run.write_maps(fill)
        total = time.perf_counter() - started
        maps |= run.write_patch_pixels(rgb)
        evidence = pool_evidence(work.path, scene, job.model, request) if request.pool else None
        maps |= evidence.maps if evidence else {}
        report = run.write_report(objects, evidence, total, maps)
        work.commit()
    return report


@dataclass(frozen=True, eq=False)
class _SceneRun:
    """One scene while it is scored into a folder."""

    job: Job
    scene: Scene
    place: Path
    """Where the files are written before the folder is complete."""
    gathered: Gatherers
    known: KnownObjects | None

    def write_maps(self, fill: Fill | None) -> tuple[SceneObjects, dict[str, AssetBands]]:
        """Write score.tif and anomaly.tif; the objects, and the bands of both maps.

        The objects are outlined from anomaly.tif while score.tif, which takes longer, is being finished.
        """
        request, detector = self.job.request, self.job.model.detector
        count = len(score_bands(request.parts))
        # The reader bounds GDAL's cache, which the maps go through too: it stays open until they are closed.
        with (
            read_in_order(self.scene, detector, request.max_memory, count) as reader,
            self._open_maps() as (scores, anomalies),
        ):
            if fill is None:
                self._score(reader, scores, anomalies)
            else:
                fill(self.gathered, scores, anomalies)
            # Closing compresses the map and makes its overviews, in GDAL and without Python's global lock. The map of
            # flags takes a fraction of the time, and so do the objects that are outlined from it meanwhile.
            with self.gathered.timed("write"), ThreadPoolExecutor(1, "close") as beside:
                closing = beside.submit(scores.close)
                anomalies.close()
                objects = self._outline()
                closing.result()
            return objects, {SCORE.name: scores.asset_bands, ANOMALY.name: anomalies.asset_bands}

    @contextmanager
    def _open_maps(self) -> Iterator[tuple[MapWriter, MapWriter]]:
        """The writers of score.tif and of anomaly.tif."""
        job, grid, threads = self.job, self.scene.grid, self.job.request.threads
        bands, nan = score_bands(job.request.parts), float("nan")
        tags = {"specvae_model_sha256": job.model.sha256, "direction": "higher is more anomalous", "unit": "nat"}
        # ``repr`` gives the shortest digits that read back as the very same float, so that the flags can be made again.
        cut = tags | {"threshold_nats": repr(job.threshold.value)}
        with (
            MapWriter(self.place / SCORE.name, grid, bands, "float32", nan, tags, threads) as scores,
            MapWriter(self.place / ANOMALY.name, grid, [FLAG_BAND], "uint8", 255, cut, threads) as anomalies,
        ):
            yield scores, anomalies

    def _score(self, reader: WindowReader, scores: MapWriter, anomalies: MapWriter) -> None:
        """Score every window of the scene into both maps."""
        job, scene, done = self.job, self.scene, 0

        def store(window: Window, score_rows: NDArray[np.float32], flag_rows: NDArray[np.uint8]) -> None:
            nonlocal done
            scores.write(window, score_rows)
            anomalies.write(window, flag_rows)
            done += window.size
            if job.progress:
                job.progress(scene.key, done / scene.grid.window.size)

        scoring = WindowScoring(scene, job.model.detector, job.threshold, self.gathered, job.request.parts)
        scoring.run(reader, store)

    def _outline(self) -> SceneObjects:
        """The objects, outlined from the finished anomaly.tif, and explained."""
        self._refuse_empty()
        job, detector = self.job, self.job.model.detector
        joined = self.gathered.objects.finish()
        objects = find_objects(joined, self.scene.grid, job, self.known, self.place)
        if len(objects.table):
            explain_objects(self.place / EXPLANATIONS.name, objects.table, detector.bands.labels)
        return objects

    def _refuse_empty(self) -> None:
        """Raise InputError for a scene without a valid pixel: there is nothing to say of it."""
        pixels = self.gathered.counts.finish()
        if pixels["total"] and not pixels["valid"]:
            why = ", ".join(f"{n} {reason}" for reason, n in pixels["invalid_by_reason"].items() if n)
            raise InputError(
                f"{self.scene.path} has no valid pixel ({why}); see `specvae inspect`, --nodata, --mask and --aoi"
            )

    def write_patch_pixels(self, rgb: tuple[int, int, int]) -> dict[str, AssetBands]:
        """Show a scene of patches in its own pixels, and with ``--parts`` write pixels.tif; the bands of that map."""
        scene = self.scene
        if scene.side == 1:
            return {}
        fine = picture_of(scene, rgb)
        if fine is not None:
            # The overview is that of the patches' coarse grid. In its own pixels the scene can be recognised.
            self.gathered.overview.composite = fine
        if not self.job.request.parts:
            return {}
        return {PIXELS.name: write_pixels(self.place, scene, self.job.model, self.job.request.threads)}

    def write_report(
        self, objects: SceneObjects, evidence: PooledEvidence | None, total: float, maps: dict[str, AssetBands]
    ) -> Report:
        """Write all files beside the maps; the report. ``total``: seconds of scoring by the clock."""
        job, gathered = self.job, self.gathered
        section = evidence.section if evidence else None
        figures, settings = gathered.finish(total), job.request.settings()
        report = report_of(about(self.scene), job.model, job.threshold, figures, settings, objects.section, section)
        draw_quicklook(self.place / QUICKLOOK.name, gathered.overview, job.threshold, job.source.key)
        page = map_page(self.scene, job.model.detector, gathered, objects)
        finish_folder(self.place, report, page, job.fingerprint(), job.model, self.scene, maps)
        return report
