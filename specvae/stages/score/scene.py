"""Scoring one raster: windows read, scored and written at once, everything else gathered by accumulators."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.export.contents import ANOMALY, EXPLANATIONS, QUICKLOOK, SCORE, result_folder
from specvae.export.maps import MapBand, MapWriter
from specvae.export.report.build import finish_folder, report_of
from specvae.export.report.quicklook import draw_quicklook, rgb_bands
from specvae.files.fingerprint import Fingerprint
from specvae.ingest.scene.describe import about
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import PatchScene, in_patches
from specvae.ingest.scene.scene import Scene
from specvae.ingest.source import Source
from specvae.model_file import StoredModel
from specvae.spectra import Cube, Window
from specvae.stages.score.gatherers import Gatherers
from specvae.stages.score.objects import SceneObjects, explain_objects, find_objects, known_objects
from specvae.stages.score.overlap import overlapped
from specvae.stages.score.page import map_page
from specvae.stages.score.patch_pixels import picture_of, write_pixels
from specvae.stages.score.pooled import evidence_cut, pool_evidence
from specvae.stages.score.reading import read_in_order
from specvae.stages.score.window import Piece, map_bands, score_window
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score.request import ScoreRequest

__all__ = ["score_map"]

SCORE_BANDS = (
    MapBand("score", "anomaly score: reconstruction + kl; higher is more anomalous", "nat"),
    MapBand("reconstruction", "half the sum over bands of squared deviations from the reconstruction", "nat"),
    MapBand("kl", "divergence of the posterior from the prior", "nat"),
    MapBand("p_value", "share of normal pixels that score as high", "1"),
    MapBand("dominant_band", "1-based number of the band with the largest share of the reconstruction term", "1"),
)
FLAG = MapBand("anomaly", "1 anomalous, 0 normal, 255 invalid", "1")


def score_map(
    source: Source,
    model: StoredModel,
    request: ScoreRequest,
    threshold: Threshold,
    folder: Path,
    mark: Callable[[], Fingerprint],
    progress: Callable[[str, float], None] | None = None,
    fill: Callable[[Gatherers, MapWriter, MapWriter], None] | None = None,
) -> dict[str, Any]:
    """Score one raster into ``folder``; the report. Everything is written whole or not at all.

    ``fill`` gives maps and accumulators what was scored elsewhere, in place of scoring it here.
    """
    detector = model.detector
    known = known_objects(request.known, source.stem)
    if request.pool:
        evidence_cut(model, request)  # refused before anything is done
    opened = in_patches(open_scene(source, request.ingest, match=detector.bands), detector.config.patch)
    with opened as scene, result_folder(folder) as work:
        rgb = rgb_bands(detector.bands)
        gathered = Gatherers.of(detector, scene.rows, scene.cols, rgb, scene.has_truth, threshold.value)
        started = time.perf_counter()

        def outline() -> SceneObjects:
            _refuse_empty(scene, gathered)
            found = gathered.objects.finish()
            objects = find_objects(found, scene.grid, detector, threshold, request, known, work.path)
            if len(objects.table):
                explain_objects(work.path / EXPLANATIONS.name, objects.table, detector.bands.labels)
            return objects

        objects = _write_maps(scene, model, request, threshold, work.path, gathered, outline, progress, fill)
        seconds = {**gathered.seconds, "total": time.perf_counter() - started}
        if isinstance(scene, PatchScene):
            fine = picture_of(scene, rgb)
            gathered.overview.composite = gathered.overview.composite if fine is None else fine
            if request.parts:
                write_pixels(work.path, scene, model, request.threads)
        evidence = pool_evidence(work.path, scene, model, request) if request.pool else None
        report = report_of(
            about(scene), model, threshold, gathered, seconds, request.settings(), objects.section, evidence
        )
        draw_quicklook(work.path / QUICKLOOK.name, gathered.overview, threshold, source.key)
        finish_folder(work.path, report, map_page(scene, detector, gathered, objects), mark(), model, scene)
        work.commit()
    return report


def _refuse_empty(scene: Scene, gathered: Gatherers) -> None:
    """Raise InputError for a scene without a valid pixel: there is nothing to say of it."""
    told = gathered.counts.finish()
    if told["total"] and not told["valid"]:
        why = ", ".join(f"{n} {reason}" for reason, n in told["invalid_by_reason"].items() if n)
        raise InputError(f"{scene.path} has no valid pixel ({why}); see `specvae inspect`, --nodata, --mask and --aoi")


def _bands(request: ScoreRequest) -> tuple[MapBand, ...]:
    """Bands of score.tif."""
    return SCORE_BANDS if request.parts else SCORE_BANDS[:1]


@contextmanager
def _open_maps(
    scene: Scene, model: StoredModel, request: ScoreRequest, threshold: Threshold, place: Path
) -> Iterator[tuple[MapWriter, MapWriter]]:
    """score.tif and anomaly.tif."""
    tags = {"specvae_model_sha256": model.sha256, "direction": "higher is more anomalous", "unit": "nat"}
    cut = tags | {"threshold_nats": repr(threshold.value)}
    score, anomaly, bands = place / SCORE.name, place / ANOMALY.name, _bands(request)
    with (
        MapWriter(score, scene.grid, bands, "float32", float("nan"), tags, request.threads) as scores,
        MapWriter(anomaly, scene.grid, [FLAG], "uint8", 255, cut, request.threads) as anomalies,
    ):
        yield scores, anomalies


def _write_maps(
    scene: Scene,
    model: StoredModel,
    request: ScoreRequest,
    threshold: Threshold,
    place: Path,
    gathered: Gatherers,
    outline: Callable[[], SceneObjects],
    progress: Callable[[str, float], None] | None,
    fill: Callable[[Gatherers, MapWriter, MapWriter], None] | None = None,
) -> SceneObjects:
    """Both maps; ``outline`` has anomaly.tif to draw the objects from, while score.tif is being finished."""
    with (
        read_in_order(scene, model.detector, request.max_memory, len(_bands(request))) as reader,
        _open_maps(scene, model, request, threshold, place) as (scores, anomalies),
    ):
        done = 0

        def read(window: Window) -> tuple[Cube, NDArray[np.uint8] | None]:
            with gathered.timed("read"):
                return reader.read(window), scene.truth(window)

        def work(window: Window, piece: tuple[Cube, NDArray[np.uint8] | None]) -> Piece:
            with gathered.timed("compute"):
                return score_window(model.detector, piece[0], window, piece[1], threshold, gathered.sample)

        def write(window: Window, made: Piece) -> None:
            nonlocal done
            with gathered.timed("write"):
                gathered.update(made.scored, made.sampled)
                gathered.compare(made, model.detector)
                score_bands, flag_bands = map_bands(model.detector, made, request.parts)
                scores.write(window, score_bands)
                anomalies.write(window, flag_bands)
            done += window.size
            if progress:
                progress(scene.key, done / scene.grid.window.size)

        if fill is None:
            overlapped(reader.windows, read, work, write, at_once=model.detector.windows_at_once)
        else:
            fill(gathered, scores, anomalies)
        with gathered.timed("write"), ThreadPoolExecutor(1, "close") as beside:
            closing = beside.submit(scores.close)
            anomalies.close()
            objects = outline()
            closing.result()
    return objects
