"""What is seen of some rows of a place in one night, beside what is usual there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.beside import REACH
from specvae.alerts.clear_looks import EDGE, SIGHT, clear_looks, mean_around
from specvae.alerts.kernel.library import Planes, best_variant
from specvae.alerts.night_effect import NightEffect
from specvae.alerts.normal_scores import PValueCurve
from specvae.alerts.past import (
    ALWAYS_ODD,
    ENOUGH_LOOKS,
    PRIOR_LOOKS,
    STEP,
    PastRows,
    always_odd,
    past_type,
    pieces,
    predictive_variance,
)
from specvae.alerts.room import Room

__all__ = ["Night", "Seen", "looked", "standing_out"]

Bits = NDArray[np.bool_]
Floats = NDArray[np.float32]
Nodes = NDArray[np.int64]
HALO = max(SIGHT + 2, REACH + 1)
"""Rows beyond a window that decide what is seen in it and in the rows next to it: clouds, neighbours, what overshadows a pixel."""
SCREEN, ALONE_SCREEN = 2.7, 1.5
"""Spreads above the centre below which no look can begin an alert, whatever the degrees of freedom: of one of the two scales,
and of the pixel itself. The first is of normal scores too."""
PLANES = {"normal": np.float32, "around": np.float32, "usual": np.int16, "clear": np.bool_}
"""What is seen of each pixel, and its type."""
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
    planes: Planes

    @staticmethod
    def of(past: PastRows, night: Night, rows: range, is_first: bool, room: Room) -> Seen:
        """Some rows; ``is_first``: whether no night was before. ``room`` holds the arrays until it is used again."""
        low, high = max(0, rows.start - HALO), min(past.shape[0], rows.stop + HALO)
        score = night.scores(low, high)
        records = past.read(low, high, room.array("records", (high - low,), past_type(past.shape[1])))
        planes = Planes(*(room.array(name, score.shape, kind) for name, kind in PLANES.items()))
        looked(records, score, night.curve, is_first, planes)
        own = slice(rows.start - low, rows.stop - low)
        margin = slice(max(0, rows.start - 1 - low), min(high, rows.stop + 1) - low)
        return Seen(night, low, own, margin, records, score, planes)

    @property
    def normal(self) -> Floats:
        """Normal scores."""
        return self.planes.normal

    @property
    def around(self) -> Floats:
        """Mean normal score of the clear pixels among the 3 x 3 around each."""
        return self.planes.around

    @property
    def clear(self) -> Bits:
        """Where the look is clear."""
        return self.planes.clear

    def rises(self, at: Nodes) -> tuple[Floats, Floats]:
        """How far tonight's normal scores and scores, nats, are above what is usual at some places; NaN where invalid."""
        usual = self.planes.usual.ravel()[at]
        rise = self.normal.ravel()[at] - usual * np.float32(STEP)
        return rise, self.score.ravel()[at] - self.night.curve.usual_scores(usual)

    def begins(self, effect: NightEffect) -> Nodes:
        """Places, row * cols + col of the arrays, of clear looks in the margin that may begin an alert."""
        bound = np.float32((effect.alone.centre + effect.alone.stretch * ALONE_SCREEN) ** 2)
        at = standing_out(self.records, self.planes, self.margin, bound)
        alone, around = self.standardised(at)
        # A look is as odd as by the own past and by the model alike: neither may fall short.
        by_itself = (effect.alone.correct(alone) > SCREEN) & (self.normal.ravel()[at] > SCREEN)
        return at[by_itself | ((effect.around.correct(around) > SCREEN) & (self.around.ravel()[at] > SCREEN))]

    def standardised(self, at: Nodes) -> tuple[Floats, Floats]:
        """How many predictive spreads the looks at some places lie above the centre, of the pixel alone and with those around."""
        learned = self.of_records("learned", at)
        alone = self.normal.ravel()[at] - self.planes.usual.ravel()[at] * np.float32(STEP)
        alone = alone / np.sqrt(predictive_variance(learned, self.of_records("variance_alone", at)))
        lent = self.around.ravel()[at] - self.of_records("centre_around", at) * np.float32(STEP)
        lent = lent / np.sqrt(predictive_variance(learned, self.of_records("variance_around", at)))
        return np.asarray(alone, np.float32), np.asarray(lent, np.float32)

    def of_records(self, name: str, at: Nodes) -> NDArray[Any]:
        """A field of the past at some places."""
        cols = self.clear.shape[1]
        return np.asarray(self.records[name][at // cols, at % cols])


def looked(
    records: NDArray[np.void],
    score: Floats,
    curve: PValueCurve,
    is_first: bool,
    filled: Planes,
) -> None:
    """Fill the planes with what is seen of rows of ``score`` ``(rows, cols)`` beside their past."""
    if compiled := best_variant():
        compiled.look(records, score, curve.table, (is_first, EDGE + 1, ALWAYS_ODD), filled)
        return
    normal, around, usual, clear = filled
    usual[:] = always_odd(records["centre_alone"])
    for rows in pieces(*score.shape):
        normal[rows] = curve.normal_scores(score[rows])
    # Nothing was seen before the first date, whose clouds have edges all the same.
    clear[:] = clear_looks(normal, np.ones(normal.shape, bool) if is_first else records["looks"] > 0)
    around[:] = mean_around(normal, clear)


def standing_out(records: NDArray[np.void], seen: Planes, margin: slice, bound: np.float32) -> Nodes:
    """Places of clear looks in some rows of the arrays that :func:`looked` filled, which may begin an alert.

    ``bound``: how many times the variance of the next look the squared rise must be; the normal score, of the pixel or of those
    around, must pass SCREEN.
    """
    if compiled := best_variant():
        return compiled.stand_out(records, seen, margin, ENOUGH_LOOKS, (STEP, PRIOR_LOOKS, float(bound), SCREEN))
    found, cols = [], seen.clear.shape[1]
    for rows in pieces(margin.stop, cols, margin.start):
        normal, around = seen.normal[rows], seen.around[rows]
        rise, learned = normal - seen.usual[rows] * np.float32(STEP), records["learned"][rows]
        # Squares keep the sign of their root, so that no root is drawn for the many that are normal.
        begin = np.abs(rise) * rise > predictive_variance(learned, records["variance_alone"][rows]) * bound
        begin &= (normal > SCREEN) | (around > SCREEN)
        begin &= seen.clear[rows] & (learned >= ENOUGH_LOOKS)
        found.append(np.flatnonzero(begin) + rows.start * cols)
    return np.concatenate(found).astype(np.int64)
