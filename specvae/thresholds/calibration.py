"""A calibration: thresholds, p-values, tables and checks that derive from held-out score tiles."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.check import HeldOutCheck, check_held_out
from specvae.thresholds.contamination import BodyTail, fit_body_tail
from specvae.thresholds.empirical import conformal_p_values, conformal_rank, conformal_threshold
from specvae.thresholds.intervals import BlockBootstrap
from specvae.thresholds.tail import Tail, fit_tail
from specvae.thresholds.threshold import Threshold
from specvae.thresholds.tiles import CalibrationTiles

__all__ = ["RATES", "Calibration"]

RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
RESOLVED = 10
"""The empirical quantile serves down to so many calibration pixels above the cut; the tail takes over beyond."""


class Calibration:
    """What the held-out tiles tell. Everything is computed when first asked for; :meth:`prepare` does it all.

    Where the calibration data were found contaminated, thresholds are a law fitted below the trim quantile, and say
    so (``model-based``).
    """

    def __init__(self, tiles: CalibrationTiles, contaminated: bool = False, trim: float = 0.03) -> None:
        self.tiles, self.contaminated, self.trim = tiles, contaminated, trim
        self._stored: dict[str, Any] = {}

    @cached_property
    def ordered(self) -> NDArray[np.float32]:
        """``(n,)``: all calibration scores, ascending."""
        return np.sort(self.tiles.scores)

    @property
    def size(self) -> int:
        """Calibration pixels."""
        return int(self.ordered.size)

    @cached_property
    def bootstrap(self) -> BlockBootstrap | None:
        """Replicates of whole blocks, or None without scores."""
        return BlockBootstrap.of(self.tiles.resampling_blocks) if self.tiles.scores.size else None

    @cached_property
    def tail(self) -> Tail | None:
        """The generalised Pareto tail, accepted or refused; None where there is too little."""
        return fit_tail(self.tiles.scores, self.bootstrap) if self.bootstrap is not None else None

    @cached_property
    def body(self) -> BodyTail | None:
        """The law fitted below the trim quantile, where the data are contaminated."""
        return fit_body_tail(self.tiles.scores, self.trim) if self.contaminated else None

    def threshold(self, rate: float, explicit: bool = True) -> Threshold:
        """The cut for a false-alarm rate.

        ``explicit``: the rate was asked for, so it is given even where the data cannot support it, with a warning;
        a default rate becomes the nearest that they can.
        """
        key = f"{rate:g}|{explicit}"
        if key in self._stored:
            return Threshold.from_summary(self._stored[key])
        found = self._threshold(rate, explicit)
        self._stored[key] = found.summary()
        return found

    def _threshold(self, rate: float, explicit: bool) -> Threshold:
        if self.body is not None:
            return self._model_based(rate)
        if conformal_rank(self.size, rate) >= RESOLVED:
            return self._empirical(rate, rate, None)
        tail = self.tail
        if tail is not None and tail.refused is None and rate >= tail.smallest_rate:
            value = tail.threshold(rate)
            return Threshold(
                value, rate, rate, "pareto", tail.rate_interval(value, rate), tail.value_interval(rate), True
            )
        return self._unsupported(rate, explicit)

    def _empirical(self, rate: float, asked: float, warning: str | None) -> Threshold:
        value = conformal_threshold(self.ordered, rate)
        scores = self.tiles.scores
        interval = self.bootstrap.rate_interval(np.nonzero(scores >= value)[0]) if self.bootstrap is not None else None
        between = None
        if interval is not None:
            quantiles = [1 - min(1.0, interval[1]), 1 - interval[0]]
            between = (float(np.quantile(self.ordered, quantiles[0])), float(np.quantile(self.ordered, quantiles[1])))
        return Threshold(value, rate, asked, "empirical", interval, between, True, warning)

    def _model_based(self, rate: float) -> Threshold:
        assert self.body is not None
        warning = (
            "the calibration data hold anomalies themselves, so the cut is a law fitted to the bulk of their scores and "
            "its rate rests on that model; fit on clean normal data for a rate that is measured"
        )
        return Threshold(self.body.threshold(rate), rate, rate, "model-based", None, None, False, warning)

    def smallest_rate(self) -> float:
        """The smallest rate that the data support."""
        tail = self.tail
        empirical = RESOLVED / (self.size + 1.0)
        return tail.smallest_rate if tail is not None and tail.refused is None else min(0.5, empirical * (1 + 1e-9))

    def _unsupported(self, rate: float, explicit: bool) -> Threshold:
        can = self.smallest_rate()
        why = self.tail.refused if self.tail is not None and self.tail.refused else "too few calibration pixels"
        if self.size < 2 * RESOLVED:
            value = float(self.ordered[-1]) if self.size else float("inf")
            told = f"{self.size} calibration pixels support no rate: the cut is their maximum; calibrate on more normal data"
            return Threshold(value, 1.0 / (self.size + 1), rate, "maximum", None, None, False, told)
        if not explicit:
            told = f"the rate {rate:g} is beyond what {self.size} calibration pixels support ({why}); {can:.2g} is given instead"
            found = self._threshold(can, True)
            return Threshold(
                found.value,
                found.false_alarm_rate,
                rate,
                found.method,
                found.interval,
                found.value_interval,
                False,
                told,
            )
        told = (
            f"the rate {rate:g} is beyond what {self.size} calibration pixels support ({why}); they support {can:.2g}"
        )
        if self.tail is not None and rate < self.tail.share:
            value = self.tail.threshold(rate)
            interval = self.tail.rate_interval(value, rate)
            return Threshold(value, rate, rate, "pareto", interval, self.tail.value_interval(rate), False, told)
        value = float(self.ordered[-1])
        return Threshold(
            value, 1.0 / (self.size + 1), rate, "maximum", None, None, False, told + ", and the cut is their maximum"
        )

    def p_values(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Of scores of any shape, NaN where NaN: conformal, and the tail's beyond the largest calibration score."""
        if not self.size:
            return np.where(np.isnan(scores), np.nan, 1.0)
        p = conformal_p_values(self.ordered, scores)
        if self.body is not None:
            far = np.asarray(scores) > self.body.start
            p[far] = np.minimum(self.body.survival(np.asarray(scores)[far]), p[far])
            return p
        far = np.asarray(scores) > self.ordered[-1]
        if far.any() and self.tail is not None and self.tail.refused is None:
            p[far] = np.minimum(p[far], np.maximum(self.tail.survival(np.asarray(scores)[far]), 1e-300))
        return p

    def table(self, rates: tuple[float, ...] = RATES) -> tuple[Threshold, ...]:
        """A threshold for each rate, as if each were asked for."""
        return tuple(self.threshold(rate, True) for rate in rates)

    def check(self) -> HeldOutCheck:
        """Asked against realised rates by cross-validation over blocks or files."""
        if "check" not in self._stored:
            self._stored["check"] = check_held_out(self.tiles).summary()
        stored = self._stored["check"]
        return HeldOutCheck(tuple(stored["rows"]), stored["grouped_by"], stored["passed"])

    def survival(self, points: int = 200) -> dict[str, list[float]]:
        """The empirical survival function at ``points`` ranks spread by logarithm: ``score`` and ``share`` above it."""
        if not self.size:
            return {"score": [], "share": []}
        ranks = np.unique(np.geomspace(1, self.size, points).astype(int))
        return {
            "score": [float(self.ordered[self.size - k]) for k in ranks],
            "share": [float(k / (self.size + 1)) for k in ranks],
        }

    def summary(self) -> dict[str, Any]:
        """The ``calibration`` section of report.json."""
        return {
            "pixels": self.size,
            "tiles": len(self.tiles),
            "sources": list(self.tiles.sources),
            "contaminated": self.contaminated,
            "smallest_rate": None if self.contaminated else self.smallest_rate(),
            "tail": self.tail.summary() if self.tail is not None else None,
            "body": self.body.summary() if self.body is not None else None,
            "check": self.check().summary(),
        }

    def stored_summary(self) -> dict[str, Any]:
        """:meth:`summary`, from the model file where it was prepared."""
        if "summary" not in self._stored:
            self._stored["summary"] = self.summary()
        summary: dict[str, Any] = self._stored["summary"]
        return summary

    def prepare(self, rates: tuple[float, ...] = RATES) -> None:
        """Compute what reports ask for, so that the model file carries it."""
        self.table(rates)
        self.threshold(1e-3, False)
        self.stored_summary()

    def to_json(self) -> dict[str, Any]:
        """What was decided and computed, JSON-ready; the tiles are stored apart."""
        return {"contaminated": self.contaminated, "trim": self.trim, "stored": self._stored}

    @classmethod
    def from_json(cls, tiles: CalibrationTiles, told: dict[str, Any]) -> Calibration:
        """The inverse of :meth:`to_json`."""
        calibration = cls(tiles, bool(told["contaminated"]), float(told["trim"]))
        calibration._stored = dict(told.get("stored", {}))
        return calibration
