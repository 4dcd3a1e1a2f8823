"""Figures of merit of a score against a truth: AUROC, average precision, and their accumulator over windows.

Exact up to :data:`EXACT` pixels. Beyond, the scores are counted in bins, so that the memory does not grow with the
scene: the figures are then those of scores rounded down to the bins' edges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.scoring.gathered.object_detection import DetectedObjects
from specvae.scoring.gathered.roc_curve import RocCurve, roc_curve, roc_of_scores
from specvae.scoring.gathered.score_bins import ScoreBins
from specvae.scoring.gathered.three_d_roc import ThreeDAreas, ThreeDRoc

__all__ = ["LabelledScores", "TruthMetrics", "auroc", "average_precision", "norm_rank_correlation"]

EXACT = 2_000_000
"""Pixels up to which every score is held and the figures are exact: 17 bytes a pixel for four methods."""
PENDING = 1_000_000
"""Pixels held before they are counted, once there are more than :data:`EXACT`; what is held changes no figure."""
FARTHEST = float(np.finfo(np.float32).max)
"""Scores beyond it, as a baseline gives them to absurd spectra in float64, are ties at the end of the ranking."""
BINS = ScoreBins(20)
"""Bins 1/2048 to 1/4096 of the score wide: 16 megabytes of counts a method."""


def auroc(score: NDArray[np.floating], truth: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve of 1-D scores, ties counted half; None unless both kinds are there."""
    # Imported where it is used: it is slow to load, and only scenes with a truth need it.
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
    if min(float(np.ptp(rank)) for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


@dataclass(frozen=True, eq=False)
class LabelledScores:
    """Scores of pixels whose truth is known."""

    scores: NDArray[np.floating]
    """``(methods, n)``, finite; higher is more anomalous."""
    truth: NDArray[np.bool_]
    """``(n,)``, True = anomalous."""


class Ranking(TypedDict):
    """How well one method ranks anomalous pixels above normal ones; None unless there are pixels of both kinds."""

    auroc: float | None
    average_precision: float | None


class RateAsked(TypedDict):
    """What a cut that was set beforehand, by the rate that it was asked for, comes to on the truth."""

    asked: float
    threshold: float
    """Nats."""
    detection_rate: float | None
    false_alarm_rate: float | None


class TruthFigures(Ranking):
    """The ``metrics`` section of report.json; the ranking is the first method's."""

    positives: int
    negatives: int
    detection_rate: float | None
    """Share of the anomalous pixels above the threshold."""
    false_alarm_rate: float | None
    """Share of the normal pixels above the threshold."""
    prevalence: float | None
    """Share of the anomalous pixels among those whose truth is known: the average precision of a score by chance."""
    rates: list[RateAsked]
    """The first method at rates asked beforehand."""
    three_d_roc: ThreeDAreas | None
    """Chang's areas of the first method's score; they depend on its scale."""
    three_d_roc_log: ThreeDAreas | None
    """The same of log(1 + score)."""
    baselines: dict[str, Ranking]
    """The other methods, on the same pixels."""
    curves: dict[str, RocCurve]
    """ROC and precision of each method; empty unless there are pixels of both kinds."""
    objects: DetectedObjects | None
    """Objects of the truth and of the flagged pixels, where these lie on a map; None of tables."""


@dataclass
class TruthMetrics:
    """Accumulator of :class:`LabelledScores` of any number of methods: their figures of merit on the same pixels.

    Up to 2 million pixels, AUROC and average precision are exact. Beyond, only counts by bin of score are held, a bin
    being at most 1/2048 of its score wide, and the order within a bin is lost. AUROC is then off by at most half the
    share of the pairs of an anomalous and a normal pixel that share a bin. In practice both figures are off by far
    less, since the pixels of a bin are nearly evenly mixed: by under 1e-5 where scores spread over as much as their
    own size, by under 1e-3 where they spread over a hundredth of it. Counts and rates at the threshold are always
    exact. The regime depends on the number of pixels alone, so the figures do not depend on the order of updates and
    merges.
    """

    methods: tuple[str, ...]
    threshold: float
    """The cut of the first method, for detection and false-alarm rates."""
    pending: list[LabelledScores] = field(default_factory=list)
    """What is not counted in bins yet: all pixels up to :data:`EXACT`."""
    counts: NDArray[np.int64] | None = None
    """``(methods, 2, bins)``: normal and anomalous pixels by bin of score; None while the figures are exact."""
    above: tuple[int, int] = (0, 0)
    """Normal and anomalous pixels above the threshold."""
    cuts: tuple[tuple[float, float], ...] = ()
    """Rates asked beforehand and their cuts, of the first method."""
    above_cuts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    """``(cuts, 2)``: normal and anomalous pixels above each."""
    areas: tuple[ThreeDRoc, ThreeDRoc] = field(default_factory=lambda: (ThreeDRoc(), ThreeDRoc(logarithmic=True)))
    """Of the first method's score, and of its logarithm."""

    def __post_init__(self) -> None:
        if len(self.above_cuts) != len(self.cuts):
            self.above_cuts = np.zeros((len(self.cuts), 2), np.int64)

    def update(self, piece: LabelledScores) -> None:
        """Take in the valid pixels of one window whose truth is known."""
        # The same clip and type for the exact regime and for the bins, so that both rank the same numbers.
        scores = np.clip(piece.scores, -FARTHEST, FARTHEST).astype(np.float32)
        truth = np.asarray(piece.truth, bool)
        flagged = scores[0] > self.threshold
        detected = int(np.count_nonzero(flagged & truth))
        self.above = (self.above[0] + int(np.count_nonzero(flagged)) - detected, self.above[1] + detected)
        for row, (_, cut) in enumerate(self.cuts):
            beyond = scores[0] > cut
            self.above_cuts[row] += np.count_nonzero(beyond & ~truth), np.count_nonzero(beyond & truth)
        for area in self.areas:
            area.update(scores[0], truth)
        self.pending.append(LabelledScores(scores, truth))
        self._bound()

    def merge(self, other: TruthMetrics) -> None:
        """Take in what another gathered."""
        self.pending += other.pending
        self.above = (self.above[0] + other.above[0], self.above[1] + other.above[1])
        self.above_cuts = self.above_cuts + other.above_cuts
        for area, its in zip(self.areas, other.areas, strict=True):
            area.merge(its)
        if other.counts is not None:
            self.counts = other.counts.copy() if self.counts is None else self.counts + other.counts
        self._bound()

    def finish(self) -> TruthFigures:
        """Ranking of each method, and counts and rates at the threshold."""
        if self.counts is not None:
            self._count()
        negatives, positives = self._totals()
        rankings = self._exact() if self.counts is None else [_binned(counts) for counts in self.counts]
        return {
            **rankings[0],
            "positives": positives,
            "negatives": negatives,
            "detection_rate": self.above[1] / positives if positives else None,
            "false_alarm_rate": self.above[0] / negatives if negatives else None,
            "prevalence": positives / (positives + negatives) if positives + negatives else None,
            "rates": [
                {
                    "asked": asked,
                    "threshold": cut,
                    "detection_rate": int(above[1]) / positives if positives else None,
                    "false_alarm_rate": int(above[0]) / negatives if negatives else None,
                }
                for (asked, cut), above in zip(self.cuts, self.above_cuts, strict=True)
            ],
            "three_d_roc": self.areas[0].finish(rankings[0]["auroc"]),
            "three_d_roc_log": self.areas[1].finish(rankings[0]["auroc"]),
            "baselines": dict(zip(self.methods[1:], rankings[1:], strict=True)),
            "objects": None,
            "curves": {name: curve for name, curve in zip(self.methods, self._curves(), strict=True) if curve},
        }

    def _bound(self) -> None:
        """Count what is pending in bins where it passes its bound."""
        held = sum(piece.truth.size for piece in self.pending)
        if held > (EXACT if self.counts is None else PENDING):
            self._count()

    def _count(self) -> None:
        """Count in bins all that is pending."""
        if self.counts is None:
            self.counts = np.zeros((len(self.methods), 2, BINS.size), np.int64)
        scores, truth = self._held()
        for method, row in enumerate(scores):
            for kind in (0, 1):
                self.counts[method, kind] += BINS.count(row[truth == bool(kind)])
        self.pending.clear()

    def _totals(self) -> tuple[int, int]:
        """Normal and anomalous pixels."""
        if self.counts is not None:
            return int(self.counts[0, 0].sum()), int(self.counts[0, 1].sum())
        positives = sum(int(np.count_nonzero(piece.truth)) for piece in self.pending)
        return sum(piece.truth.size for piece in self.pending) - positives, positives

    def _exact(self) -> list[Ranking]:
        """The ranking of each method from every score."""
        scores, truth = self._held()
        return [{"auroc": auroc(row, truth), "average_precision": average_precision(row, truth)} for row in scores]

    def _curves(self) -> list[RocCurve | None]:
        """The ROC curve of each method, of every score or of the bins."""
        if self.counts is not None:
            return [roc_curve(*counts[:, ::-1]) for counts in self.counts]
        scores, truth = self._held()
        return [roc_of_scores(row, truth) for row in scores]

    def _held(self) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Scores ``(methods, n)`` and truth ``(n,)`` of all that is pending."""
        nothing = LabelledScores(np.zeros((len(self.methods), 0), np.float32), np.zeros(0, bool))
        pieces = self.pending or [nothing]
        return np.concatenate([p.scores for p in pieces], axis=1), np.concatenate([p.truth for p in pieces])


def _binned(counts: NDArray[np.int64]) -> Ranking:
    """AUROC and average precision from normal and anomalous pixels by ascending bin ``(2, bins)``.

    The pixels of a bin are taken to be evenly mixed: half of the normal ones lie below each anomalous one in the mean.
    To call them all ties, as scikit-learn does, would lower the average precision in every bin.
    """
    negative, positive = counts[:, ::-1].astype(np.float64)  # the highest scores first
    negatives, positives = negative.sum(), positive.sum()
    if not negatives or not positives:
        return {"auroc": None, "average_precision": None}
    # What lies at or above a mean anomalous pixel of a bin: half of the bin's normal pixels,
    # and of its anomalous ones the pixel itself and half of the others.
    false_alarms = np.cumsum(negative) - negative / 2
    detections = np.cumsum(positive) - (positive - 1) / 2
    precision = detections / (detections + false_alarms)
    return {
        "auroc": float((positive * (negatives - false_alarms)).sum() / (positives * negatives)),
        "average_precision": float((positive * precision)[positive > 0].sum() / positives),
    }
