"""The part of the page about the real place: what was confirmed, drawn and looked at, and what was missed."""

from __future__ import annotations

import csv
from importlib import resources
from pathlib import Path
from typing import Any

from specvae.alerts.night_effect import LEVELS
from specvae.benchmarks.report import Report, table
from specvae.benchmarks.watch.real_picture import PICTURE
from specvae.benchmarks.watch.real_place import RATE, RealPlace

__all__ = ["add_real_place"]

NEAR, SHOWN = 1, 12
"""Pixels within which a place that was looked at is the alert's, and patches in the table."""
ALERT_COLUMNS = [
    "alert",
    "status",
    "row, col",
    "first seen",
    "confirmed",
    "odd of clear looks",
    "pixels",
    "evidence, nats",
]
ALERT_COLUMNS += ["lost vegetation", "by eye"]
PATCH_COLUMNS = ["row, col", "pixels", "confirmed", "status", "median score before, nats", "after"]
INTRODUCTION = (
    "140 x 169 pixels of 20 m, 2016 to 2020. The masks that the scenes come with miss many clouds and shadows; a rule of a few "
    "lines (`clouds.py`) masks these too, in the fit and in all scores. The model is fitted on all dates until the end of 2018, "
    "so that it has seen no pixel of what came later, and the place is watched with no option."
)
LOSS = (
    "Beside it, a reference that neither the model nor the watch has seen: patches of at least three pixels whose median NDVI "
    "was above .45 until 2018 and has fallen by .2 or more since, beyond the place's median. They are fields that were cleared "
    "or went bare."
)
MISSED = (
    "What is missed looks like a field that was there before: the model has seen such fields and finds the new ones no stranger "
    "than a few in a hundred normal pixels, and an alert has to be unknown to the model as well as new at its place. A watch sees "
    "what a place has not shown before, not the change from one known kind of ground into another."
)


def add_real_place(report: Report, out: Path, place: RealPlace) -> None:
    """Add the section about the real place, whose picture is in ``out``."""
    sure = [alert for alert in place.alerts if alert["confirmed_on"] is not None]
    report.section(f"The Rufiji delta, {place.dates} dates").text(INTRODUCTION)
    levels = ", ".join(f"{share:.2g} at most {level:g}" for level, share in zip(LEVELS, place.realised, strict=True))
    report.text(
        f"Fitted on {place.fitted} dates; left out as do-not-use: {', '.join(place.left_out) or 'none'}. At {RATE:g} false alerts "
        f"a year, {len(sure)} of {len(place.alerts)} alerts are confirmed, where {place.needed:.1f} nats confirm. p-values at "
        f"ground without an alert, shares of looks: {levels}."
    )
    if place.alerts:
        report.figure(out / f"{PICTURE}.png", "Each alert, outlined in red, in true colour; pink is missing.")
        report.text(table(ALERT_COLUMNS, [_alert(each) for each in place.alerts]))
    report.text(LOSS)
    sizes = sum(patch["pixels"] for patch in place.patches)
    report.text(
        f"{len(place.patches)} patches of {sizes} pixels; {sum(p['confirmed'] > 0 for p in place.patches)} of them are confirmed. "
        f"Of {place.confirmed_pixels} confirmed pixels {place.confirmed_on_loss} are on one or beside it."
    )
    report.text(table(PATCH_COLUMNS, [_patch(each) for each in place.patches[:SHOWN]]))
    report.text(MISSED)


def _alert(alert: dict[str, Any]) -> list[Any]:
    """One row of the table of alerts."""
    return [
        alert["id"],
        alert["status"],
        f"{alert['row']}, {alert['col']}",
        alert["first_seen"],
        alert["confirmed_on"] or "",
        f"{alert['anomalous_looks']} of {alert['looks']}",
        alert["pixels"],
        f"{alert['evidence']:.1f}",
        "yes" if alert["on_loss"] else "no",
        _by_eye(alert),
    ]


def _patch(patch: dict[str, Any]) -> list[Any]:
    """One row of the table of patches."""
    nats = [f"{patch[name]:.0f}" for name in ("nats_before", "nats_after")]
    return [f"{patch['row']}, {patch['col']}", patch["pixels"], patch["confirmed"], patch["status"], *nats]


def _by_eye(alert: dict[str, Any]) -> str:
    """What a person saw at the alert's place, of ``by_eye.csv``."""
    text = resources.files(__package__ or "").joinpath("by_eye.csv").read_text(encoding="utf-8")
    for line in csv.DictReader(text.splitlines()):
        if max(abs(int(line["row"]) - alert["row"]), abs(int(line["col"]) - alert["col"])) <= NEAR:
            return line["seen"]
    return "not looked at"
