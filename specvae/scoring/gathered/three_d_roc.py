"""Chang's family of areas under the three-dimensional ROC curve, gathered over windows in bounded memory.

Chang, *An Effective Evaluation Tool for Hyperspectral Target Detection: 3D Receiver Operating Characteristic Curve Analysis*,
IEEE TGRS 59(6), 2021. A score is scaled to 0..1 by its extremes, tau is a cut between these, and the areas of the detection
rate and of the false-alarm rate over tau are the mean scaled scores of anomalous and of normal pixels. They depend on the
scale of the score, which AUC(D,F) does not: a monotone change of it, such as the logarithm, changes all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

__all__ = ["ThreeDAreas", "ThreeDRoc"]

DIGITS = 10
"""Digits of the areas: sums over windows differ in the last few by the order in which windows come."""


class ThreeDAreas(TypedDict):
    """The areas, and what is made of them; D is detection, F false alarm, tau the cut."""

    auc_d_f: float
    auc_d_tau: float
    auc_f_tau: float
    td: float
    """Target detection: AUC(D,F) + AUC(D,tau)."""
    bs: float
    """Background suppression: AUC(D,F) - AUC(F,tau)."""
    snpr: float | None
    """Signal to noise: AUC(D,tau) / AUC(F,tau); None where the latter is 0."""
    tdbs: float
    """AUC(D,tau) - AUC(F,tau)."""
    od: float
    """Overall detection: AUC(D,F) + AUC(D,tau) - AUC(F,tau)."""
    odp: float
    """Overall detection probability: AUC(D,tau) + 1 - AUC(F,tau)."""


@dataclass
class ThreeDRoc:
    """Accumulator of extremes and sums of one score: all that the areas over tau need."""

    logarithmic: bool = False
    """Whether of log(1 + score), 0 where the score is negative, in place of the score."""
    low: float = np.inf
    high: float = -np.inf
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    """Sums of the scores of normal and of anomalous pixels."""
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, np.int64))

    def update(self, score: NDArray[np.floating], truth: NDArray[np.bool_]) -> None:
        """Take in finite scores ``(n,)`` of pixels whose truth ``(n,)`` is known."""
        if not score.size:
            return
        values = np.asarray(score, np.float64)
        values = np.log1p(np.maximum(values, 0.0)) if self.logarithmic else values
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        for kind in (0, 1):
            of_kind = values[truth == bool(kind)]
            self.sums[kind] += of_kind.sum()
            self.counts[kind] += of_kind.size

    def merge(self, other: ThreeDRoc) -> None:
        """Take in what another gathered."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.sums, self.counts = self.sums + other.sums, self.counts + other.counts

    def finish(self, area: float | None) -> ThreeDAreas | None:
        """The areas, given AUC(D,F); None unless both kinds are there and the scores differ."""
        if area is None or not self.counts.all() or self.high <= self.low:
            return None
        f, d = ((self.sums / self.counts - self.low) / (self.high - self.low)).round(DIGITS).tolist()
        return {
            "auc_d_f": area,
            "auc_d_tau": d,
            "auc_f_tau": f,
            "td": area + d,
            "bs": area - f,
            "snpr": d / f if f > 0 else None,
            "tdbs": d - f,
            "od": area + d - f,
            "odp": d + 1.0 - f,
        }
