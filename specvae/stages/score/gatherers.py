"""What is gathered over the windows of one scene: one accumulator for each part of its report."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from specvae.bands import rgb_bands
from specvae.detector import Detector
from specvae.export.contents import PAGE, QUICKLOOK
from specvae.export.products import Products
from specvae.export.report.sections import SceneFigures
from specvae.scoring.gathered.drift import DriftAccumulator
from specvae.scoring.gathered.joining import Components
from specvae.scoring.gathered.metrics import LabelledScores, TruthMetrics
from specvae.scoring.gathered.object_detection import ObjectDetection
from specvae.scoring.gathered.overview import Overview
from specvae.scoring.gathered.pixels import PixelCounts, SampleOfPixels
from specvae.scoring.gathered.survival import SurvivalHistogram
from specvae.spectra import Explanation, ScoredWindow
from specvae.stages.score.window import Piece
from specvae.thresholds.drift.reference import lattice_step
from specvae.thresholds.drift.squares import SIDE

__all__ = ["Gatherers", "sample_pixels"]

OVERVIEW_PIXELS = 1_500_000
ASKED = (1e-2, 1e-3, 1e-4)
"""False-alarm rates that a report with a truth says the detection rates at."""
MOST_OBJECTS, OBJECT_VALUES = 10_000, 2_000_000
"""The most objects that are gathered, and the most values of spectra of all of them."""
SMALL_SCENE = 500_000
SMALL_BUDGET, LARGE_BUDGET = 350_000, 120_000
"""Values of spectra that a page carries, so that it stays under 5 MB beside its picture."""


def sample_pixels(rows: int, cols: int, bands: int) -> int:
    """How many pixels' spectra a page carries."""
    return (SMALL_BUDGET if rows * cols <= SMALL_SCENE else LARGE_BUDGET) // max(1, bands)


@dataclass
class Gatherers:
    """All accumulators of one scene."""

    counts: PixelCounts
    overview: Overview | None
    """None where no picture is drawn."""
    sample: SampleOfPixels | None
    """None where no page shows it."""
    survival: SurvivalHistogram
    drift: DriftAccumulator
    objects: Components
    metrics: TruthMetrics | None = None
    detected: ObjectDetection | None = None
    """Objects of the truth and of the flagged pixels; None without a truth, and for tables."""
    spent: list[tuple[str, float]] = field(default_factory=list)
    """Seconds of every ``read``, ``compute`` and ``write``, by whichever thread."""

    @classmethod
    def of(
        cls,
        detector: Detector,
        rows: int,
        cols: int,
        rgb: tuple[int, int, int],
        truth: bool,
        threshold: float,
        written: Products,
        min_pixels: int = 1,
    ) -> Gatherers:
        """Empty accumulators for a scene of this size, as far as the products that are ``written`` need them."""
        step = Overview.step_for(rows, cols, OVERVIEW_PIXELS)
        bands = len(detector.bands)
        lattice = SampleOfPixels.step_for(rows, cols, sample_pixels(rows, cols, bands))
        before = None if detector.before is None else rgb_bands(detector.before)
        metrics = None
        if truth:
            # The cuts are set before any pixel is scored: what they come to on the truth is what a user would have seen.
            cuts = tuple((rate, detector.calibration.threshold(rate, explicit=True).value) for rate in ASKED)
            metrics = TruthMetrics(("specvae", *detector.background.methods), threshold, cuts=cuts)
        drift = DriftAccumulator(
            detector.drift_reference,
            detector.bands.labels,
            lattice_step(rows, cols),
            shape=(rows, cols),
            wavelengths=detector.bands.wavelengths,
        )
        objects = Components(min(MOST_OBJECTS, OBJECT_VALUES // bands), min_pixels)
        return cls(
            PixelCounts(),
            Overview(rows, cols, step, rgb, before) if PAGE in written or QUICKLOOK in written else None,
            SampleOfPixels(lattice) if PAGE in written else None,
            SurvivalHistogram(),
            drift,
            objects,
            metrics,
        )

    @property
    def square(self) -> int:
        """Side of the scene's squares of which each must lie in one window, those of the verdict and of the picture."""
        return math.lcm(SIDE, 1 if self.overview is None else self.overview.step)

    def update(self, piece: ScoredWindow, sampled: Explanation | None = None) -> None:
        """Give one window to each accumulator; ``sampled`` says why the sample's pixels score as they do."""
        self.counts.update(piece)
        self.objects.update(piece)
        if not piece.cube.valid.any():
            return
        if self.overview is not None:
            self.overview.update(piece)
        if self.sample is not None:
            self.sample.update(piece, sampled)
        self.survival.update(piece)
        self.drift.update(piece)

    def compare(self, piece: Piece, detector: Detector) -> None:
        """Give the pixels whose truth is known to the metrics, beside what the baselines say of them."""
        if piece.truth is None or self.metrics is None:
            return
        self.detected = self.detected or ObjectDetection()
        cube, score = piece.scored.cube, piece.scored.parts.score
        known = cube.valid & (piece.truth != 255)
        # Of two dates the baselines need both, of patches the means that are shown.
        values = cube.values if detector.before is None else piece.cube.values
        rows = np.vstack([score[known][None], detector.background.scores(values[:, known].T.astype(np.float32))])
        self.metrics.update(LabelledScores(rows, piece.truth[known] != 0))
        self.detected.update(piece.scored, piece.truth != 0, known)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the seconds inside for ``read``, ``compute`` or ``write``."""
        begun = time.perf_counter()
        yield
        self.spent.append((name, time.perf_counter() - begun))

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of reading, computing and writing, which overlap."""
        return {kind: sum(s for name, s in self.spent if name == kind) for kind in ("read", "compute", "write")}

    def finish(self, total: float) -> SceneFigures:
        """What a report says of the scene; ``total``: its seconds by the clock."""
        metrics = None if self.metrics is None else self.metrics.finish()
        if metrics is not None and self.detected is not None:
            metrics["objects"] = self.detected.finish()
        seconds = {**self.seconds, "total": total}
        return SceneFigures(self.counts.finish(), self.survival.finish(), self.drift.finish(), metrics, seconds)

    def merge(self, other: Gatherers) -> None:
        """Add what was gathered over another shard of the scene."""
        self.counts.merge(other.counts)
        if self.overview is not None and other.overview is not None:
            self.overview.merge(other.overview)
        if self.sample is not None and other.sample is not None:
            self.sample.merge(other.sample)
        self.survival.merge(other.survival)
        self.drift.merge(other.drift)
        self.objects.merge(other.objects)
        if self.metrics is not None and other.metrics is not None:
            self.metrics.merge(other.metrics)
        if other.detected is not None:
            self.detected = self.detected or ObjectDetection()
            self.detected.merge(other.detected)
        self.spent += other.spent
