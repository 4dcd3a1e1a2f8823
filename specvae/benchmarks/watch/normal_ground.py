"""Places in which nothing happens: how many alerts a year are confirmed there, and how the assumption comes out."""

from __future__ import annotations

import time
from dataclasses import dataclass

from specvae.alerts.e_values import needed_evidence
from specvae.alerts.night_effect import LEVELS
from specvae.benchmarks.watch.scored_series import ScoredSeries
from specvae.stages.demo.nights.series import make_series

__all__ = ["PLACE", "RATES", "NormalGround", "watch_normal_ground"]

RATES = (1e-1, 1e-2)
"""Asked rates, alerts of a place in a year."""
PLACE = 64
"""Side of the place that the rate is asked for, pixels. A larger scene is so many such places: their alerts add up."""
YEARS = 2.5


@dataclass(frozen=True)
class NormalGround:
    """What was confirmed in one scene without events."""

    seed: int
    place_years: float
    confirmed: list[int]
    """Alerts confirmed at each of RATES; each is false."""
    pixels: list[int]
    """Their pixels."""
    realised: list[float]
    """Share of looks with a p-value of at most each of LEVELS, by the pixel's own past."""
    seconds: float

    @property
    def line(self) -> str:
        """One line about the scene."""
        pairs = ", ".join(f"{n} at {rate:g}" for n, rate in zip(self.confirmed, RATES, strict=True))
        return f"normal ground {self.seed}: {pairs} in {self.place_years:.0f} place-years"


def watch_normal_ground(seed: int, side: int, quick: bool) -> NormalGround:
    """Watch a scene of ``side`` pixels with roofs, clouds and seasons but without events."""
    started = time.perf_counter()
    series = make_series(side, side, seed=5000 + seed, years=YEARS, events=False, roofs=8 * (side // PLACE) ** 2 // 2)
    scored = ScoredSeries.of(series, quick)
    confirmed, pixels, realised = [], [], [0.0] * len(LEVELS)
    for rate in RATES:
        places = scored.places(needed_evidence(PLACE * PLACE, rate))
        confirmed.append(sum(len(place.registry.confirmed) for place in places))
        sizes = [{a.id: a.pixels for a in place.registry.alerts} for place in places]
        pixels.append(
            sum(own[number] for place, own in zip(places, sizes, strict=True) for number in place.registry.confirmed)
        )
        survey = places[-1].survey
        realised = [count / max(1, survey.looks) for count in survey.at_most]
    years = (side / PLACE) ** 2 * YEARS
    return NormalGround(seed, years, confirmed, pixels, realised, time.perf_counter() - started)
