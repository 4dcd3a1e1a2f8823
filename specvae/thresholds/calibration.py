"""A calibration: from held-out scores to thresholds, p-values, their intervals and their check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import ModelError
from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.check import HeldOutCheck, check_held_out
from specvae.thresholds.conformal import conformal_p_values, conformal_rank, conformal_threshold
from specvae.thresholds.contamination import TrimmedTail, fit_trimmed_tail
from specvae.thresholds.tail import Tail, fit_tail
from specvae.thresholds.threshold import Interval, Threshold
from specvae.thresholds.tiles import CalibrationTiles

__all__ = ["DEFAULT_RATE", "TABLE_RATES", "Calibration"]

DEFAULT_RATE = 1e-3
TABLE_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
ENOUGH = 30
"""Pixels above an empirical cut from which on no tail is asked."""
FEWEST = 10
"""Pixels above an empirical cut from which on it is supported where the tail is refused."""


MODEL_BASED = (
    "the held-out data hold anomalies themselves, so the cut is a law fitted to the scores below the trim quantile and its "
    "rate rests on that model; fit or calibrate on clean normal data for a rate that is measured"
)


class Calibration:
    """Thresholds, p-values and their trustworthiness from :class:`CalibrationTiles`; everything is computed when asked.

    ``contaminated`` says that the tiles hold anomalies (``find_contamination``): then what lies above the quantile
    1 - ``trim`` is not used, and every threshold is model-based. ``stored`` is an earlier :meth:`to_json`: what
    stands there is not computed again.

    Examples
    --------
    >>> from specvae import SpectralVAE
    >>> rng = np.random.default_rng(0)
    >>> model = SpectralVAE(steps=20).fit(rng.normal(size=(200, 4))).calibrate(rng.normal(size=(5000, 4)))
    >>> calibration = model.detector_.calibration
    >>> calibration.size, bool(calibration.threshold(1e-3).value > calibration.threshold(1e-2).value)
    (5000, True)
    """

    def __init__(
        self,
        tiles: CalibrationTiles,
        contaminated: bool = False,
        trim: float = 0.0,
        stored: Mapping[str, Any] | None = None,
    ) -> None:
        if contaminated and not 0 < trim < 0.5:
            raise ValueError(f"a contaminated calibration needs a trim share between 0 and 0.5, got {trim}")
        self.tiles = tiles
        self.contaminated = contaminated
        self.trim = trim
        self._stored = dict(stored or {})
        self._thresholds: dict[tuple[float, bool], Threshold] = {}
        for told in self._stored.get("thresholds", ()):
            threshold = Threshold.from_summary({k: v for k, v in told.items() if k != "explicit"})
            if threshold.asked_rate is not None:
                self._thresholds[threshold.asked_rate, bool(told["explicit"])] = threshold

    @cached_property
    def ordered(self) -> NDArray[np.float32]:
        """``(n,)``: all held-out scores, ascending."""
        return np.sort(self.tiles.scores)

    @property
    def size(self) -> int:
        """Held-out pixels."""
        return int(self.tiles.scores.size)

    @cached_property
    def _normal(self) -> NDArray[np.float32]:
        """``(n,)``: the held-out scores that ranks count: all; where contaminated, those up to the trim quantile."""
        return self.ordered[self.ordered <= self.trimmed.stop] if self.trimmed else self.ordered

    @cached_property
    def bootstrap(self) -> BlockBootstrap:
        """Resampled blocks of the held-out scores."""
        return BlockBootstrap.of(self.tiles.resampling_blocks)

    @cached_property
    def tail(self) -> Tail | None:
        """The Pareto tail of held-out normal scores; None where contaminated or under 50 excesses."""
        if self.contaminated or not self.size:
            return None
        return fit_tail(self.tiles.scores, self.bootstrap)

    @cached_property
    def trimmed(self) -> TrimmedTail | None:
        """The tail below the trim quantile; None where not contaminated or too few scores."""
        return (
            fit_trimmed_tail(self.tiles.scores, self.bootstrap, self.trim) if self.contaminated and self.size else None
        )

    def threshold(self, rate: float = DEFAULT_RATE, explicit: bool = False) -> Threshold:
        """The cut for a false-alarm rate.

        An unsupported rate becomes the nearest supported one, with a warning; where ``explicit``, it is given as
        asked, with a warning. Raises ModelError where there are no held-out scores, ValueError for a rate outside
        (0, 1).
        """
        if not 0 < rate < 1:
            raise ValueError(f"a false-alarm rate lies between 0 and 1, got {rate}")
        key = (float(rate), explicit)
        if key not in self._thresholds:
            self._thresholds[key] = self._find(float(rate), explicit)
        return self._thresholds[key]

    def _find(self, rate: float, explicit: bool) -> Threshold:
        if self.size == 0:
            raise ModelError(
                "the model holds no held-out scores; give --threshold in nats, or calibrate it on normal data"
            )
        problem = self._problem(rate)
        if problem is None:
            return self._at(rate, rate, True, None)
        if explicit:
            return self._insist(rate, problem)
        nearest = self.smallest_rate
        if nearest is None:
            return self._insist(rate, problem)
        warning = f"the default false-alarm rate {rate:g} is not supported: {problem}; {nearest:.2g} is used instead"
        return self._at(nearest, rate, False, warning)

    def _problem(self, rate: float) -> str | None:
        """Why the data do not support ``rate``, or None."""
        n = self.size
        if self.contaminated:
            if self.trimmed is None:
                return f"{n} held-out scores with anomalies among them are too few to model what is normal"
            if rate < self.trimmed.smallest_rate:
                return f"the model of the trimmed tail serves down to {self.trimmed.smallest_rate:.2g}"
            return None
        rank = conformal_rank(n, rate)
        if rank >= ENOUGH:
            return None
        if self.tail is not None and self.tail.refused is None:
            if rate >= self.tail.smallest_rate:
                return None
            return f"{n} held-out scores and their Pareto tail serve down to {self.tail.smallest_rate:.2g}"
        if rank >= FEWEST:
            return None
        refused = self.tail.refused if self.tail else "too few for a tail"
        return f"{n} held-out scores leave {rank} above the cut, and the tail is refused ({refused})"

    @cached_property
    def smallest_rate(self) -> float | None:
        """The smallest rate that the data support; None where they support none."""
        n = self.size
        if self.contaminated:
            return self.trimmed.smallest_rate if self.trimmed else None
        if self.tail is not None and self.tail.refused is None:
            return self.tail.smallest_rate
        return FEWEST / (n + 1) if n >= 2 * FEWEST else None

    def _at(self, rate: float, asked: float, supported: bool, warning: str | None) -> Threshold:
        """The cut at ``rate`` by the method that carries it."""
        if self.contaminated and self.trimmed is not None:
            return self._model_based(rate, asked, supported, warning)
        enough = conformal_rank(self.size, rate) >= ENOUGH
        if not enough and self.tail is not None and (self.tail.refused is None or rate == asked):
            value = self.tail.threshold(rate)
            intervals = self.tail.rate_interval(value, rate), self.tail.value_interval(rate)
            return Threshold(value, rate, asked, "pareto", *intervals, supported, warning)
        value = conformal_threshold(self._normal, rate)
        interval = self._empirical_interval(value)
        return Threshold(value, rate, asked, "empirical", interval, self._cuts(interval), supported, warning)

    def _insist(self, rate: float, problem: str) -> Threshold:
        """An unsupported rate, since it was asked for or since none is supported."""
        possible = self.smallest_rate
        told = f"the data support {possible:.2g} at least" if possible else "no rate is supported"
        warning = f"the false-alarm rate {rate:g} is not supported: {problem}; {told}"
        modelled = (self.tail if not self.contaminated else self.trimmed) is not None
        if modelled or conformal_rank(self.size, rate) >= 1:
            return self._at(rate, rate, False, warning)
        n = self.size
        warning += f"; the cut is the largest of {n} held-out scores, which stands for {1 / (n + 1):.2g}"
        value = float(self._normal[-1])
        return Threshold(value, 1 / (n + 1), rate, "maximum", self._empirical_interval(value), None, False, warning)

    def _empirical_interval(self, value: float) -> Interval:
        return self.bootstrap.rate_interval(np.nonzero(self.tiles.scores >= value)[0])

    def _cuts(self, interval: Interval) -> Interval:
        """Cuts at the ends of an interval of rates (Woodruff, 1952)."""
        low, high = (self._cut(min(max(rate, 1e-12), 1 - 1e-12)) for rate in reversed(interval))
        return low, high

    def _cut(self, rate: float) -> float:
        rank = conformal_rank(self._normal.size, rate)
        if rank < FEWEST and self.tail is not None:
            return max(self.tail.threshold(rate), float(self._normal[-max(rank, 1)]) if rank else 0.0)
        return conformal_threshold(self._normal, rate) if rank else float(self._normal[-1])

    def _model_based(self, rate: float, asked: float, supported: bool, warning: str | None) -> Threshold:
        tail = self.trimmed
        assert tail is not None
        warning = "; ".join(filter(None, (warning, MODEL_BASED)))
        if rate < tail.share:
            value = tail.threshold(rate)
            return Threshold(
                value, rate, asked, "model-based", tail.rate_interval(value, rate), tail.value_interval(rate), supported, warning
            )  # fmt: skip
        above = rate * tail.normal - (tail.normal - tail.kept)
        value = float(self._normal[-min(max(int(above), 1), self._normal.size)])
        interval = self._empirical_interval(value)
        return Threshold(value, rate, asked, "model-based", interval, None, supported, warning)

    def given(self, value: float) -> Threshold:
        """A cut that the user chose in nats, with the rate that the held-out scores put above it."""
        if not self.size:
            return Threshold(value, None, None, "given", None, None, True, "the model holds no held-out scores")
        rate = float(self.p_values(np.array([np.nextafter(np.float32(value), np.float32(np.inf))]))[0])
        above = np.nonzero(self.tiles.scores > value)[0]
        interval = self.bootstrap.rate_interval(above) if above.size and not self.contaminated else None
        return Threshold(value, rate, None, "given", interval, None, True)

    def p_values(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """P(a normal pixel scores as high), of any shape; NaN where the score is.

        Conformal up to the largest held-out score, so uniform on k / (n + 1) for exchangeable scores; beyond it the
        tail, never above 1 / (n + 1). Where contaminated, ranks count the normal pixels expected above the trim
        quantile too.
        """
        scores = np.asarray(scores, np.float32)  # as the held-out scores are kept, so that ties stay ties
        if self.trimmed is None:
            p = conformal_p_values(self._normal, scores)
            return self._extend(p, scores, self.tail, 1.0 / (self._normal.size + 1))
        hidden = self.trimmed.normal - self.trimmed.kept
        above = self._normal.size - np.searchsorted(self._normal, scores, side="left")
        p = np.where(np.isnan(scores), np.nan, (1.0 + above + hidden) / (self._normal.size + hidden + 1.0))
        return self._extend(p, scores, self.trimmed, (1.0 + hidden) / (self._normal.size + hidden + 1.0))

    def _extend(
        self, p: NDArray[np.float64], scores: NDArray[np.floating], tail: Tail | TrimmedTail | None, last: float
    ) -> NDArray[np.float64]:
        """``p`` with the tail's in place of it beyond the largest score, at most ``last``."""
        beyond = scores > self._normal[-1] if self._normal.size else np.zeros(scores.shape, bool)
        if tail is None or not np.any(beyond):
            return p
        p = np.array(p)
        p[beyond] = np.minimum(tail.survival(scores[beyond]), last)
        return p

    def table(self, rates: Sequence[float] = TABLE_RATES) -> tuple[Threshold, ...]:
        """The cut at each rate, as if it were asked for explicitly; empty without held-out scores."""
        if not self.size:
            return ()
        return tuple(self.threshold(rate, explicit=True) for rate in rates)

    @cached_property
    def _check(self) -> HeldOutCheck:
        if "summary" in self._stored:
            return HeldOutCheck.from_summary(self._stored["summary"]["check"])
        return check_held_out(self.tiles)

    def check(self) -> HeldOutCheck:
        """Asked against realised rates over held-out blocks, files and random halves of the blocks."""
        return self._check

    def survival(self, points: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """For plots, ``(points,)`` each: scores, share of held-out pixels at or above them, and the tail's (NaN below its start).

        The scores are at ranks evenly spaced in the logarithm, then as far again as the tail reaches the smallest
        rate.
        """
        scores = self.ordered.astype(np.float64)
        if not scores.size:
            return np.empty(0), np.empty(0), np.empty(0)
        ranks = np.unique(np.geomspace(1, scores.size, points * 3 // 4).astype(int))
        at = scores[scores.size - ranks][::-1]
        tail = self.trimmed or self.tail
        if tail is not None:
            farthest = tail.threshold(tail.smallest_rate)
            at = np.r_[at, np.linspace(at[-1], max(farthest, at[-1]), points - at.size + 1)[1:]]
        share = (scores.size - np.searchsorted(scores, at, side="left")) / scores.size
        law = np.where(at >= tail.start, tail.survival(at), np.nan) if tail is not None else np.full(at.size, np.nan)
        return at, share, law

    def summary(self) -> dict[str, Any]:
        """The ``calibration`` section of report.json: sizes, tail, and the held-out check."""
        if "summary" in self._stored:
            return dict(self._stored["summary"])
        tail = self.trimmed or self.tail
        return {
            "pixels": self.size,
            "blocks": int(self.tiles.blocks.max()) + 1 if self.size else 0,
            "sources": list(self.tiles.sources),
            "contaminated": self.contaminated,
            "trim": self.trim,
            "smallest_rate": self.smallest_rate,
            "tail": tail.summary() if tail else None,
            "check": self.check().summary(),
        }

    def prepare(self) -> None:
        """Compute what reports ask for, so that :meth:`to_json` carries it and loading computes nothing."""
        if self.size:
            self.threshold(DEFAULT_RATE)
            self.table()
        self._stored["summary"] = self.summary()

    def to_json(self) -> dict[str, Any]:
        """What a model keeps beside the tiles: see ``stored``."""
        self.prepare()
        kept = [{**t.summary(), "explicit": explicit} for (_, explicit), t in sorted(self._thresholds.items())]
        summary = {k: v for k, v in self._stored["summary"].items() if k != "sources"}
        return {"contaminated": self.contaminated, "trim": self.trim, "thresholds": kept, "summary": summary}

    @classmethod
    def from_json(cls, tiles: CalibrationTiles, told: Mapping[str, Any]) -> Calibration:
        """The inverse of :meth:`to_json`; raises ModelError where it is none."""
        try:
            stored = {**told, "summary": {**told["summary"], "sources": list(tiles.sources)}}
            return cls(tiles, bool(told["contaminated"]), float(told["trim"]), stored)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the model's calibration cannot be read ({error}); refit or calibrate it anew") from error
