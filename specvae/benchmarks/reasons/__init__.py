"""Benchmark ``reasons``: whether reasons add up to the score, and the band named first is the one whose return lowers it most."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.reasons.data import INPUTS, Flagged, Input, flagged
from specvae.benchmarks.report import Report, Row, environment, table, tried, write_metrics
from specvae.benchmarks.settings import Settings, data_root
from specvae.errors import InputError
from specvae.export.reasons_in_words import Wording, wording_of
from specvae.model.config_file import load_config

__all__ = ["run"]

PIXELS, OBJECTS = 18, 12
"""Flagged pixels or rows, and objects, of each input."""
QUICK_SETTINGS = ["training.steps=40", "training.refits=0"]
TARGET = 0.9
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Judged:
    """What was measured of the reasons of one input."""

    name: str
    cases: int
    error: float
    """The largest distance of the contributions' sum from the score, over max(1, score)."""
    named: float
    """Share of cases whose first-named band is the one whose return lowers the score most, measured by scoring again."""
    single: float
    """Share of cases in which the return of a single band lowers the score at all."""
    named_single: float
    """The share of named among those."""
    largest: float
    """Share of cases whose first-named band also contributes most."""


def run(settings: Settings) -> Path:
    """Fit, score and judge each input, write ``metrics.json`` and ``report.md``, and return their folder."""
    folder, out = settings.data or data_root(), settings.place("reasons")
    found = [entry for entry in INPUTS if (folder / entry.normal).exists() and (folder / entry.scored).exists()]
    if not found:
        raise InputError(f"{folder} holds none of the benchmark's scenes and tables; give --data")
    config = load_config(None, None, QUICK_SETTINGS if settings.quick else [])
    judged = []
    for entry in found[: 1 if settings.quick else None]:
        judged.append(_judge(entry, flagged(entry, folder, config, PIXELS)))
        settings.progress(f"{entry.name}: {judged[-1].cases} cases, named {judged[-1].named:.3f}")
    made_with = environment(device="cpu")
    names = ("named", "named_single", "single", "largest", "error")
    rows = [Row(j.name, "specvae", name, float(getattr(j, name)), 1, 0.0) for j in judged for name in names]
    write_metrics(out, "reasons", rows, made_with)
    _page(judged).made_with(made_with).write(out)
    return out


def _judge(entry: Input, seen: Flagged) -> Judged:
    """Judge some flagged pixels or rows, and some objects."""
    wording, random = wording_of(seen.detector, rows=seen.context is None), np.random.default_rng(0)
    some = random.permutation(seen.values.shape[1])[:PIXELS]
    around = None if seen.context is None else seen.context[:, some]
    x, why = seen.values[:, some], seen.detector.explain(seen.values[:, some], around)
    fallen = _fallen(seen, x, around, why.expected)
    total = why.contribution.sum(axis=0, dtype=np.float64)
    errors = [float(np.max(np.abs(total - seen.score[some]) / np.maximum(1, seen.score[some])))]
    cases = [
        _case(wording, why.contribution[:, i], why.alone[:, i], x[:, i], why.expected[:, i], fallen[:, i])
        for i in range(len(some))
    ]
    objects = seen.objects
    owned = [i for i in range(0 if objects is None else len(objects)) if (seen.owner == i).any()][:OBJECTS]
    for i in owned:
        assert objects is not None
        at = np.flatnonzero(seen.owner == i)
        context = None if seen.context is None else seen.context[:, at]
        inside = seen.values[:, at]
        measured = _fallen(seen, inside, context, seen.detector.explain(inside, context).expected).sum(axis=1)
        parts = (objects.contribution[:, i], objects.alone[:, i], objects.observed[:, i], objects.foreseen[:, i])
        errors.append(float(abs(parts[0].sum() - objects.score[i]) / max(1.0, objects.score[i])))
        contribution, alone, observed, expected = (part / objects.pixels[i] for part in parts)
        cases.append(_case(wording, contribution, alone, observed, expected, measured))
    named, single, largest = np.array(cases, bool).T
    among = float(named[single].mean()) if single.any() else 1.0
    return Judged(entry.name, len(cases), max(errors), named.mean(), single.mean(), among, largest.mean())


def _fallen(seen: Flagged, x: NDArray[np.float32], around: NDArray[np.float32] | None, e: Floats) -> Floats:
    """``(bands, n)``: by how much each score falls where one band has its expected value, scored anew."""
    scorer = seen.detector.scorer
    before = scorer.score_columns(x, around)[0]
    out = np.zeros(x.shape)
    for band in range(len(x)):
        replaced = x.copy()
        replaced[band] = e[band]
        out[band] = before - scorer.score_columns(replaced, around)[0]
    return out


def _case(wording: Wording, contribution: Floats, alone: Floats, x: Floats, e: Floats, fallen: Floats) -> list[bool]:
    """Whether the first-named band lowers the score most, whether any lowers it, and whether the named contributes most."""
    first = wording.drivers(contribution, alone, x, e)[0].band
    return [first == int(fallen.argmax()), bool(fallen.max() > 0), first == int(contribution.argmax())]


HEAD = (
    *("input", "cases", "error of the sum", "named lowers most", "a single band lowers"),
    *("named, among these", "named contributes most"),
)


def _page(judged: list[Judged]) -> Report:
    """The report."""
    report = Report("Reasons").text(_summary(judged))
    body = []
    for j in judged:
        shares = (j.named, j.single, j.named_single, j.largest)
        body.append([j.name, j.cases, f"{j.error:.1e}", *(f"{share:.3f}" for share in shares)])
    report.section("Figures").text(table(HEAD, body))
    report.section("Tried").text(
        "Share of flagged pixels whose first-named band lowers the score most. Where bands depart together no single return "
        "lowers the score, and the largest contribution is rarely the band whose return does the least harm."
    )
    return report.text(tried(__name__))


def _summary(judged: list[Judged]) -> str:
    """What was done, and the figures of all inputs together."""
    cases = sum(j.cases for j in judged)
    mean = sum(j.named * j.cases for j in judged) / cases
    lowered = max(1e-9, sum(j.single * j.cases for j in judged))
    single = sum(j.named_single * j.single * j.cases for j in judged) / lowered
    return (
        f"{cases} flagged pixels, rows and objects. The contributions of the bands are added and compared with the score; "
        "then each band alone is put back to what was expected and everything is scored again. The band that is named first "
        f"lowers the score most in {mean:.1%} of the cases (target {TARGET:.0%}), and in {single:.1%} of those in which any "
        f"single band lowers it. The largest error of a sum is {max(j.error for j in judged):.1g} (target 1e-5)."
    )
