"""A place over the years: a fit on some of the first dates, then a verdict and realised rates for every date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from specvae.bands import BandSet
from specvae.detector import Detector
from specvae.ingest.formats.sensors import SENTINEL2, band_name
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.model.config import ModelConfig
from specvae.scoring.gathered.drift import DriftAccumulator
from specvae.spectra import ScoredWindow, Window
from specvae.stages.gathering import gather
from specvae.thresholds.drift.verdict import Drift

__all__ = ["DateVerdict", "Dates", "judge_dates"]

FITTED = 8
"""Dates that the model is fitted on."""
LEAST_DATES = 4
RATES = (1e-2, 1e-3)
"""Asked false-alarm rates."""


@dataclass(frozen=True)
class DateVerdict:
    """One date judged by the model."""

    name: str
    fitted: bool
    """Whether the model was fitted on it."""
    valid: int
    """Valid pixels."""
    realised: dict[float, float]
    """Asked rate -> share of the date's pixels above its cut."""
    drift: Drift


@dataclass(frozen=True)
class Dates:
    """All dates of the series, and how the model was calibrated."""

    verdicts: tuple[DateVerdict, ...]
    methods: dict[float, str]
    """Asked rate -> how its cut was made: empirically or from the tail."""
    calibration_pixels: int
    contaminated: bool
    check_passed: bool | None
    """Whether the rate held over held-out blocks; None where that could not be judged."""
    wavelengths: tuple[float | None, ...]
    """Wavelength of each of the model's bands, nanometres."""


def judge_dates(paths: list[Path], config: ModelConfig, device: str, progress: Callable[[str], None]) -> Dates | None:
    """Fit on every second of the first dates, so that fitted and new dates interleave; None for fewer than 4 dates."""
    if len(paths) < LEAST_DATES:
        return None
    fitted = paths[: min(2 * FITTED, len(paths)) : 2]
    gathered = gather(find_sources([str(p) for p in fitted]), IngestOptions(), config, None)
    detector = Detector.fit(gathered.regions, gathered.bands, config, gathered.names, gathered.context, device)
    cuts = {rate: detector.calibration.threshold(rate, explicit=True) for rate in RATES}
    verdicts = []
    for path in paths:
        scored = _scored(detector, path)
        drift = DriftAccumulator(detector.drift_reference, detector.bands.labels, shape=scored.parts.score.shape)
        drift.update(scored)
        score = scored.parts.score[np.isfinite(scored.parts.score)]
        realised = {rate: float(np.mean(score > cut.value)) if score.size else 0.0 for rate, cut in cuts.items()}
        verdicts.append(DateVerdict(path.stem, path in fitted, score.size, realised, drift.finish()))
    progress(f"{len(paths)} dates of {paths[0].parent.name}: {[v.drift.verdict for v in verdicts]}")
    calibration = detector.calibration
    methods = {rate: cut.method for rate, cut in cuts.items()}
    passed = calibration.check().passed
    return Dates(
        tuple(verdicts), methods, calibration.size, calibration.contaminated, passed, _wavelengths(detector.bands)
    )


def _wavelengths(bands: BandSet) -> tuple[float | None, ...]:
    """Wavelengths as the files state them, else those of Sentinel-2's bands with the same names."""
    known = {name: band.wavelength for name, band in SENTINEL2.items()}
    return tuple(band.wavelength or known.get(band_name(band.name)) for band in bands)


def _scored(detector: Detector, path: Path) -> ScoredWindow:
    """The complete scene, scored."""
    (source,) = find_sources([str(path)])
    # Matched to the model's bands: dates of one place may state them in another order.
    with open_scene(source, IngestOptions(), match=detector.bands) as scene:
        window = Window(0, 0, scene.rows, scene.cols)
        cube = scene.read(window)
    parts = detector.score(cube, window)
    return ScoredWindow(cube, parts, np.zeros(parts.score.shape, bool))
