"""A pixel's own past: centre and spread of its normal scores at clear looks, alone and averaged over its neighbours.

A roof that always scores high has a high centre, and tonight's score is measured against it. The spread is learned from few
looks, so that it is drawn towards that of all normal pixels, and the law of the next look is Student's t: the predictive law of
a normal variable with unknown centre and spread (Gelman et al., Bayesian Data Analysis, section 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.kernel.library import best_variant

__all__ = [
    "ALWAYS_ODD",
    "ENOUGH_LOOKS",
    "PRIOR_LOOKS",
    "SCALES",
    "STEP",
    "PastArray",
    "PastRows",
    "UnseenPast",
    "always_odd",
    "freedom",
    "learn",
    "past_type",
    "pieces",
    "predictive_variance",
    "take_back",
]

Floats = NDArray[np.float32]
Records = NDArray[np.void]
SCALES = ("alone", "around")
"""The pixel by itself, and the mean of the 3 x 3 pixels around it: neighbours lend evidence as far as their past is quieter."""
STEP = 1 / 2000
"""Unit in which centres and variances are stored: the rounding is far below their errors, and half the size of floats."""
MEMORY = 40
"""Looks after which the past forgets: a season is a slow change of the centre and no alert."""
ENOUGH_LOOKS = 5
"""Clear looks from which on the past can contradict a look: before, everything may be as it always is."""
ORDINARY, REMARKABLE = 1.25, 2.5
"""Normal scores: ground whose centre is below the first is as the model expects, and what it shows above the second is learned
as the second. Without it, ground that dies slowly would take its own death for its past."""
PRIOR_LOOKS = 4.0
"""How many looks the spread of all normal pixels, which is 1, counts in a pixel's own."""
MOST_LOOKS, MOST_VARIANCE = 65_535, 65_535
ALWAYS_ODD = round(REMARKABLE / STEP)
CELL = 1 << 15
"""Pixels that are computed at once: their arrays stay in the processor's cache."""


def past_type(cols: int) -> np.dtype[np.void]:
    """The type of a record, which holds the past of a row of ``cols`` pixels in 13 bytes a pixel.

    Clear looks, day of the last one (days since 1970-01-01; 0 = never), for each scale centre and variance in units of STEP,
    and looks that these rest on, up to MEMORY. Each lies by itself along the row, so that it is computed with as it lies.
    """
    numbers = [(f"{what}_{scale}", kind) for scale in SCALES for what, kind in (("centre", "i2"), ("variance", "u2"))]
    fields: list[Any] = [
        (name, kind, (cols,)) for name, kind in (("looks", "u2"), ("last", "u2"), *numbers, ("learned", "u1"))
    ]
    return np.dtype(fields, align=True)


class PastRows(Protocol):
    """The past of a place, read and written by rows: in memory or in a file."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def read(self, first: int, stop: int, into: Records | None = None) -> Records:
        """Records of :func:`past_type` ``(rows,)`` from row ``first`` to the one before ``stop``; they are not written to.

        ``into``: records of as many rows that may be filled instead of new ones.
        """

    def looks(self, first: int, stop: int) -> NDArray[np.uint16]:
        """Their clear looks alone, ``(rows, cols)``."""

    def write(self, first: int, records: Records) -> None:
        """Put records ``(rows,)`` in the place of those from row ``first`` on."""


class PastArray:
    """The past of a place in memory; at first that of ground that was never seen."""

    def __init__(self, rows: int, cols: int) -> None:
        self.records = np.zeros(rows, past_type(cols))
        self.shape = (rows, cols)

    def read(self, first: int, stop: int, into: Records | None = None) -> Records:
        """Some rows, where they lie."""
        return self.records[first:stop]

    def looks(self, first: int, stop: int) -> NDArray[np.uint16]:
        """Clear looks of some rows."""
        return np.asarray(self.records["looks"][first:stop])

    def write(self, first: int, records: Records) -> None:
        """Put some rows."""
        self.records[first : first + len(records)] = records


class UnseenPast:
    """The past of a place before its first date, which takes no memory; nothing is written to it."""

    def __init__(self, rows: int, cols: int) -> None:
        self.shape = (rows, cols)

    def read(self, first: int, stop: int, into: Records | None = None) -> Records:
        """Rows that were never seen."""
        return np.zeros(stop - first, past_type(self.shape[1]))

    def looks(self, first: int, stop: int) -> NDArray[np.uint16]:
        """No looks."""
        return np.zeros((stop - first, self.shape[1]), np.uint16)

    def write(self, first: int, records: Records) -> None:
        """Raise TypeError: the state after a date goes into another place."""
        raise TypeError("the past before the first date is not written to")


def pieces(rows: int, cols: int, first: int = 0) -> Iterator[slice]:
    """Rows ``first`` to before ``rows`` in pieces whose arrays stay in the processor's cache."""
    step = max(1, CELL // max(1, cols))
    return (slice(row, min(row + step, rows)) for row in range(first, rows, step))


def always_odd(centre: NDArray[np.int16]) -> NDArray[np.int16]:
    """Stored centres ``(rows, cols)``, in their place the highest of the 3 x 3 around where that is always odd.

    An image that lies part of a pixel further shows a roof's edge where the ground beside the roof was.
    """
    usual = centre.copy()
    if (centre > ALWAYS_ODD).any():
        highest = centre.copy()
        for axis in (0, 1):
            turned, source = np.moveaxis(highest, axis, 0), np.moveaxis(highest.copy(), axis, 0)
            np.maximum(turned[1:], source[:-1], out=turned[1:])
            np.maximum(turned[:-1], source[1:], out=turned[:-1])
        np.copyto(usual, highest, where=highest > ALWAYS_ODD)
    return usual


def predictive_variance(learned: NDArray[np.uint8], variance: NDArray[np.uint16]) -> Floats:
    """The squared spread of the law of the next look, of stored variances: Student's t with :func:`freedom` degrees."""
    n = np.maximum(learned, np.uint8(1)).astype(np.float32)
    # (prior + n variance) / (prior + n - 1) (1 + 1 / n), with what is common to both drawn out.
    spread = np.float32(PRIOR_LOOKS) / n
    spread += variance * np.float32(STEP)
    n += np.float32(1)
    spread *= n
    n += np.float32(PRIOR_LOOKS - 2)
    spread /= n
    return np.asarray(spread, np.float32)


def freedom(learned: NDArray[Any]) -> NDArray[np.float64]:
    """Degrees of freedom of the predictive law after so many looks."""
    return np.asarray(PRIOR_LOOKS + np.asarray(learned, np.float64) - 1, np.float64)


def learn(
    records: Records, clear: NDArray[np.bool_], learning: NDArray[np.bool_], alone: Floats, around: Floats, day: int
) -> None:
    """Take a night into the past of some rows, in place.

    ``clear`` ``(rows, cols)``: where the look is clear; ``learning``: where no alert is open besides, so that the normal
    scores ``alone`` and ``around`` are part of what is usual there.
    """
    if compiled := best_variant():
        numbers = (STEP, 1 / STEP, round(ORDINARY / STEP), ALWAYS_ODD, MOST_VARIANCE)
        compiled.learn(records, (alone, around), (clear, learning), (day, ENOUGH_LOOKS, MEMORY), numbers)
        return
    for rows in pieces(*clear.shape):
        part, seen, where = records[rows], clear[rows], learning[rows]
        looks, learned = part["looks"], part["learned"]
        np.add(looks, seen & (looks < MOST_LOOKS), out=looks)
        np.copyto(part["last"], np.uint16(day), where=seen)
        np.add(learned, where & (learned < MEMORY), out=learned)
        share = 1 / np.maximum(learned, np.uint8(1)).astype(np.float32)
        for scale, values in (("alone", alone[rows]), ("around", around[rows])):
            _learn_scale(part, scale, values, where, share)


def _learn_scale(part: Records, scale: str, values: Floats, where: NDArray[np.bool_], share: Floats) -> None:
    """Welford's update with the variance in place of the sum of squares, so that it can forget; in units of STEP."""
    stored, known = part[f"centre_{scale}"], part["learned"] > ENOUGH_LOOKS
    known &= stored < round(ORDINARY / STEP)
    new = values * np.float32(1 / STEP)
    np.minimum(new, np.float32(ALWAYS_ODD), out=new, where=known)
    centre = stored.astype(np.float32)
    new -= centre
    step = np.where(where, new, np.float32(0))
    move = step * share
    centre += move
    part[f"centre_{scale}"] = np.rint(centre, out=centre)
    variance = part[f"variance_{scale}"].astype(np.float32)
    np.subtract(step, move, out=move)
    step *= move
    step *= np.float32(STEP)
    step -= variance
    step *= share
    np.add(variance, step, out=variance, where=where)
    np.rint(variance, out=variance)
    part[f"variance_{scale}"] = np.minimum(variance, np.float32(MOST_VARIANCE), out=variance)


def take_back(records: Records, pixels: NDArray[np.void], row: NDArray[np.intp], col: NDArray[np.intp]) -> None:
    """Learn, in place, the looks that were set aside while an alert was open, for it has closed and they were normal.

    ``pixels``: records of ``specvae.alerts.pixels.PIXEL``; ``row`` and ``col``: their places in these rows.
    """
    extra = pixels["set_aside"].astype(np.float32)
    before = records["learned"][row, col].astype(np.float32)
    total = before + extra
    for scale in SCALES:
        centre, variance = (records[f"{what}_{scale}"][row, col] * np.float32(STEP) for what in ("centre", "variance"))
        mean = pixels[f"sum_{scale}"] / extra
        spread = np.maximum(pixels[f"squares_{scale}"] / extra - mean * mean, 0)
        gap = mean - centre
        # Two groups as one (Chan et al. 1979): their variances and how far their centres lie apart.
        both = (before * variance + extra * spread + before * extra / total * gap * gap) / total
        records[f"centre_{scale}"][row, col] = np.rint((centre + extra / total * gap) / np.float32(STEP))
        records[f"variance_{scale}"][row, col] = np.clip(np.rint(both / np.float32(STEP)), 0, MOST_VARIANCE)
    records["learned"][row, col] = np.minimum(total, MEMORY)
