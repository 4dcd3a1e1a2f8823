"""Scoring one raster: windows read, scored and written at once, everything else gathered by accumulators."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from specvae.bands import rgb_bands
from specvae.errors import InputError
from specvae.export.contents import EXPLANATIONS, PAGE, PIXELS, QUICKLOOK
from specvae.export.maps import AssetBands
from specvae.export.objects.frame import SceneFacts
from specvae.export.objects.known import KnownObjects
from specvae.export.qgis_styles import write_styles
from specvae.export.report.build import finish_folder, report_of, trust_section
from specvae.export.report.quicklook import draw_quicklook
from specvae.export.report.quicklook_notes import notes_of
from specvae.export.report.sections import Report, SceneFigures
from specvae.export.result_folders import result_folder
from specvae.ingest.scene.describe import about
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import in_patches
from specvae.ingest.scene.scene import Scene
from specvae.spectra import Window
from specvae.stages.score.gatherers import Gatherers
from specvae.stages.score.job import Job
from specvae.stages.score.mask_buffer import other_buffer
from specvae.stages.score.objects import SceneObjects, explain_objects, find_objects, known_objects
from specvae.stages.score.page import map_page
from specvae.stages.score.patch_pixels import picture_of, write_pixels
from specvae.stages.score.pixel_size import other_pixels
from specvae.stages.score.pooled import PooledEvidence, evidence_cut, pool_evidence
from specvae.stages.score.reading import WindowReader, read_in_order
from specvae.stages.score.scene_maps import SceneMaps, open_maps
from specvae.stages.score.scored_windows import WindowScoring
from specvae.stages.score.window import score_bands

__all__ = ["Fill", "score_map"]

Fill = Callable[[Gatherers, SceneMaps], None]
"""Gives accumulators and maps what was scored elsewhere, in place of scoring it here."""


def score_map(job: Job, fill: Fill | None = None) -> Report:
    """Score one raster into its folder; the report. Everything is written completely or not at all."""
    source, request, detector = job.source, job.request, job.model.detector
    known = known_objects(request.known, source.stem)
    if request.pool:
        # Asked for here only to be refused: a model without the evidence's cut must not fail after an hour of scoring.
        evidence_cut(job.model, request)
    opened = in_patches(
        open_scene(source, request.ingest, match=detector.bands, before=detector.before), detector.config.patch
    )
    with opened as scene, result_folder(job.folder) as work:
        rgb = rgb_bands(detector.bands)
        gathered = Gatherers.of(
            detector,
            scene.rows,
            scene.cols,
            rgb,
            scene.has_truth,
            job.threshold.value,
            request.written,
            request.min_pixels,
        )
        run = _SceneRun(job, scene, work.path, gathered, known)
        started = time.perf_counter()
        objects, scene_maps, figures = run.write_maps(fill)
        figures = replace(figures, seconds={**gathered.seconds, "total": time.perf_counter() - started})
        pixels = run.write_patch_pixels(rgb)
        evidence = pool_evidence(work.path, scene, job.model, request) if request.pool else None
        maps = scene_maps.finish(job) | pixels | (evidence.maps if evidence else {})
        report = run.write_report(objects, evidence, figures, maps)
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

    def write_maps(self, fill: Fill | None) -> tuple[SceneObjects, SceneMaps, SceneFigures]:
        """Write score.tif and anomaly.tif; the objects, both maps, and the scene's figures.

        The objects are outlined from anomaly.tif while score.tif, which takes longer, is being finished.
        """
        request, detector = self.job.request, self.job.model.detector
        count = len(score_bands(request.score_parts))
        # The reader bounds GDAL's cache, which the maps go through too: it stays open until they are closed.
        with (
            read_in_order(self.scene, detector, request.max_memory, count, self.gathered.square) as reader,
            open_maps(self.place, self.scene.grid, self.job) as maps,
        ):
            if fill is None:
                self._score(reader, maps)
            else:
                fill(self.gathered, maps)
            # Closing compresses the map and makes its overviews, in GDAL and without Python's global lock. The map of
            # flags takes a fraction of the time, and so do the objects that are outlined from it meanwhile.
            with self.gathered.timed("write"), ThreadPoolExecutor(1, "close") as beside:
                closing = beside.submit(maps.close_scores)
                maps.close_anomalies()
                figures = self.gathered.finish(0.0)
                objects = self._outline(figures)
                closing.result()
            return objects, maps, figures

    def _score(self, reader: WindowReader, maps: SceneMaps) -> None:
        """Score every window of the scene into both maps."""
        job, scene, done = self.job, self.scene, 0

        def advance(window: Window) -> None:
            nonlocal done
            done += window.size
            if job.progress:
                job.progress(scene.key, done / scene.grid.window.size)

        scoring = WindowScoring(scene, job.model.detector, job.threshold, self.gathered, job.request.score_parts)
        scoring.run(reader, maps.write, advance)

    def _outline(self, figures: SceneFigures) -> SceneObjects:
        """The objects, outlined from the finished anomaly.tif, and explained."""
        self._refuse_empty()
        job, detector, grid = self.job, self.job.model.detector, self.scene.grid
        joined, cut = self.gathered.objects.finish(), job.threshold.summary()
        trust = trust_section(detector, job.threshold, figures, "patches" if detector.config.patch else "pixels")
        rate, interval = cut["false_alarm_rate"], cut["interval"]
        facts = SceneFacts(self.scene.key, self.scene.datetime, cut["value"], rate, interval, trust["verdict"])
        objects = find_objects(joined, grid, job, self.known, self.place, facts, figures.pixels["valid"])
        if len(objects.table) and EXPLANATIONS in job.request.written:
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
        scene, overview, request = self.scene, self.gathered.overview, self.job.request
        if scene.side == 1:
            return {}
        fine = None if overview is None else picture_of(scene, rgb)
        if overview is not None and fine is not None:
            # The overview is that of the patches' coarse grid. In its own pixels the scene can be recognised.
            overview.composite = fine
        if not request.parts or PIXELS not in request.written:
            return {}
        return {PIXELS.name: write_pixels(self.place, scene, self.job.model, request.threads)}

    def write_report(
        self,
        objects: SceneObjects,
        evidence: PooledEvidence | None,
        figures: SceneFigures,
        maps: dict[str, AssetBands],
    ) -> Report:
        """Write all files beside the maps; the report."""
        job, gathered, written = self.job, self.gathered, self.job.request.written
        section, settings = evidence.section if evidence else None, job.request.settings()
        described = about(self.scene)
        compared = [*other_pixels(self.scene, job.model), *other_buffer(self.scene, job.model)]
        described["notes"] = [*described["notes"], *compared]
        report = report_of(described, job.model, job.threshold, figures, settings, objects.section, section)
        if QUICKLOOK in written and gathered.overview is not None:
            first, path = objects.first, self.place / QUICKLOOK.name
            draw_quicklook(path, gathered.overview, job.threshold, job.source.key, notes_of(report, first), first)
        write_styles(self.place, figures.survival, report["threshold"]["value"], written)
        page = map_page(self.scene, job.model.detector, gathered, objects) if PAGE in written else None
        finish_folder(self.place, report, page, job.fingerprint(), job.model, self.scene, maps, written)
        return report
