"""What is seen of some rows of a place in one night, beside what is usual there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.beside import REACH
from specvae.alerts.clear_looks import SIGHT, clear_looks, mean_around
from specvae.alerts.night_effect import NightEffect
from specvae.alerts.normal_scores import PValueCurve
from specvae.alerts.past import ENOUGH_LOOKS, STEP, PastRows, always_odd, pieces, predictive_variance

__all__ = ["Night", "Seen"]

Bits = NDArray[np.bool_]
Floats = NDArray[np.float32]
Nodes = NDArray[np.int64]
HALO = max(SIGHT + 2, REACH + 1)
"""Rows beyond a window that decide what is seen in it and in the rows next to it: clouds, neighbours, what overshadows a pixel."""
SCREEN, ALONE_SCREEN = 2.7, 1.5
"""Spreads above the centre below which no look can begin an alert, whatever the degrees of freedom: of one of the two scales,
and of the pixel itself."""
Rows = Callable[[int, int], Floats]
"""Gives the scores of some rows ``(rows, cols)``: from the first row to the one after the last; NaN where invalid."""


@dataclass(frozen=True, eq=False)
class Night:
    """One date of a place."""

    day: int
    """Days since 1970-01-01."""
    scores: Rows
    """Scores in nats."""
    curve: PValueCurve
    """The normal score of each score, by the calibration of the model that scored."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Some rows tonight, with up to HALO rows more above and below; all arrays ``(rows, cols)``."""

    night: Night
    first: int
    """The place's row that the arrays begin with."""
    own: slice
    """Which of the arrays' rows were asked for."""
    margin: slice
    """These and the rows next to them, in which all arrays hold what they hold in the place in one piece."""
    records: NDArray[np.void]
    """``(rows,)`` of the past."""
    score: Floats
    """Nats, NaN where invalid."""
    normal: Floats
    """Normal scores."""
    usual: NDArray[np.int16]
    """The centre of each pixel's past in units of STEP; beside what is always odd, that of this."""
    rise: Floats
    """How far tonight's normal scores are above what is usual there, NaN where invalid."""
    clear: Bits
    around: Floats
    """Mean normal score of the clear pixels among the 3 x 3 around each."""

    @staticmethod
    def of(past: PastRows, night: Night, first: int, stop: int, is_first: bool) -> Seen:
        """The rows from ``first`` to the one before ``stop``; ``is_first``: whether no night was before."""
        low, high = max(0, first - HALO), min(past.shape[0], stop + HALO)
        score, records = night.scores(low, high), past.read(low, high)
        usual = always_odd(records["centre_alone"])
        normal, rise = np.empty_like(score), np.empty_like(score)
        for rows in pieces(*score.shape):
            normal[rows] = night.curve.normal_scores(score[rows])
            rise[rows] = normal[rows] - usual[rows] * np.float32(STEP)
        # Nothing was seen before the first date, whose clouds have edges all the same.
        clear = clear_looks(normal, np.ones(normal.shape, bool) if is_first else records["looks"] > 0)
        own, margin = slice(first - low, stop - low), slice(max(0, first - 1 - low), min(high, stop + 1) - low)
        return Seen(night, low, own, margin, records, score, normal, usual, rise, clear, mean_around(normal, clear))

    @property
    def rise_of_scores(self) -> Floats:
        """How far tonight's scores are above what is usual there, nats; NaN where invalid."""
        rise = np.empty_like(self.score)
        for rows in pieces(*rise.shape):
            np.subtract(self.score[rows], self.night.curve.usual_scores(self.usual[rows]), out=rise[rows])
        return rise

    def begins(self, effect: NightEffect) -> Nodes:
        """Places, row * cols + col of the arrays, of clear looks in the margin that may begin an alert."""
        found, cols = [], self.clear.shape[1]
        for rows in pieces(self.margin.stop, cols, self.margin.start):
            rise, learned = self.rise[rows], self.records["learned"][rows]
            variance = predictive_variance(learned, self.records["variance_alone"][rows])
            variance *= np.float32((effect.alone.centre + effect.alone.stretch * ALONE_SCREEN) ** 2)
            # Squares keep the sign of their root, so that no root is drawn for the many that are normal.
            signed = np.abs(rise)
            signed *= rise
            begin = signed > variance
            begin &= self.clear[rows]
            begin &= learned >= ENOUGH_LOOKS
            found.append(np.flatnonzero(begin) + rows.start * cols)
        at = np.concatenate(found).astype(np.int64)
        alone, around = self.standardised(at)
        return at[(effect.alone.correct(alone) > SCREEN) | (effect.around.correct(around) > SCREEN)]

    def standardised(self, at: Nodes) -> tuple[Floats, Floats]:
        """How many predictive spreads the looks at some places lie above the centre, of the pixel alone and with those around."""
        learned = self.of_records("learned", at)
        alone = self.rise.ravel()[at] / np.sqrt(predictive_variance(learned, self.of_records("variance_alone", at)))
        lent = self.around.ravel()[at] - self.of_records("centre_around", at) * np.float32(STEP)
        lent = lent / np.sqrt(predictive_variance(learned, self.of_records("variance_around", at)))
        return np.asarray(alone, np.float32), np.asarray(lent, np.float32)

    def of_records(self, name: str, at: Nodes) -> NDArray[Any]:
        """A field of the past at some places."""
        cols = self.clear.shape[1]
        return np.asarray(self.records[name][at // cols, at % cols])
