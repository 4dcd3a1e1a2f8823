"""A calibration: from held-out scores to thresholds, p-values, their intervals and their check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NotRequired, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from specvae.errors import ModelError
from specvae.thresholds.check import CheckSummary, HeldOutCheck, check_held_out
from specvae.thresholds.conformal import conformal_rank, conformal_threshold
from specvae.thresholds.normal_law import FEWEST, LARGEST_DEFAULT, NormalLaw
from specvae.thresholds.survival_curve import SurvivalCurve, survival_curve
from specvae.thresholds.tail import TailSummary
from specvae.thresholds.threshold import NOTHING, Interval, Threshold, ThresholdSummary
from specvae.thresholds.tiles import CalibrationTiles
from specvae.thresholds.trimmed_tail import TrimmedTail, TrimmedTailSummary

__all__ = ["DEFAULT_RATE", "TABLE_RATES", "Calibration", "CalibrationSummary", "StoredCalibration"]

DEFAULT_RATE = 1e-3
"""The false-alarm rate of a threshold that nobody asked another of."""
TABLE_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""The false-alarm rates of ``thresholds.csv``."""


class CalibrationSummary(TypedDict):
    """The ``calibration`` section of report.json."""

    pixels: int
    blocks: int
    sources: NotRequired[list[str]]
    """Left out of model files, where the tiles have them."""
    contaminated: bool
    trim: float
    smallest_rate: float | None
    tail: TailSummary | TrimmedTailSummary | None
    check: CheckSummary


class StoredThreshold(ThresholdSummary):
    """A threshold in a model file."""

    explicit: bool
    """Whether it was computed as a rate asked for explicitly."""


class StoredCalibration(TypedDict):
    """What a model file holds of a calibration beside its tiles, so that loading computes nothing."""

    contaminated: bool
    trim: float
    thresholds: list[StoredThreshold]
    summary: CalibrationSummary


class Calibration:
    """Thresholds, p-values and their trustworthiness from :class:`CalibrationTiles`; everything is computed when asked.

    ``contaminated`` says that the tiles hold anomalies (``find_contamination``): then what lies above the quantile
    1 - ``trim`` is not used, and every threshold is model-based. ``stored`` is an earlier :meth:`to_json`: what it
    holds is not computed again.

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
        stored: StoredCalibration | None = None,
    ) -> None:
        self.law = NormalLaw(tiles, contaminated, trim, stored["summary"]["tail"] if stored else None)
        self._summary = stored["summary"] if stored else None
        self._thresholds: dict[tuple[float, bool], Threshold] = {}
        for summary in stored["thresholds"] if stored else ():
            threshold = Threshold.from_summary(summary)
            if threshold.asked_rate is not None:
                self._thresholds[threshold.asked_rate, bool(summary["explicit"])] = threshold

    @property
    def tiles(self) -> CalibrationTiles:
        """The held-out scores with their sources and blocks."""
        return self.law.tiles

    @property
    def contaminated(self) -> bool:
        """Whether the tiles hold anomalies."""
        return self.law.contaminated

    @property
    def ordered(self) -> NDArray[np.float32]:
        """``(n,)``: all held-out scores, ascending."""
        return self.law.ordered

    @property
    def size(self) -> int:
        """Number of held-out pixels."""
        return self.law.size

    @property
    def smallest_rate(self) -> float | None:
        """The smallest false-alarm rate that the data support; None where they support none."""
        return self.law.smallest_rate

    def threshold(self, rate: float = DEFAULT_RATE, explicit: bool = False) -> Threshold:
        """The cut for a false-alarm rate.

        An unsupported rate becomes the nearest supported one, with a warning; where ``explicit``, it is given as
        asked, with a warning. Raises ModelError where there are no held-out scores, ValueError for a rate outside
        (0, 1).
        """
        if not 0 < rate < 1:
            raise ValueError(f"a false-alarm rate lies between 0 and 1, got {rate}")
        # An unsupported rate has another cut when it is asked for explicitly, so the two are remembered apart.
        key = (float(rate), explicit)
        if key not in self._thresholds:
            self._thresholds[key] = self._find(float(rate), explicit)
        return self._thresholds[key]

    def _find(self, rate: float, explicit: bool) -> Threshold:
        """The threshold of a rate that was not computed before."""
        if self.size == 0:
            raise ModelError(
                "the model holds no held-out scores; give --threshold in nats, or calibrate it on normal data"
            )
        problem = self.law.problem(rate)
        if problem is None:
            return self._at(rate, rate, True, None)
        nearest = self.smallest_rate
        if explicit:
            return self._unsupported(rate, problem)
        if nearest is None:
            warning = f"{problem}; {self._missing()}: nothing is flagged; give a rate or a cut to flag all the same"
            return Threshold(NOTHING, None, rate, "none", None, None, False, warning)
        warning = f"the default false-alarm rate {rate:g} is not supported: {problem}; {nearest:.2g} is used instead"
        return self._at(nearest, rate, False, warning)

    def _at(self, rate: float, asked: float, supported: bool, warning: str | None) -> Threshold:
        """The cut at ``rate`` by the method that carries it.

        With 30 pixels above it a cut is a rank, which needs no law; with fewer, the tail's. Of a tail that was refused, 5
        pixels are enough for a rank.
        """
        if self.law.trimmed is not None:
            return self._model_based(self.law.trimmed, rate, asked, supported, warning)
        value, tail = self.law.cut(rate), self.law.tail
        if tail is not None and conformal_rank(self.size, rate) < self.law.ranked:
            intervals = tail.rate_interval(value, rate), tail.value_interval(rate)
            return Threshold(value, rate, asked, "pareto", *intervals, supported, warning)
        interval = self._empirical_interval(value)
        return Threshold(value, rate, asked, "empirical", interval, self._cuts(interval), supported, warning)

    def _missing(self) -> str:
        """What a default rate would need, in words."""
        if self.law.contaminated:
            return "fit or calibrate on clean normal data"
        needed = round(FEWEST / LARGEST_DEFAULT) - 1
        return (
            f"{needed} held-out normal pixels or rows are needed for {LARGEST_DEFAULT:.0%}, the model has {self.size}"
        )

    def _unsupported(self, rate: float, problem: str) -> Threshold:
        """The cut at a rate that is not supported, since it was asked for or since none is."""
        possible = self.smallest_rate
        support = f"the data support {possible:.2g} at least" if possible else "no rate is supported"
        warning = f"the false-alarm rate {rate:g} is not supported: {problem}; {support}"
        modelled = (self.law.tail if not self.law.contaminated else self.law.trimmed) is not None
        if modelled or conformal_rank(self.size, rate) >= 1:
            return self._at(rate, rate, False, warning)
        n = self.size
        warning += f"; the cut is the largest of {n} held-out scores, which stands for {1 / (n + 1):.2g}"
        value = float(self.law.normal[-1])
        return Threshold(value, 1 / (n + 1), rate, "maximum", self._empirical_interval(value), None, False, warning)

    def _empirical_interval(self, value: float) -> Interval:
        """90 % interval of the rate at a cut that is a held-out score."""
        return self.law.bootstrap.rate_interval(np.nonzero(self.tiles.scores >= value)[0])

    def _cuts(self, interval: Interval) -> Interval:
        """Cuts at the ends of an interval of rates, which is an interval of the cut (Woodruff, 1952)."""
        # The higher rate has the lower cut. An end of 0 or 1 has no rank, so both stay off them by less than any rank.
        low, high = (self._cut(min(max(rate, 1e-12), 1 - 1e-12)) for rate in reversed(interval))
        return low, high

    def _cut(self, rate: float) -> float:
        """The cut at ``rate``, by the tail where under 10 held-out scores lie above it."""
        rank = conformal_rank(self.law.normal.size, rate)
        if rank < FEWEST and self.law.tail is not None:
            # A fitted tail may pass below the very scores it was fitted to; a cut does not go below that of its rank.
            return max(self.law.tail.threshold(rate), float(self.law.normal[-max(rank, 1)]) if rank else 0.0)
        return conformal_threshold(self.law.normal, rate) if rank else float(self.law.normal[-1])

    def _model_based(
        self, tail: TrimmedTail, rate: float, asked: float, supported: bool, warning: str | None
    ) -> Threshold:
        """The cut of contaminated data: the tail's, and below its start a rank that counts hidden normal pixels too."""
        value = self.law.cut(rate)
        if rate < tail.share:
            intervals = tail.rate_interval(value, rate), tail.value_interval(rate)
            return Threshold(value, rate, asked, "model-based", *intervals, supported, warning)
        interval = self._empirical_interval(value)
        return Threshold(value, rate, asked, "model-based", interval, None, supported, warning)

    def given(self, value: float) -> Threshold:
        """A cut that the user chose in nats, with the rate that the held-out scores put above it."""
        if not self.size:
            return Threshold(value, None, None, "given", None, None, True, "the model holds no held-out scores")
        # A pixel is anomalous above the cut, so that the rate is the p-value of the next larger score.
        rate = float(self.p_values(np.array([np.nextafter(np.float32(value), np.float32(np.inf))]))[0])
        above = np.nonzero(self.tiles.scores > value)[0]
        # In contaminated data, part of what lies above the cut is anomalous: its share is no false-alarm rate.
        interval = self.law.bootstrap.rate_interval(above) if above.size and not self.law.contaminated else None
        return Threshold(value, rate, None, "given", interval, None, True)

    def p_values(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """P(a normal pixel scores as high), of any shape; NaN where the score is. See :class:`PixelPValues`."""
        return self.law.p_values.of(scores)

    def table(self, rates: Sequence[float] = TABLE_RATES) -> tuple[Threshold, ...]:
        """The cut at each rate, as if it were asked for explicitly; empty without held-out scores."""
        if not self.size:
            return ()
        return tuple(self.threshold(rate, explicit=True) for rate in rates)

    def check(self) -> HeldOutCheck:
        """Rates asked of some held-out blocks, files or halves of the blocks against those realised in the others."""
        return self._check

    @cached_property
    def _check(self) -> HeldOutCheck:
        """The check as a model file holds it, else computed."""
        return HeldOutCheck.from_summary(self._summary["check"]) if self._summary else check_held_out(self.tiles)

    def survival(self, points: int = 200) -> SurvivalCurve:
        """The survival curve of all held-out scores with the law of their tail, for plots."""
        return survival_curve(self.ordered, self.law.trimmed or self.law.tail_law, points)

    def summary(self) -> CalibrationSummary:
        """Sizes, tail and held-out check as JSON values."""
        if self._summary is not None:
            return self._summary.copy()
        tail = self.law.trimmed or self.law.tail
        return {
            "pixels": self.size,
            "blocks": int(self.tiles.blocks.max()) + 1 if self.size else 0,
            "sources": list(self.tiles.sources),
            "contaminated": self.law.contaminated,
            "trim": self.law.trim,
            "smallest_rate": self.smallest_rate,
            "tail": tail.summary() if tail else None,
            "check": self.check().summary(),
        }

    def prepare(self) -> None:
        """Compute what reports ask for, so that :meth:`to_json` carries it and loading computes nothing."""
        if self.size:
            self.threshold(DEFAULT_RATE)
            self.table()
        self._summary = self.summary()

    def to_json(self) -> StoredCalibration:
        """What a model file holds beside the tiles: see ``stored``. The sources are the tiles'."""
        self.prepare()
        stored: list[StoredThreshold] = [
            {**threshold.summary(), "explicit": explicit}
            for (_, explicit), threshold in sorted(self._thresholds.items())
        ]
        summary = self.summary()
        del summary["sources"]
        return {"contaminated": self.law.contaminated, "trim": self.law.trim, "thresholds": stored, "summary": summary}

    @classmethod
    def from_json(cls, tiles: CalibrationTiles, stored: Mapping[str, Any]) -> Calibration:
        """The inverse of :meth:`to_json`; raises ModelError where it is none."""
        try:
            summary = {**stored["summary"], "sources": list(tiles.sources)}
            complete: StoredCalibration = {
                "contaminated": bool(stored["contaminated"]),
                "trim": float(stored["trim"]),
                "thresholds": list(stored["thresholds"]),
                "summary": cast("CalibrationSummary", summary),
            }
            return cls(tiles, complete["contaminated"], complete["trim"], complete)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the model's calibration cannot be read ({error}); refit or calibrate it anew") from error
