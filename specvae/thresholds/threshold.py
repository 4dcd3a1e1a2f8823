"""A threshold: the cut in nats, the false-alarm rate it stands for, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Interval", "Threshold"]

Interval = tuple[float, float]


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
    """Share of normal pixels above ``value`` that it stands for; None where a user gave nats and there is no calibration."""
    asked_rate: float | None
    """The rate that was asked for; None where a user gave nats."""
    method: str
    """``empirical``, ``pareto``, ``model-based`` (contaminated), ``maximum`` (all there is) or ``given`` (in nats)."""
    interval: Interval | None
    """90 % interval of the realised rate at ``value``, from resampled blocks; None where nothing tells."""
    value_interval: Interval | None
    """90 % interval of the cut itself, nats."""
    supported: bool
    """Whether the calibration data carry the rate that was asked for."""
    warning: str | None = None

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
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
    def from_summary(cls, summary: dict[str, Any]) -> Threshold:
        """The inverse of :meth:`summary`."""
        pairs = {key: tuple(summary[key]) if summary[key] else None for key in ("interval", "value_interval")}
        return cls(**{**summary, **pairs})
