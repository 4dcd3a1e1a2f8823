"""The p-value of any score as a curve of a few hundred points, which a report can hold and which needs no model to be read."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from specvae.thresholds.calibration import Calibration

__all__ = ["SMALLEST", "PValuePoints", "p_value_points"]

TOP, BOTTOM, BEYOND = 160, 48, 48
"""Points at the highest and the lowest held-out scores, and on the law of the tail beyond them."""
SMALLEST = 1e-12
"""The p-value at which the curve ends: scores beyond it keep it."""


class PValuePoints(TypedDict):
    """The section ``p_values`` of report.json."""

    score: list[float]
    """Nats, ascending."""
    p_value: list[float]
    """Share of normal pixels that score as high, falling."""


def p_value_points(calibration: Calibration) -> PValuePoints | None:
    """Points of the curve, dense where scores are rare; None where the calibration holds no score."""
    normal = calibration.law.normal
    if not normal.size:
        return None
    top = normal[normal.size - np.unique(np.geomspace(1, normal.size, TOP).astype(int))]
    bottom = normal[np.unique(np.geomspace(1, normal.size, BOTTOM).astype(int)) - 1]
    tail = calibration.law.trimmed or calibration.law.tail_law
    rates = np.geomspace(1 / (normal.size + 1), SMALLEST, BEYOND)
    beyond = [tail.threshold(float(rate)) for rate in rates] if tail is not None else []
    scores = np.unique(np.r_[top, bottom, np.asarray(beyond, np.float64)].astype(np.float32))
    p = np.minimum.accumulate(np.maximum(calibration.p_values(scores), SMALLEST))
    return {"score": [float(score) for score in scores], "p_value": [float(value) for value in p]}
