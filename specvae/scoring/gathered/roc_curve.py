"""The ROC curve and precision against recall, thinned to what a page can show: dense where false alarms are rare."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

__all__ = ["RocCurve", "roc_curve", "roc_of_scores"]

RARE, EVEN = 72, 32
"""Points along the logarithm of the false-alarm rate, and points evenly along the detection rate."""
DIGITS = 6


class RocCurve(TypedDict):
    """One method's cuts from the highest to the lowest, three figures each."""

    false_alarm_rate: list[float]
    detection_rate: list[float]
    precision: list[float]


def roc_curve(normal: NDArray[np.integer], anomalous: NDArray[np.integer]) -> RocCurve | None:
    """The curve of counts of pixels by score, the highest score first, ties together; None unless both kinds are there.

    Examples
    --------
    >>> curve = roc_curve(np.array([0, 1, 9]), np.array([3, 1, 0]))
    >>> curve["false_alarm_rate"], curve["detection_rate"], curve["precision"]
    ([0.0, 0.1, 1.0], [0.75, 1.0, 1.0], [1.0, 0.8, 0.285714])
    """
    false_alarms, detections = np.cumsum(normal), np.cumsum(anomalous)
    if not false_alarms.size or not false_alarms[-1] or not detections[-1]:
        return None
    rate, found = false_alarms / false_alarms[-1], detections / detections[-1]
    # For each rate the last cut that does not pass it: what is found at no more false alarms than that.
    rare = np.searchsorted(rate, np.geomspace(1.0 / false_alarms[-1], 1.0, RARE) * (1 + 1e-12), side="right") - 1
    even = np.searchsorted(found, np.linspace(found[0], 1.0, EVEN))
    chosen = np.unique(np.concatenate([rare[rare >= 0], even[even < rate.size], [rate.size - 1]]))
    precision = detections / np.maximum(detections + false_alarms, 1)
    columns = [np.round(column[chosen], DIGITS).tolist() for column in (rate, found, precision)]
    return {"false_alarm_rate": columns[0], "detection_rate": columns[1], "precision": columns[2]}


def roc_of_scores(score: NDArray[np.floating], truth: NDArray[np.bool_]) -> RocCurve | None:
    """The curve of 1-D scores; None unless both kinds are there."""
    levels, place = np.unique(score, return_inverse=True)
    anomalous = np.bincount(place[truth], minlength=levels.size)
    return roc_curve((np.bincount(place, minlength=levels.size) - anomalous)[::-1], anomalous[::-1])
