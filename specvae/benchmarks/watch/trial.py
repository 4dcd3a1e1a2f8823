"""One place with events: what each rule confirms of it, and when."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.e_values import needed_evidence
from specvae.alerts.pixels import Status
from specvae.benchmarks.watch.rules import dist_alert, each_night, score_anomaly, seasonal_anomaly
from specvae.benchmarks.watch.scored_series import ScoredSeries
from specvae.stages.demo.nights.events import LASTING, Event
from specvae.stages.demo.nights.series import make_series

__all__ = ["Figures", "Trial", "run_trial"]

RATE = 0.1
"""The asked rate of the trials with events."""
LEARNING = 365
"""Days of the first year, on which the rules that need a baseline rest."""
Figures = dict[str, float]


@dataclass(frozen=True)
class Trial:
    """The figures of one seed."""

    seed: int
    figures: dict[str, Figures]
    """By method: ``users``, ``producers_fire``, ..., ``f1``, ``delay_fire``, ...; a figure that does not exist is not there."""
    roofs_after_first_year: int
    """Pixels of roofs that the watch confirmed after the first year."""
    seconds: float

    @property
    def line(self) -> str:
        """One line about the trial."""
        own = self.figures["specvae"]
        return f"seed {self.seed}: users {own['users']:.3f}, producers {own['producers']:.3f}, F1 {own['f1']:.3f}"


def run_trial(seed: int, side: int, quick: bool) -> Trial:
    """Make, fit, score and judge one place."""
    started = time.perf_counter()
    scored = ScoredSeries.of(make_series(side, side, seed=seed), quick)
    begin = int(np.searchsorted(scored.series.days, scored.series.days[0] + LEARNING))
    clear = np.isfinite(scored.scores)
    places = scored.places(needed_evidence(side * side, RATE))
    status = np.stack([place.status(0, side) for place in places])
    sure = status == Status.CONFIRMED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = {
            "specvae": np.where(sure.any(axis=0), sure.argmax(axis=0), -1),
            "each-night": _since(each_night(_after(scored, begin)), begin),
            "dist-alert": dist_alert(score_anomaly(scored), clear, begin),
            "mahalanobis": dist_alert(seasonal_anomaly(scored, begin), clear, begin),
        }
    roofs = int(sure[begin:, scored.series.roofs].any(axis=0).sum())
    figures = {method: _figures(when, scored, clear) for method, when in first.items()}
    return Trial(seed, figures, roofs, time.perf_counter() - started)


def _after(scored: ScoredSeries, begin: int) -> ScoredSeries:
    """The series without its first year."""
    return ScoredSeries(
        scored.series, scored.values[begin:], scored.scores[begin:], scored.curve, scored.cut, scored.verdicts[begin:]
    )


def _since(first: NDArray[np.int64], begin: int) -> NDArray[np.int64]:
    return np.where(first >= 0, first + begin, -1)


def _figures(first: NDArray[np.int64], scored: ScoredSeries, clear: NDArray[np.bool_]) -> Figures:
    """Accuracies of the area that was ever confirmed, and delays, of one method; ``first``: date by pixel, -1 = never."""
    events = scored.series.events
    planted = np.any([event.place for event in events], axis=0)
    lasting = np.any([event.place for event in events if event.kind in LASTING], axis=0)
    sure = first >= 0
    users = float(planted[sure].mean()) if sure.any() else 1.0
    producers = float(sure[lasting].mean())
    figures = {"users": users, "producers": producers, "f1": 2 * users * producers / max(users + producers, 1e-9)}
    for event in events:
        figures[f"producers_{event.kind}"] = float(sure[event.place].mean())
        delay = _delay(event, first, scored, clear)
        if delay is not None:
            figures[f"delay_{event.kind}"] = delay
    return figures


def _delay(event: Event, first: NDArray[np.int64], scored: ScoredSeries, clear: NDArray[np.bool_]) -> float | None:
    """Median over the event's confirmed pixels: clear looks from the onset up to the one that confirms, both counted."""
    onset = int(np.searchsorted(scored.series.days, event.onset))
    rows, cols = np.nonzero(event.place & (first >= onset))
    if not rows.size:
        return None
    looks = [clear[onset : first[row, col] + 1, row, col].sum() for row, col in zip(rows, cols, strict=True)]
    return float(np.median(looks))
