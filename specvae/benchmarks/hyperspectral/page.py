"""The rows and the page of the hyperspectral benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.goals import Goal, goals_table
from specvae.benchmarks.hyperspectral.contexts import FIRE_METHOD, Contexts, context_section
from specvae.benchmarks.hyperspectral.curves import areas_table, curves_figure, objects_table
from specvae.benchmarks.hyperspectral.data import MatScene
from specvae.benchmarks.hyperspectral.published import PUBLISHED
from specvae.benchmarks.hyperspectral.trial import Baseline, Result
from specvae.benchmarks.report import Environment, Report, Row, pivot, pyplot, table, tried, write_figure
from specvae.scoring.gathered.metrics import auroc, average_precision

__all__ = ["Shown", "rows_of", "tried_table", "write_page"]

OURS = ("specvae", "specvae-pooled")
"""The methods of the product: the score and the evidence."""
LEAST_SHOWN = 1e-3
"""Scores below this are drawn alike in the logarithmic map."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One scene of the page."""

    scene: MatScene
    results: Sequence[Result]
    """The product's maps, a result a seed."""
    rx: NDArray[np.float32]
    """RX's map ``(rows, cols)``."""


def rows_of(scene: MatScene, results: Sequence[Result], baselines: Mapping[str, Baseline]) -> list[Row]:
    """The rows of ``metrics.json`` for one scene; a metric that is not defined there has none."""
    seconds = float(np.mean([r.fit_seconds + r.score_seconds for r in results]))
    methods = {name: ([r.maps[name] for r in results], seconds) for name in results[0].maps}
    methods |= {name: ([baseline.score], baseline.seconds) for name, baseline in baselines.items()}
    rows = []
    for name, (maps, spent) in methods.items():
        for metric, measure in (("auroc", auroc), ("average_precision", average_precision)):
            value = _mean(measure, maps, scene.truth)
            if value is not None:
                rows.append(Row(scene.name, name, metric, value, len(maps), spent))
    return rows


def _mean(
    measure: Callable[[NDArray[np.floating], NDArray[np.bool_]], float | None],
    maps: Sequence[NDArray[np.float32]],
    truth: NDArray[np.bool_],
) -> float | None:
    """Mean of a metric over the seeds' maps, valid pixels only; None where it is not defined."""
    # A pixel without a score cannot be ranked, and has no part in the metric.
    values = [measure(m[np.isfinite(m)], truth[np.isfinite(m)]) for m in maps]
    return None if any(v is None for v in values) else float(np.mean([v for v in values if v is not None]))


def write_page(
    out: Path, rows: list[Row], results: list[Shown], contexts: Contexts | None, made_with: Environment
) -> None:
    """Write ``report.md`` and its figures into ``out``."""
    names = {shown.scene.name for shown in results}
    published = {m: {k: v for k, v in values.items() if k in names} for m, values in PUBLISHED.items()}
    report = Report("Hyperspectral anomaly detection")
    report.text(
        "Each scene is fitted on itself without its map, with one default setting, and scored; the map is read by the metric "
        "alone. It is fitted as `specvae fit` does: all blocks train, and the models of the folds, which make the cut, are in the "
        "seconds. "
        f"Mean of {made_with['seeds']} seeds. `specvae` is the score, `specvae-pooled` the evidence; RX, PCA "
        "residual and isolation forest are run here on the same pixels."
    )
    report.section("Asked and reached").text(_goals(rows, results, contexts))
    report.section("AUROC").text(pivot(rows, "auroc", {m: v for m, v in published.items() if v}))
    report.section("Average precision").text(pivot(rows, "average_precision"))
    report.section("Each seed: AUROC of score and evidence, processor seconds of fit and score").text(_seeds(results))
    report.section("Diagnostics, first seed").text(_diagnostics(results))
    _curves(report, results, out)
    report.section("Maps").figure(_figure(results, out), "Log score, evidence and RX beside the truth, first seed")
    report.section("With context and without").text(context_section(contexts))
    report.section("What was tried").text(tried_table())
    report.made_with(made_with).write(out)


def _curves(report: Report, results: list[Shown], out: Path) -> None:
    """Add ROC and precision, objects and Chang's areas of the first seed."""
    scenes, maps = [shown.scene for shown in results], [dict(r.results[0].maps) | {"rx": r.rx} for r in results]
    report.section("Curves, first seed").figure(
        write_figure(out, "curves", curves_figure(scenes, maps)), "ROC and precision"
    )
    report.section("Objects, first seed").text(
        "How many of a scene's true objects a flagged pixel lies in, and in brackets how many flagged objects touch none, at cuts "
        "that so many of the scene's own normal pixels pass."
    )
    report.text(objects_table(scenes, maps))
    report.section("Chang's 3-D ROC areas of log(1 + score), first seed").text(
        "They depend on how a score is scaled, which AUC(D,F) does not: compare them only between scores scaled alike."
    )
    report.text(areas_table(scenes, maps))


def tried_table() -> str:
    """Markdown of ``tried.csv``: AUROC by scene and its mean, of the score or the evidence, one seed unless said."""
    introduction = (
        "Ideas tried on the nine scenes while the default was sought: AUROC, one seed a scene unless the line says more, "
        "no label used in any fit. Scenes: A1, A3 airports, B2, B3 beaches, U2, U3, U4 urban, HY HYDICE, SD San Diego. "
        "The lines stand in the order of the work, each idea beside the default of its day, evidence by the pooling of its day."
    )
    return introduction + "\n\n" + tried("specvae.benchmarks.hyperspectral")


def _goals(rows: list[Row], results: list[Shown], contexts: Contexts | None) -> str:
    """What is asked of the default on the nine scenes at hand and on the fire, and what this run reached."""
    areas = {(r.dataset, r.method): r.value for r in rows if r.metric == "auroc"}
    score, pooled = (_mean_of(rows, method, "auroc") for method in OURS)
    precision = max(_mean_of(rows, method, "average_precision") for method in OURS)
    below = {name: areas[name, "rx"] - areas[name, OURS[0]] for name, _ in areas}
    worst = max(below, key=lambda name: below[name])
    seconds = max(fmean(r.processor_seconds for r in shown.results) for shown in results)
    goals = [
        Goal("mean AUROC of the score", 0.985, 0.990, score),
        Goal("mean AUROC of the evidence", 0.990, 0.993, pooled),
        Goal("mean average precision, the better of the two", 0.58, 0.65, precision),
        Goal(
            f"AUROC of the score below RX where it is furthest below ({worst})",
            0.003,
            0.0,
            max(0.0, below[worst]),
            most=True,
        ),
        Goal("processor seconds of fit and score, slowest scene", 8, 4, seconds, most=True, digits=1),
    ]
    if contexts is not None and contexts.fire:
        goals.append(Goal("AUROC on Cold Springs, one date", 0.970, 0.975, contexts.fire[FIRE_METHOD][0]))
    return (
        "What is asked of one default, without labels or settings by scene, as means over the seeds. What was tried for each miss "
        "stands at the end of this page, with its figures.\n\n" + goals_table(goals)
    )


def _mean_of(rows: list[Row], method: str, metric: str) -> float:
    return fmean(r.value for r in rows if (r.method, r.metric) == (method, metric))


def _seeds(results: list[Shown]) -> str:
    seeds = range(len(results[0].results))
    body: list[list[object]] = []
    for shown in results:
        truth = shown.scene.truth.ravel()
        areas = [auroc(r.maps[m].ravel(), truth) for m in ("specvae", "specvae-pooled") for r in shown.results]
        body.append([shown.scene.name, *areas, *(f"{r.processor_seconds:.1f}" for r in shown.results)])
    heads = [f"{what} {seed}" for what in ("score", "evidence", "seconds") for seed in seeds]
    return table(["", *heads], body)


def _diagnostics(results: list[Shown]) -> str:
    body: list[list[object]] = []
    for shown in results:
        fit = shown.results[0].diagnostics
        warnings = "; ".join(fit["warnings"]) or "none"
        line = [fit["active_latent"], fit["latent"], f"{fit['kl_share']:.2f}", warnings]
        body.append([shown.scene.name, len(shown.scene.values), *line])
    return table(["", "bands", "active latent", "of", "share of KL", "warnings"], body)


def _figure(results: list[Shown], out: Path) -> Path:
    """A line a scene: in colours, the truth, and the maps of score, evidence and RX."""
    figure, axes = pyplot().subplots(len(results), 5, figsize=(11, 2.15 * len(results)), squeeze=False)
    for line, shown in zip(axes, results, strict=True):
        scene, maps = shown.scene, shown.results[0].maps
        # Scores have no upper end: without a logarithm one bright target leaves all else black.
        score, evidence = np.log(np.maximum(maps["specvae"], LEAST_SHOWN)), maps["specvae-pooled"]
        pictures = [_colours(scene.values), scene.truth, score, evidence, np.log1p(shown.rx)]
        titles = [scene.name, "truth", "log score", "evidence", "log RX"]
        for axis, picture, title in zip(line, pictures, titles, strict=True):
            axis.imshow(picture, cmap="gray" if title == "truth" else "magma", interpolation="nearest")
            axis.set_title(title, fontsize=8)
            axis.set_axis_off()
    figure.tight_layout()
    return write_figure(out, "maps", figure)


def _colours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(rows, cols, 3)`` in 0..1: three bands of the first quarter of the spectrum, stretched over 2 to 98 %.

    These scenes carry no wavelengths; their sensors begin at 400 nm and end at 2,500 nm, so that red, green and blue lie
    at about these shares of the bands.
    """
    picks = [int(share * (len(values) - 1)) for share in (0.14, 0.09, 0.04)]
    rgb = np.moveaxis(values[picks], 0, 2)
    low, high = np.nanpercentile(rgb, (2, 98), axis=(0, 1))
    return np.asarray(np.clip((rgb - low) / np.maximum(high - low, 1e-9), 0, 1), np.float32)
