"""The rules beside: each night alone, DIST-ALERT's rule on our score, and on a per-pixel seasonal Mahalanobis distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from specvae.benchmarks.watch.scored_series import CLOSE_AFTER, ScoredSeries

__all__ = ["dist_alert", "each_night", "score_anomaly", "seasonal_anomaly"]

ENOUGH = 400.0
"""DIST-ALERT confirms at mean anomaly times count squared of at least this (OPERA DIST product specification)."""
SEASON = 31
"""Days around a date's place in the year in which earlier looks are of the same season."""
FEWEST = 4
Floats = NDArray[np.float32]


def each_night(scored: ScoredSeries) -> NDArray[np.int64]:
    """``(rows, cols)``: the first date, from 0, on which a pixel is above the cut of 1e-3; -1 = never."""
    return _first(scored.scores > scored.cut)


def dist_alert(anomaly: Floats, clear: NDArray[np.bool_], begin: int) -> NDArray[np.int64]:
    """The first date on which DIST-ALERT's rule confirms a pixel; -1 = never.

    ``anomaly`` ``(dates, rows, cols)``, 0 to 100; 0 = none. Looks before ``begin`` are the baseline.
    """
    shape = anomaly.shape[1:]
    total, count, misses = np.zeros(shape), np.zeros(shape), np.zeros(shape, int)
    first = np.full(shape, -1)
    for number in range(begin, len(anomaly)):
        odd = clear[number] & (anomaly[number] > 0)
        total, count = total + np.where(odd, anomaly[number], 0), count + odd
        misses = np.where(odd, 0, misses + clear[number])
        sure = (count > 0) & (total / np.maximum(count, 1) * count**2 >= ENOUGH) & (count > 1)
        first[sure & (first < 0)] = number
        closed = misses >= CLOSE_AFTER
        total[closed], count[closed], misses[closed] = 0, 0, 0
    return first


def score_anomaly(scored: ScoredSeries) -> Floats:
    """The score above its cut as DIST-ALERT counts anomaly, 0 to 100."""
    return _percent(scored.scores, scored.cut)


def seasonal_anomaly(scored: ScoredSeries, begin: int) -> Floats:
    """Anomaly of the Mahalanobis distance of each spectrum from the same pixel's looks of the same season before ``begin``."""
    values = scored.values.astype(np.float32)
    values = np.where(scored.values == 0, np.float32(np.nan), values)
    days = scored.series.days % 365.25
    anomaly = np.zeros(scored.scores.shape, np.float32)
    bands = values.shape[1]
    inverse = np.linalg.pinv(_pooled(values[:begin], days[:begin]))
    for number in range(begin, len(values)):
        apart = np.abs(days[:begin] - days[number])
        near = np.minimum(apart, 365.25 - apart) <= SEASON
        with np.errstate(invalid="ignore"):
            looks = np.isfinite(values[:begin][near][:, 0]).sum(axis=0)
            mean = np.nanmean(values[:begin][near], axis=0) if near.any() else np.full(values.shape[1:], np.nan)
        gap = (values[number] - mean).reshape(bands, -1)
        distance = np.einsum("ij,ik,kj->j", gap, inverse, gap).reshape(looks.shape)
        anomaly[number] = np.where(looks >= FEWEST, _percent(distance, float(chi2.isf(1e-3, bands))), 0)
    return anomaly


def _pooled(values: Floats, days: NDArray[np.floating]) -> NDArray[np.float64]:
    """The covariance of looks around their pixel's mean of the season, over all pixels."""
    residuals = []
    for quarter in range(4):
        own = values[(days // 91.4).astype(int) % 4 == quarter]
        if len(own) > 1:
            gap = own - np.nanmean(own, axis=0)
            flat = np.moveaxis(gap, 1, 0).reshape(values.shape[1], -1)
            residuals.append(flat[:, np.isfinite(flat).all(axis=0)])
    return np.asarray(np.cov(np.concatenate(residuals, axis=1)))


def _percent(values: Floats, cut: float) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(values > cut, 100 * (1 - cut / values), 0).astype(np.float32)


def _first(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(flags.any(axis=0), flags.argmax(axis=0), -1)
