"""The verdict on a scene in memory, as ``specvae score`` gives it on a file."""

from __future__ import annotations

import numpy as np

from specvae.detector import Detector
from specvae.scoring.gathered.drift import DriftAccumulator
from specvae.spectra import Cube, ScoredWindow
from specvae.thresholds.drift.verdict import Drift

__all__ = ["verdict_on"]


def verdict_on(detector: Detector, cube: Cube) -> Drift:
    """The verdict on a cube that is scored as a scene of its own."""
    drift = DriftAccumulator(
        detector.drift_reference,
        detector.bands.labels,
        shape=(cube.window.rows, cube.window.cols),
        wavelengths=detector.bands.wavelengths,
    )
    parts = detector.score(cube, cube.window)
    drift.update(ScoredWindow(cube, parts, np.zeros(parts.score.shape, bool)))
    return drift.finish()
