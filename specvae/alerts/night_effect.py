"""What a night does to all its pixels alike (haze, light, a season), and how the p-values of normal looks come out.

The guarantee of an alert rests on one assumption: that the looks of a pixel are exchangeable. A night that scores higher as a
whole breaks it for all pixels at once, which is seen in them, and is taken out before tonight's looks are judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from specvae.alerts.past import freedom

__all__ = ["LEVELS", "NightEffect", "Shift", "Survey"]

LEVELS = (1e-1, 1e-2, 1e-3, 1e-4)
"""p-values whose realised shares are counted."""
MOST_SHIFT, MOST_STRETCH = 1.5, 4.0
"""The largest effect of a night that is taken out: what is odder is judged by the drift verdict, and a scene that burnt as a
whole must not pass for haze."""
UPPER = 0.8
"""The quantile by which a night's spread is measured, above the median and below it; the smaller of both counts: a fire over a
third of the scene widens one side alone, and must not pass for a night on which everything varies more."""
FEWEST = 500
"""Pixels from which on a night's effect is measured at all."""
MOST = 1 << 18
"""Looks of a night that are counted."""
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Survey:
    """Looks at ground without an alert whose p-value by the pixel's own past was at most each of LEVELS."""

    nights: int = 0
    looks: int = 0
    at_most: tuple[int, ...] = (0,) * len(LEVELS)

    def plus(self, other: Survey) -> Survey:
        """Both together."""
        pairs = zip(self.at_most, other.at_most, strict=True)
        return Survey(self.nights + other.nights, self.looks + other.looks, tuple(one + two for one, two in pairs))


@dataclass(frozen=True)
class Shift:
    """How far a night moves and stretches all standardised looks of a scale."""

    centre: float = 0.0
    stretch: float = 1.0

    @staticmethod
    def of(z: Floats, learned: Floats) -> Shift:
        """The effect in standardised looks ``(n,)``: never such that a look would seem odder for it."""
        if z.size < FEWEST:
            return Shift()
        lower, middle, upper = np.quantile(z, (1 - UPPER, 0.5, UPPER))
        half = min(upper - middle, middle - lower)
        expected = float(stdtrit(float(np.median(freedom(learned))), UPPER))
        return Shift(float(np.clip(middle, 0.0, MOST_SHIFT)), float(np.clip(half / expected, 1.0, MOST_STRETCH)))

    def correct(self, z: Floats) -> Floats:
        """Standardised looks without the night's effect."""
        return np.asarray((z - np.float32(self.centre)) / np.float32(self.stretch), np.float32)


@dataclass(frozen=True)
class NightEffect:
    """The effect of a night on both scales."""

    alone: Shift
    around: Shift
    survey: Survey
    """How tonight's p-values came out, the effect taken out."""

    @staticmethod
    def of(samples: Iterable[tuple[Floats, ...]]) -> NightEffect:
        """The effect in samples of standardised looks ``(n,)``: alone, around, and the looks that their past rests on."""
        parts = [tuple(part) for part in samples]
        if not parts:
            return NightEffect(Shift(), Shift(), Survey(1))
        alone, around, learned = (np.concatenate(column) for column in zip(*parts, strict=True))
        own, lent = Shift.of(alone, learned), Shift.of(around, learned)
        step = max(1, alone.size // MOST)
        z, n = own.correct(alone[::step]), learned[::step]
        p = stdtr(freedom(n), -z.astype(np.float64))
        return NightEffect(own, lent, Survey(1, int(p.size), tuple(int((p <= level).sum()) for level in LEVELS)))
