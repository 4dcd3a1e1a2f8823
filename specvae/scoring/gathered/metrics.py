"""Figures of merit of a score against a truth: AUROC, average precision, and their accumulator over windows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["TruthMetrics", "auroc", "average_precision", "norm_rank_correlation"]

EXACT = 2**24
"""Up to so many scored pixels are kept for exact figures; beyond, every k-th pixel of the lattice is."""


def auroc(score: NDArray[np.floating], truth: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve of 1-D scores, ties counted half; None unless both kinds are there."""
    from sklearn.metrics import roc_auc_score

    if truth.all() or not truth.any():
        return None
    return float(roc_auc_score(truth, score))


def average_precision(score: NDArray[np.floating], truth: NDArray[np.bool_]) -> float | None:
    """Average precision of 1-D scores; None unless both kinds are there."""
    from sklearn.metrics import average_precision_score

    if truth.all() or not truth.any():
        return None
    return float(average_precision_score(truth, score))


def norm_rank_correlation(score: NDArray[np.floating], standard: NDArray[np.floating]) -> float:
    """Spearman's correlation of scores ``(n,)`` with the squared norms of spectra ``(n, bands)`` in standard units.

    Near 1, a model has collapsed: it says no more than how far a spectrum lies from the mean. 0 where either is constant.
    """
    from scipy.stats import rankdata

    ranks = [rankdata(score), rankdata((np.asarray(standard, np.float64) ** 2).sum(axis=1))]
    if min(float(np.ptp(r)) for r in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


@dataclass
class TruthMetrics:
    """Gathers scores (any number of methods) and truth over windows; figures at the end, on the same pixels."""

    methods: tuple[str, ...]
    threshold: float
    """The cut of the first method, for detection and false-alarm rates."""
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    truths: list[NDArray[np.bool_]] = field(default_factory=list)

    def update(self, scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> None:
        """``(methods, n)`` scores of valid pixels whose truth ``(n,)`` is known."""
        self.scores.append(np.asarray(scores, np.float32))
        self.truths.append(np.asarray(truth, bool))

    def merge(self, other: TruthMetrics) -> None:
        """Take in what another gathered."""
        self.scores += other.scores
        self.truths += other.truths

    def finish(self) -> dict[str, object]:
        """``auroc``, ``average_precision``, counts and rates at the threshold, and the other methods' ``baselines``."""
        truth = np.concatenate(self.truths) if self.truths else np.zeros(0, bool)
        scores = np.concatenate(self.scores, axis=1) if self.scores else np.zeros((len(self.methods), 0), np.float32)
        flagged = scores[0] > self.threshold
        positive, negative = int(truth.sum()), int((~truth).sum())
        rows = {
            name: {"auroc": auroc(scores[i], truth), "average_precision": average_precision(scores[i], truth)}
            for i, name in enumerate(self.methods)
        }
        return {
            **rows[self.methods[0]],
            "positives": positive,
            "negatives": negative,
            "detection_rate": float(flagged[truth].mean()) if positive else None,
            "false_alarm_rate": float(flagged[~truth].mean()) if negative else None,
            "baselines": {name: rows[name] for name in self.methods[1:]},
        }
