"""A threshold: the cut in nats, the false-alarm rate it stands for, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

__all__ = ["NOTHING", "Interval", "Threshold", "ThresholdSummary"]

NOTHING = 3.4028234663852886e38
"""The cut, nats, above which no score of float32 lies: where no default rate is supported, nothing is flagged."""

Interval = tuple[float, float]


class ThresholdSummary(TypedDict):
    """A threshold as JSON values; the fields of :class:`Threshold` say what each is."""

    value: float
    false_alarm_rate: float | None
    asked_rate: float | None
    method: str
    interval: list[float] | None
    value_interval: list[float] | None
    supported: bool
    warning: str | None


@dataclass(frozen=True)
class Threshold:
    """A cut: pixels whose score is above ``value`` are anomalous.

    Examples
    --------
    >>> cut = Threshold(31.5, 1e-3, 1e-3, "empirical", (0.0008, 0.0013), (30.9, 32.4), supported=True)
    >>> Threshold.from_summary(cut.summary()) == cut
    True
    """

    value: float
    """Nats."""
    false_alarm_rate: float | None
    """Share of normal pixels above ``value`` that it stands for; None where a user gave nats without a calibration, or
    where nothing is flagged."""
    asked_rate: float | None
    """The rate that was asked for; None where a user gave nats."""
    method: str
    """``empirical``, ``pareto``, ``model-based`` (contaminated), ``maximum`` (all there is), ``none`` (nothing is
    flagged, as no default rate is supported) or ``given`` (in nats)."""
    interval: Interval | None
    """90 % interval of the realised rate at ``value``, from resampled blocks; None where there are no data for it."""
    value_interval: Interval | None
    """90 % interval of the cut itself, nats."""
    supported: bool
    """Whether the calibration data carry the rate that was asked for."""
    warning: str | None = None
    """What a reader must know of the cut, in words."""

    @property
    def words(self) -> str:
        """The cut, the rate that it stands for and its interval.

        Examples
        --------
        >>> Threshold(31.5, 1e-3, 1e-3, "empirical", (0.0008, 0.0013), None, supported=True).words
        '31.5 nats: a false-alarm rate of 0.001 (90 %: 0.0008 to 0.0013)'
        """
        if self.false_alarm_rate is None:
            return (
                f"{self.value:.4g} nats, behind which no rate stands" if self.value < NOTHING else "nothing is flagged"
            )
        between = f" (90 %: {self.interval[0]:.2g} to {self.interval[1]:.2g})" if self.interval else ""
        return f"{self.value:.4g} nats: a false-alarm rate of {self.false_alarm_rate:.2g}{between}"

    def summary(self) -> ThresholdSummary:
        """The threshold as JSON values."""
        return {
            "value": self.value,
            "false_alarm_rate": self.false_alarm_rate,
            "asked_rate": self.asked_rate,
            "method": self.method,
            "interval": list(self.interval) if self.interval else None,
            "value_interval": list(self.value_interval) if self.value_interval else None,
            "supported": self.supported,
            "warning": self.warning,
        }

    @classmethod
    def from_summary(cls, summary: ThresholdSummary) -> Threshold:
        """The inverse of :meth:`summary`; raises KeyError or TypeError where it is none."""
        return cls(
            summary["value"],
            summary["false_alarm_rate"],
            summary["asked_rate"],
            summary["method"],
            _interval(summary["interval"]),
            _interval(summary["value_interval"]),
            summary["supported"],
            summary["warning"],
        )


def _interval(ends: list[float] | None) -> Interval | None:
    """An interval from its JSON value."""
    return (ends[0], ends[1]) if ends else None
