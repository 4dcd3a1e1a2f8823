"""``alerts.json``: the alerts of a place for programs, what changed since the date before, and the assumption, measured."""

from __future__ import annotations

from typing import Any, TypedDict

from specvae.alerts.night_effect import LEVELS
from specvae.alerts.place import Place
from specvae.export.objects.rows import ObjectRows

__all__ = ["SCHEMA_VERSION", "AlertsJson", "Assumption", "WatchedDates", "alerts_json"]

SCHEMA_VERSION = 1
"""Raised when a key of ``alerts.json`` changes its meaning or goes away."""
STATED = (
    "the looks of one pixel at normal ground are exchangeable: once what a night does to all pixels is taken out, tonight's look "
    "is as likely to be the oddest as any clear look before"
)


class WatchedDates(TypedDict):
    """The dates of a place."""

    newest: str
    """ISO 8601; the state is that after this date."""
    before: str | None
    """The date before, since which changes are listed; None where there is none."""
    count: int
    left_out: list[str]
    """Keys of the dates whose verdict is do-not-use: their looks are no evidence."""
    warped: list[str]
    """Keys of the dates that were warped to the first one's grid."""


class Assumption(TypedDict):
    """The assumption that the rate rests on, and how it came out at ground without an alert."""

    stated: str
    looks: int
    """Looks at ground without an alert that were counted."""
    levels: list[float]
    """p-values."""
    realised: list[float | None]
    """Share of these looks whose p-value by the pixel's own past is at most each level; at most the level where it holds."""


class AlertsJson(TypedDict):
    """What ``alerts.json`` holds; ``alerts.schema.json`` beside this file is its schema."""

    schema_version: int
    place: str
    dates: WatchedDates
    settings: dict[str, Any]
    needed_evidence: float
    """Nats of evidence that confirm at the asked rate."""
    counts: dict[str, int]
    """Open alerts, and those new, confirmed and closed since the date before."""
    new: list[int]
    confirmed: list[int]
    closed: list[int]
    assumption: Assumption
    alerts: list[dict[str, Any]]
    """The rows of ``alerts.gpkg``."""


def alerts_json(
    name: str, place: Place, rows: ObjectRows, dates: WatchedDates, settings: dict[str, Any], needed: float
) -> AlertsJson:
    """The content of ``alerts.json``."""
    registry, survey = place.registry, place.survey
    realised = [count / survey.looks if survey.looks else None for count in survey.at_most]
    changes = {"new": registry.new, "confirmed": registry.confirmed, "closed": registry.closed}
    return {
        "schema_version": SCHEMA_VERSION,
        "place": name,
        "dates": dates,
        "settings": settings,
        "needed_evidence": needed,
        "counts": {"open": len(registry.open)} | {word: len(ids) for word, ids in changes.items()},
        "new": list(registry.new),
        "confirmed": list(registry.confirmed),
        "closed": list(registry.closed),
        "assumption": {"stated": STATED, "looks": survey.looks, "levels": list(LEVELS), "realised": realised},
        "alerts": rows.records(list(rows.columns), len(rows)),
    }
