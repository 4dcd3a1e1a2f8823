"""What the transfer benchmark answers: whether its targets are met, and what the product says of each scene left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from specvae.benchmarks.goals import Goal, goals_table
from specvae.benchmarks.report import table
from specvae.benchmarks.transfer.places import Sensor
from specvae.benchmarks.transfer.trial import ASKED, HERE, REFUSED, Record

__all__ = ["TWENTY", "goals_of", "mean_of", "records_of", "verdicts_of"]

TWENTY = 0.2
"""The fill at which the share found is reported."""


def mean_of(records: Iterable[Record], figure: str) -> float | None:
    """Mean of a figure over the records that have it; None where none has."""
    values = [value for r in records if (value := getattr(r, figure)) is not None]
    return fmean(values) if values else None


def records_of(records: Iterable[Record], sensor: str, method: str) -> list[Record]:
    """The records of one method on one sensor."""
    return [r for r in records if (r.sensor, r.method) == (sensor, method)]


def goals_of(planted: Sequence[Record], sensors: Sequence[Sensor]) -> str:
    """On each sensor the score, fitted elsewhere, is to be above RX that was fitted on the scene itself."""
    goals = []
    for figure, what, chosen in (
        ("auroc", "mean AUROC", planted),
        ("found", f"found of {TWENTY:.0%} fill at {ASKED:g}", [r for r in planted if r.fill == TWENTY]),
    ):
        for sensor in sensors:
            ours, theirs = (
                mean_of(records_of(chosen, sensor.name, method), figure) for method in ("specvae", "rx-here")
            )
            goals.append(Goal(f"{sensor.name}: {what}", theirs or 0.0, None, ours or 0.0, above=True))
    return (
        "What is asked of the score, fitted on other scenes: to be above RX that is fitted on the scene itself, targets and all. "
        "What was tried for each miss stands at the end of this page, with its figures.\n\n" + goals_table(goals)
    )


def verdicts_of(planted: Sequence[Record], truths: Sequence[Record]) -> str:
    """The verdict on each scene by the model of the others, and what a fit on the scene itself makes of it where that is bad."""
    body: list[list[object]] = []
    for sensor, place in dict.fromkeys((r.sensor, r.place) for r in (*planted, *truths)):
        here = [r for r in (*planted, *truths) if (r.sensor, r.place) == (sensor, place)]
        seen = dict.fromkeys(r.verdict for r in here)
        first = [r for r in here if r.seed == 0 and r.fill is not None]
        areas = [mean_of((r for r in first if r.method == m), "auroc") for m in ("specvae", "rx-here", HERE)]
        body.append([f"{sensor}: {place}", ", ".join(seen), here[0].reason, *areas])
    refused = sum(REFUSED in str(line[1]) for line in body)
    introduction = (
        "`specvae score` gives each scene a verdict, whatever its map shows. By the models of the other scenes "
        f"{refused} of {len(body)} are {REFUSED}: such a scene is not what the model was fitted on, and its scores rank its ground "
        "more than what lies on it. The product asks for a fit on such ground then: the last column is the score of a model that "
        "was fitted on the scene itself, targets and all, as RX beside it is (first seed, AUROC of what was planted)."
    )
    heads = ["", "verdict", "first reason", "specvae, elsewhere", "RX, on itself", "specvae, on itself"]
    return introduction + "\n\n" + table(heads, body)
