"""Reasons in words and physical units: which bands, by how much against what was expected, and what no normal ground shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet
from specvae.detector import Detector

__all__ = ["Driver", "Wording", "against_words", "wording_of"]

MOST = 3
"""Bands, or runs of neighbouring bands, that are named."""
LEAST_SHARE = 0.1
"""A band that contributes less than this share of the strongest one's nats is not named behind it."""
MANY_BANDS = 40
"""More bands than this are named by runs of neighbours."""
RUN_SHARE = 0.3
"""A neighbour belongs to the run of a band where it departs the same way and contributes at least this share of its nats."""
SMALL = 0.05
"""An expected value below this share of the band's normal spread has no percentage that means anything."""
LARGEST_PERCENT = 1000.0
LEAST_CHANGE = 0.005
"""A band that departs by less than this share of what was expected, and of its normal range, is not named first: its change
would be said to be 0 %."""

Floats = NDArray[np.floating]


def against_words(surroundings: bool, rows: bool) -> str:
    """What a spectrum is compared with: its surroundings, or where the model sees none, normal rows or normal ground."""
    return "its surroundings" if surroundings else "normal rows of its kind" if rows else "normal ground"


@dataclass(frozen=True)
class Driver:
    """A band, or a run of neighbouring bands, that drives a score."""

    label: str
    change: str
    """Against what was expected: in per cent, or in the band's own unit where a percentage means nothing."""
    percent: float
    """Observed less expected in per cent of the expected; NaN where a percentage means nothing."""
    nats: float
    """What it contributes to the score."""
    band: int = 0
    """0-based number of the band, of a run that of the band it was named for."""

    @property
    def words(self) -> str:
        """Label and change."""
        return f"{self.label} {self.change}"


@dataclass(frozen=True, eq=False)
class Wording:
    """How the reasons of one model's scores are said."""

    bands: BandSet
    low: Floats
    """``(bands,)``: the smallest value of the normal spectra that the model file holds, physical units."""
    high: Floats
    """``(bands,)``: the largest."""
    surroundings: bool
    """Whether what is expected follows from the surroundings; else from the nearest kind of normal spectrum."""
    rows: bool = False
    """Whether rows of a table are spoken of, whose columns are higher and lower and not brighter and darker."""

    def drivers(self, contribution: Floats, alone: Floats, observed: Floats, expected: Floats) -> list[Driver]:
        """What drives one score, ``(bands,)`` each: first the band whose return alone lowers the score most, then by nats."""
        order = np.argsort(-contribution, kind="stable")
        # A band that is as expected changes nothing where it is put back, and is no reason even where all others would do harm.
        departs = LEAST_CHANGE * np.minimum(np.abs(expected), self.high - self.low)
        changed = (np.abs(observed - expected) >= departs) & (observed != expected)
        if changed.any():
            first = int(np.argmax(np.where(changed, alone, -np.inf)))
            order = np.concatenate([[first], order[order != first]])
        least = LEAST_SHARE * float(contribution.max(initial=0.0))
        found, used = list[Driver](), np.zeros(len(contribution), bool)
        for band in order.tolist():
            if len(found) == MOST or (found and contribution[band] < least):
                break
            if used[band] or observed[band] == expected[band]:
                continue
            run = self._run(band, contribution, observed - expected, used)
            used[run] = True
            found.append(self._driver(band, run, float(contribution[run].sum()), observed, expected))
        return found

    def in_words(self, drivers: list[Driver], observed: Floats, alone: Floats) -> str:
        """The sentence of some drivers, and of the bands in which no normal spectrum is like ``observed`` ``(bands,)``.

        Where no band's return ``alone`` lowers the score, it is said that the bands depart together.
        """
        against = against_words(self.surroundings, self.rows)
        together = "" if alone.max(initial=0.0) > 0 else " together"
        parts = [f"{', '.join(driver.words for driver in drivers)}{together} against {against}"] if drivers else []
        kind = "row" if self.rows else "ground"
        words = ("higher", "lower") if self.rows else ("brighter", "darker")
        for word, which in zip(words, (observed > self.high, observed < self.low), strict=True):
            if which.any():
                parts.append(f"{word} than any normal {kind} in {self._named(np.flatnonzero(which).tolist())}")
        return "; ".join(parts)

    def _named(self, bands: list[int]) -> str:
        if len(bands) == len(self.bands) and len(bands) > 1:
            return "every band"
        names = [self.bands.labels[band] for band in bands]
        return ", ".join(names) if len(names) <= MOST else f"{len(names)} bands, {names[0]} to {names[-1]}"

    def _run(self, band: int, contribution: Floats, away: Floats, used: NDArray[np.bool_]) -> list[int]:
        """The band and, of many bands, the neighbours that depart with it."""
        run = [band]
        if len(contribution) <= MANY_BANDS:
            return run
        for step in (-1, 1):
            at = band + step
            while 0 <= at < len(contribution) and not used[at] and away[at] * away[band] > 0:
                if contribution[at] < RUN_SHARE * contribution[band]:
                    break
                run.append(at)
                at += step
        return sorted(run)

    def _driver(self, band: int, run: list[int], nats: float, observed: Floats, expected: Floats) -> Driver:
        away, base = float(observed[band] - expected[band]), float(expected[band])
        percent = 100 * away / base if base > SMALL * float(self.high[band] - self.low[band]) else np.nan
        if not abs(percent) <= LARGEST_PERCENT:
            percent = np.nan
        return Driver(
            self._label(run), f"{away:+.3g}" if np.isnan(percent) else f"{percent:+.0f} %", percent, nats, band
        )

    def _label(self, run: list[int]) -> str:
        first, last = run[0], run[-1]
        if first == last:
            return self.bands.labels[first]
        waves = self.bands.wavelengths
        if waves is None:
            return f"{self.bands.labels[first]} to {self.bands.labels[last]}"
        return f"{waves[first]:,.0f} to {waves[last]:,.0f} nm"


def wording_of(detector: Detector, rows: bool = False) -> Wording:
    """How the reasons of a model's scores are said; ``rows``: of a table."""
    normal = detector.drift_reference.bands
    reference = detector.background.reference
    if not len(reference):
        return Wording(detector.bands, normal[:, 0], normal[:, -1], detector.has_context, rows)
    low, high = np.minimum(normal[:, 0], reference.min(axis=0)), np.maximum(normal[:, -1], reference.max(axis=0))
    return Wording(detector.bands, low, high, detector.has_context, rows)
