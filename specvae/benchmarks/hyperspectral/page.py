"""The benchmark's page."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.hyperspectral.contexts import Contexts, context_section
from specvae.benchmarks.hyperspectral.mat_scene import MatScene
from specvae.benchmarks.hyperspectral.published import PUBLISHED
from specvae.benchmarks.hyperspectral.trial import Result
from specvae.benchmarks.hyperspectral.tried import tried_table
from specvae.benchmarks.report import Report, Row, pivot, table, write_figure
from specvae.scoring.gathered.metrics import auroc

__all__ = ["Shown", "page"]


Shown = tuple[MatScene, list[Result], NDArray[np.float32]]
"""A scene, its results by seed, and RX's map."""


def page(rows: list[Row], results: list[Shown], contexts: Contexts | None, out: Path, told: dict[str, Any]) -> Report:
    """The whole page; its figures are written into ``out``."""
    names = {scene.name for scene, _, _ in results}
    shown = {m: {k: v for k, v in values.items() if k in names} for m, values in PUBLISHED.items()}
    report = Report("Hyperspectral anomaly detection")
    report.text(
        "Each scene is fitted on itself without its map, with one default setting, and scored; the map is read by the "
        f"metric alone. Mean of {told['seeds']} seeds. `specvae` is the score, `specvae-pooled` the evidence; RX, PCA "
        "residual and isolation forest are run here on the same pixels."
    )
    report.section("AUROC").text(pivot(rows, "auroc", {m: v for m, v in shown.items() if v}))
    report.text(_targets(rows, results))
    report.section("Average precision").text(pivot(rows, "average_precision"))
    report.section("Each seed: AUROC of score and evidence, processor seconds of fit and score").text(_seeds(results))
    report.section("Diagnostics, first seed").text(_diagnostics(results))
    report.section("Maps").figure(_figure(results, out), "Log score, evidence and RX beside the truth, first seed")
    report.section("With context and without").text(context_section(contexts))
    report.section("What was tried").text(tried_table())
    return report.made_with(told)


def _targets(rows: list[Row], results: list[Shown]) -> str:
    """What this project asked of itself, and whether it is met here."""
    found = {(r.dataset, r.method): r.value for r in rows if r.metric == "auroc"}
    means = {m: fmean(v for (_, method), v in found.items() if method == m) for m in ("specvae", "specvae-pooled")}
    below = {name: found[name, "rx"] - found[name, "specvae"] for name, _ in found}
    worst = max(below, key=lambda name: below[name])
    seconds = max(r.processor_seconds for _, all_, _ in results for r in all_)
    lines: list[list[object]] = [
        ["mean of the score", "at least 0.978", means["specvae"]],
        ["mean of the better of the two", "at least 0.985", max(means.values())],
        [f"furthest below RX ({worst})", "at most 0.005", below[worst]],
        ["slowest scene, processor seconds of fit and score", "at most 10", f"{seconds:.1f}"],
    ]
    return "Asked of the nine scenes at hand:\n\n" + table(["", "asked", "found"], lines)


def _seeds(results: list[Shown]) -> str:
    seeds = range(len(results[0][1]))
    body: list[list[object]] = []
    for scene, found, _ in results:
        areas = [auroc(r.maps[m].ravel(), scene.truth.ravel()) for m in ("specvae", "specvae-pooled") for r in found]
        body.append([scene.name, *areas, *(f"{r.processor_seconds:.1f}" for r in found)])
    heads = [f"{what} {seed}" for what in ("score", "evidence", "seconds") for seed in seeds]
    return table(["", *heads], body)


def _diagnostics(results: list[Shown]) -> str:
    body = [
        [s.name, len(s.values), r[0].diagnostics["active_latent"], r[0].diagnostics["latent"],
         f"{r[0].diagnostics['kl_share']:.2f}", "; ".join(r[0].diagnostics["warnings"]) or "none"]
        for s, r, _ in results
    ]  # fmt: skip
    return table(["", "bands", "active latent", "of", "share of KL", "warnings"], body)


def _figure(results: list[Shown], out: Path) -> Path:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(results), 5, figsize=(11, 2.15 * len(results)), squeeze=False)
    for line, (scene, (result, *_), rx) in zip(axes, results, strict=True):
        score, evidence = result.maps["specvae"], result.maps["specvae-pooled"]
        pictures = [_colours(scene.values), scene.truth, np.log(np.maximum(score, 1e-3)), evidence, np.log1p(rx)]
        titles = [scene.name, "truth", "log score", "evidence", "log RX"]
        for axis, picture, title in zip(line, pictures, titles, strict=True):
            axis.imshow(picture, cmap="gray" if title == "truth" else "magma", interpolation="nearest")
            axis.set_title(title, fontsize=8)
            axis.set_axis_off()
    figure.tight_layout()
    return write_figure(out, "maps", figure)


def _colours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(rows, cols, 3)`` in 0..1: three bands of the first quarter of the spectrum, stretched over 2 to 98 %."""
    picks = [int(share * (len(values) - 1)) for share in (0.14, 0.09, 0.04)]
    rgb = np.moveaxis(values[picks], 0, 2)
    low, high = np.nanpercentile(rgb, (2, 98), axis=(0, 1))
    return np.asarray(np.clip((rgb - low) / np.maximum(high - low, 1e-9), 0, 1), np.float32)
