"""Scoring one raster: windows read, scored and written at once, everything else gathered by accumulators."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specvae.accumulators import Overview, PixelCounts, SampleOfPixels
from specvae.baselines import METHODS
from specvae.components.joining import Components
from specvae.detector import Detector
from specvae.drift import DriftAccumulator, lattice_step
from specvae.errors import InputError
from specvae.fingerprint import Fingerprint
from specvae.metrics import TruthMetrics
from specvae.model_file import StoredModel
from specvae.outputs.atomic import OutputFolder
from specvae.outputs.maps import MapBand, MapWriter
from specvae.raster.opening import open_scene
from specvae.raster.patch_scene import PatchScene, in_patches
from specvae.raster.scene import Scene
from specvae.raster.sources import Source
from specvae.report.build import finish_folder, report_of
from specvae.report.quicklook import draw_quicklook, rgb_bands
from specvae.spectra import Cube, Explanation, Parts, ScoredWindow, Window
from specvae.stages.overlap import overlapped
from specvae.stages.reading import read_in_order
from specvae.stages.score_evidence import evidence_cut, pool_evidence
from specvae.stages.score_objects import explain_objects, find_objects, known_objects
from specvae.stages.score_page import map_page, sample_pixels
from specvae.stages.score_pixels import picture_of, write_pixels
from specvae.thresholds.survival import SurvivalHistogram
from specvae.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from specvae.stages.score_request import ScoreRequest

__all__ = ["Gatherers", "Piece", "map_bands", "score_map", "score_window"]

OVERVIEW_PIXELS = 1_500_000
MOST_OBJECTS, OBJECT_VALUES = 10_000, 2_000_000
"""Objects that are kept at most, and values of spectra among all of them."""
SCORE_BANDS = (
    MapBand("score", "anomaly score: reconstruction + kl; higher is more anomalous", "nat"),
    MapBand("reconstruction", "half the sum over bands of squared deviations from the reconstruction", "nat"),
    MapBand("kl", "divergence of the posterior from the prior", "nat"),
    MapBand("p_value", "share of normal pixels that score as high", "1"),
    MapBand("dominant_band", "1-based number of the band with the largest share of the reconstruction term", "1"),
)


@dataclass
class Gatherers:
    """Every accumulator of one scene."""

    counts: PixelCounts
    overview: Overview
    sample: SampleOfPixels
    survival: SurvivalHistogram
    drift: DriftAccumulator
    objects: Components
    metrics: TruthMetrics | None = None
    seconds: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "compute": 0.0, "write": 0.0})

    @classmethod
    def of(
        cls, detector: Detector, rows: int, cols: int, rgb: tuple[int, int, int], truth: bool, threshold: float
    ) -> Gatherers:
        """Empty ones for a scene of this size."""
        step = Overview.step_for(rows, cols, OVERVIEW_PIXELS)
        bands = len(detector.bands)
        lattice = SampleOfPixels.step_for(rows, cols, sample_pixels(rows, cols, bands))
        metrics = TruthMetrics(("specvae", *METHODS), threshold) if truth else None
        drift = DriftAccumulator(detector.drift_reference, detector.bands.labels, lattice_step(rows, cols))
        objects = Components(min(MOST_OBJECTS, OBJECT_VALUES // bands))
        return cls(
            PixelCounts(), Overview(rows, cols, step, rgb), SampleOfPixels(lattice), SurvivalHistogram(), drift, objects,
            metrics,
        )  # fmt: skip

    def update(self, piece: ScoredWindow, expected: NDArray[np.float32] | None = None) -> None:
        """Give one window to each; ``expected`` are the reconstructions of the sample's pixels."""
        self.counts.update(piece)
        self.objects.update(piece)
        if not piece.cube.valid.any():
            return
        self.overview.update(piece)
        self.sample.update(piece, expected)
        self.survival.update(piece)
        self.drift.update(piece)

    def compare(self, piece: Piece, detector: Detector) -> None:
        """Give the pixels whose truth is known to the metrics, beside what the baselines say of them."""
        if piece.truth is None or self.metrics is None:
            return
        cube, score = piece.scored.cube, piece.scored.parts.score
        known = cube.valid & (piece.truth != 255)
        rows = np.vstack([score[known][None], detector.background.scores(cube.values[:, known].T)])
        self.metrics.update(rows, piece.truth[known] != 0)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the seconds inside for ``read``, ``compute`` or ``write``."""
        begun = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - begun

    def merge(self, other: Gatherers) -> None:
        """Take in another shard's."""
        self.counts.merge(other.counts)
        self.overview.merge(other.overview)
        self.sample.merge(other.sample)
        self.survival.merge(other.survival)
        self.drift.merge(other.drift)
        self.objects.merge(other.objects)
        if self.metrics is not None and other.metrics is not None:
            self.metrics.merge(other.metrics)
        for name, seconds in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds


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
    with opened as scene, OutputFolder(folder) as work:
        rgb = rgb_bands(detector.bands)
        gathered = Gatherers.of(detector, scene.rows, scene.cols, rgb, scene.has_truth, threshold.value)
        started = time.perf_counter()
        _write_maps(scene, model, request, threshold, work.path, gathered, progress, fill)
        _refuse_empty(scene, gathered)
        seconds = {**gathered.seconds, "total": time.perf_counter() - started}
        found = gathered.objects.finish()
        objects = find_objects(found, scene.grid, detector, threshold, request, known, work.path)
        if len(objects.table):
            explain_objects(work.path / "explanations.csv", objects.table, detector.bands.labels)
        if isinstance(scene, PatchScene):
            fine = picture_of(scene, rgb)
            gathered.overview.composite = gathered.overview.composite if fine is None else fine
            if request.parts:
                write_pixels(work.path, scene, model, request.threads)
        evidence = pool_evidence(work.path, scene, model, request) if request.pool else None
        report = report_of(
            scene.about(), model, threshold, gathered, seconds, request.settings(), objects.section, evidence
        )
        draw_quicklook(work.path / "quicklook.png", gathered.overview, threshold, source.key)
        finish_folder(work.path, report, map_page(scene, detector, gathered, objects), mark(), model, scene)
        work.commit()
    return report


def _refuse_empty(scene: Scene, gathered: Gatherers) -> None:
    """Raise InputError for a scene without a valid pixel: there is nothing to say of it."""
    told = gathered.counts.finish()
    if told["total"] and not told["valid"]:
        why = ", ".join(f"{n} {reason}" for reason, n in told["invalid_by_reason"].items() if n)
        raise InputError(f"{scene.path} has no valid pixel ({why}); see `specvae inspect`, --nodata, --mask and --aoi")


def _write_maps(
    scene: Scene,
    model: StoredModel,
    request: ScoreRequest,
    threshold: Threshold,
    place: Path,
    gathered: Gatherers,
    progress: Callable[[str, float], None] | None,
    fill: Callable[[Gatherers, MapWriter, MapWriter], None] | None = None,
) -> None:
    detector = model.detector
    bands = SCORE_BANDS if request.parts else SCORE_BANDS[:1]
    tags = {"specvae_model_sha256": model.sha256, "direction": "higher is more anomalous", "unit": "nat"}
    cut = tags | {"threshold_nats": repr(threshold.value)}
    flag = MapBand("anomaly", "1 anomalous, 0 normal, 255 invalid", "1")
    threads = request.threads
    with (
        read_in_order(scene, detector, request.max_memory, len(bands)) as reader,
        MapWriter(place / "score.tif", scene.grid, bands, "float32", float("nan"), tags, threads) as scores,
        MapWriter(place / "anomaly.tif", scene.grid, [flag], "uint8", 255, cut, threads) as anomalies,
    ):
        done = 0

        def read(window: Window) -> tuple[Cube, NDArray[np.uint8] | None]:
            with gathered.timed("read"):
                return reader.read(window), scene.truth(window)

        def work(window: Window, piece: tuple[Cube, NDArray[np.uint8] | None]) -> Piece:
            nonlocal done
            with gathered.timed("compute"):
                made = score_window(detector, piece[0], window, piece[1], threshold, gathered.sample)
            done += window.size
            if progress:
                progress(scene.key, done / scene.grid.window.size)
            return made

        def write(window: Window, made: Piece) -> None:
            with gathered.timed("write"):
                gathered.update(made.scored, made.sampled)
                gathered.compare(made, detector)
                score_bands, flag_bands = map_bands(detector, made, request.parts)
                scores.write(window, score_bands)
                anomalies.write(window, flag_bands)

        if fill is None:
            overlapped(reader.windows, read, work, write)
        else:
            fill(gathered, scores, anomalies)
        with gathered.timed("write"):
            scores.close()
            anomalies.close()


@dataclass(frozen=True, eq=False)
class Piece:
    """One window as scored, on its way to the accumulators and the files."""

    scored: ScoredWindow
    context: NDArray[np.float32] | None
    sampled: NDArray[np.float32] | None
    """Reconstructions of the sample's pixels."""
    truth: NDArray[np.uint8] | None
    cube: Cube
    """The window as the model reads it: of patches, all their values, where ``scored`` has their means."""


def score_window(
    detector: Detector,
    cube: Cube,
    window: Window,
    truth: NDArray[np.uint8] | None,
    threshold: Threshold,
    sample: SampleOfPixels,
) -> Piece:
    """Score one window, and explain its anomalous and its sampled pixels."""
    parts, context = detector.score_with_context(cube, window)
    inner = cube.crop(window)
    anomalous = parts.score > threshold.value
    here = np.nonzero(anomalous)
    explanation = _explained(detector, inner, context, here) if here[0].size else None
    sampled = _explained(detector, inner, context, sample.at(inner))
    scored = ScoredWindow(detector.seen(inner), parts, anomalous, explanation)
    return Piece(scored, context, sampled.expected, truth, inner)


def map_bands(detector: Detector, piece: Piece, with_parts: bool) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """What goes to score.tif and to anomaly.tif."""
    scored = piece.scored
    flags = np.where(scored.cube.valid, scored.anomalous.astype(np.uint8), np.uint8(255))[None]
    if not with_parts:
        return scored.parts.score[None], flags
    return _all_parts(detector, piece.cube, scored.parts, piece.context), flags


def _explained(
    detector: Detector,
    cube: Cube,
    context: NDArray[np.float32] | None,
    at: tuple[NDArray[np.intp], ...],
) -> Explanation:
    """Why the pixels at these rows and columns of the window score as they do."""
    around = None if context is None else context[:, at[0], at[1]]
    return detector.explain(cube.values[:, at[0], at[1]], around)


def _all_parts(
    detector: Detector, cube: Cube, parts: Parts, context: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """``(5, rows, cols)``: score, reconstruction, kl, p-value and dominant band."""
    valid = cube.valid
    dominant = np.full(valid.shape, np.nan, np.float32)
    if valid.any():
        told = detector.explain(cube.values[:, valid], None if context is None else context[:, valid])
        dominant[valid] = told.contribution.argmax(axis=0) + 1
    p = detector.calibration.p_values(parts.score).astype(np.float32)
    return np.stack([parts.score, parts.reconstruction, parts.kl, p, dominant])
