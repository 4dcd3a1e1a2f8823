"""A pixel's own past: centre and spread of its normal scores at clear looks, alone and averaged over its neighbours.

A roof that always scores high has a high centre, and tonight's score is measured against it. The spread is learned from few
looks, so that it is drawn towards that of all normal pixels, and the law of the next look is Student's t: the predictive law of
a normal variable with unknown centre and spread (Gelman et al., Bayesian Data Analysis, section 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ENOUGH_LOOKS",
    "PAST",
    "REMARKABLE",
    "SCALES",
    "Past",
    "PastArray",
    "PastRows",
    "Spread",
    "UnseenPast",
    "centres",
    "freedom",
]

Floats = NDArray[np.float32]
SCALES = ("alone", "around")
"""The pixel by itself, and the mean of the 3 x 3 pixels around it: neighbours lend evidence as far as their past is quieter."""
PAST = np.dtype(
    [("looks", "u2"), ("last", "u2"), ("learned", "u1")]
    + [(f"{what}_{scale}", kind) for scale in SCALES for what, kind in (("centre", "i2"), ("variance", "u2"))]
)
"""A pixel's past as it is stored, 13 bytes: clear looks, day of the last one, looks that centre and spread rest on (up to
MEMORY), and for each scale the two in units of STEP."""
STEP = 1 / 2000
"""Unit in which centres and variances are stored: the rounding is far below their errors, and half the size of floats."""
MEMORY = 40
"""Looks after which the past forgets: a season is a slow change of the centre and no alert."""
ENOUGH_LOOKS = 5
"""Clear looks from which on the past can contradict a look: before, everything may be as it always is."""
ORDINARY, REMARKABLE = 0.75, 2.5
"""Normal scores: ground whose centre is below the first is as the model expects, and what it shows above the second is learned
as the second. Without it, ground that dies slowly would take its own death for its past."""
PRIOR_LOOKS = 4.0
"""How many looks the spread of all normal pixels, which is 1, counts in a pixel's own."""


class PastRows(Protocol):
    """The past of a place, read and written by rows: in memory or in a file."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def read(self, first: int, stop: int) -> NDArray[np.void]:
        """Records of :data:`PAST` ``(rows, cols)`` from row ``first`` to the one before ``stop``."""

    def write(self, first: int, records: NDArray[np.void]) -> None:
        """Put records ``(rows, cols)`` in the place of those from row ``first`` on."""


class PastArray:
    """The past of a place in memory; at first that of ground that was never seen."""

    def __init__(self, rows: int, cols: int) -> None:
        self.records = np.zeros((rows, cols), PAST)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.records.shape
        return rows, cols

    def read(self, first: int, stop: int) -> NDArray[np.void]:
        """Some rows."""
        return self.records[first:stop]

    def write(self, first: int, records: NDArray[np.void]) -> None:
        """Put some rows."""
        self.records[first : first + len(records)] = records


class UnseenPast:
    """The past of a place before its first date, which takes no memory; nothing is written to it."""

    def __init__(self, rows: int, cols: int) -> None:
        self.shape = (rows, cols)

    def read(self, first: int, stop: int) -> NDArray[np.void]:
        """Rows that were never seen."""
        return np.zeros((stop - first, self.shape[1]), PAST)

    def write(self, first: int, records: NDArray[np.void]) -> None:
        """Raise TypeError: the state after a date goes into another place."""
        raise TypeError("the past before the first date is not written to")


@dataclass(eq=False)
class Spread:
    """Centre and variance of a scale, ``(rows, cols)`` each or of chosen pixels ``(n,)``."""

    centre: Floats
    variance: Floats

    def standardised(self, normal_scores: Floats, learned: NDArray[np.floating]) -> Floats:
        """How many predictive spreads tonight's normal scores lie above the centre: Student's t with :func:`freedom` degrees."""
        n = np.maximum(learned, np.float32(1))
        spread = (PRIOR_LOOKS + n * self.variance) / (PRIOR_LOOKS + n - 1)
        return np.asarray((normal_scores - self.centre) / np.sqrt(spread * (1 + 1 / n)), np.float32)

    def learn(self, normal_scores: Floats, learned: NDArray[np.floating], where: NDArray[np.bool_]) -> None:
        """Take tonight's normal scores into centre and variance; ``learned`` counts tonight's look already."""
        known = (learned > ENOUGH_LOOKS) & (self.centre < ORDINARY)
        values = np.where(known, np.minimum(normal_scores, np.float32(REMARKABLE)), normal_scores)
        step = np.where(where, values - self.centre, np.float32(0))
        share = np.where(where, 1 / np.maximum(learned, np.float32(1)), np.float32(0))
        self.centre += step * share
        # Welford's update with the variance in place of the sum of squares, so that it can forget.
        self.variance += share * (step * step * (1 - share) - self.variance)


@dataclass(eq=False)
class Past:
    """The past of some rows of a place, or of chosen pixels, as arrays to compute with."""

    looks: NDArray[np.uint16]
    last: NDArray[np.uint16]
    """Day of the last clear look, days since 1970-01-01; 0 = never."""
    learned: Floats
    alone: Spread
    around: Spread

    @staticmethod
    def unpack(records: NDArray[np.void]) -> Past:
        """The past in records of :data:`PAST`, of any shape."""
        step = np.float32(STEP)
        spreads = [Spread(records[f"centre_{scale}"] * step, records[f"variance_{scale}"] * step) for scale in SCALES]
        learned = records["learned"].astype(np.float32)
        return Past(records["looks"].copy(), records["last"].copy(), learned, spreads[0], spreads[1])

    def pack(self) -> NDArray[np.void]:
        """The past as records; the inverse of :meth:`unpack` to within half a STEP."""
        records = np.empty(self.looks.shape, PAST)
        records["looks"], records["last"] = self.looks, self.last
        records["learned"] = self.learned
        for scale, spread in zip(SCALES, (self.alone, self.around), strict=True):
            records[f"centre_{scale}"] = np.clip(np.rint(spread.centre / np.float32(STEP)), -32768, 32767)
            records[f"variance_{scale}"] = np.clip(np.rint(spread.variance / np.float32(STEP)), 0, 65535)
        return records

    def see(self, clear: NDArray[np.bool_], day: int) -> None:
        """Count tonight's clear looks."""
        self.looks += clear & (self.looks < np.iinfo(np.uint16).max)
        self.last[clear] = day

    def learn(self, alone: Floats, around: Floats, where: NDArray[np.bool_]) -> None:
        """Take tonight's normal scores of both scales in ``where`` the look is clear and no alert is open."""
        self.learned += where & (self.learned < MEMORY)
        self.alone.learn(alone, self.learned, where)
        self.around.learn(around, self.learned, where)

    def take_back(self, pixels: NDArray[np.void], at: NDArray[np.int64]) -> None:
        """Learn the looks that were set aside while an alert was open, for it has closed and they were part of the normal.

        ``pixels``: records of ``specvae.alerts.pixels.PIXEL``; ``at``: their places in these rows.
        """
        extra = pixels["set_aside"].astype(np.float32)
        before = self.learned.ravel()[at]
        total = before + extra
        for scale, spread in zip(SCALES, (self.alone, self.around), strict=True):
            mean = pixels[f"sum_{scale}"] / extra
            variance = np.maximum(pixels[f"squares_{scale}"] / extra - mean * mean, 0)
            gap = mean - spread.centre.ravel()[at]
            # Two groups as one (Chan et al. 1979): their variances and how far their centres lie apart.
            spread.variance.ravel()[at] = (
                before * spread.variance.ravel()[at] + extra * variance + before * extra / total * gap * gap
            ) / total
            spread.centre.ravel()[at] += extra / total * gap
        self.learned.ravel()[at] = np.minimum(total, MEMORY)


def centres(records: NDArray[np.void]) -> Floats:
    """The centres of the pixels alone, of records of :data:`PAST`."""
    return np.asarray(records["centre_alone"] * np.float32(STEP), np.float32)


def freedom(learned: NDArray[np.floating]) -> NDArray[np.float64]:
    """Degrees of freedom of the predictive law after so many looks."""
    return np.asarray(PRIOR_LOOKS + learned - 1, np.float64)
