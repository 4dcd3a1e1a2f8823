"""Benchmark ``adbench``: tables with anomalies, one-class, beside kNN, PCA, isolation forest and 26 published methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.benchmarks.datasets import OneClass, plain_name, published_figures, semi_supervised
from specvae.benchmarks.goals import Goal, goals_table
from specvae.benchmarks.report import (
    Environment,
    Report,
    Row,
    environment,
    pyplot,
    table,
    tried,
    write_figure,
    write_metrics,
)
from specvae.benchmarks.settings import Settings
from specvae.detector import Detector
from specvae.errors import InputError
from specvae.model.config import ModelConfig
from specvae.model.config_file import load_config
from specvae.model.device import pick_device
from specvae.scoring.gathered.metrics import auroc, average_precision, norm_rank_correlation
from specvae.training.sampling import region_of_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLLAPSED", "run"]

SEEDS = 3
QUICK_SETTINGS = ["training.steps=40"]
COLLAPSED = 0.99
"""Rank correlation with the squared norm above which a score says no more than the norm does: its model has collapsed."""
NEIGHBOURS = 5
"""The neighbour whose distance is the kNN baseline's score."""
PCA_VARIANCE = 0.9
"""Share of the variance that the components of the PCA baseline hold."""
PUBLISHED = "published_dte_semisupervised_auroc.csv"
"""File beside the data sets with the figures that DTE's authors published."""
Scores = NDArray[np.floating]
Method = Callable[[Scores, Scores, ModelConfig, str], Scores]
"""Training rows ``(n, bands)``, test rows ``(m, bands)``, configuration and device -> scores ``(m,)``, higher = more anomalous."""
Metric = Literal["auroc", "average_precision", "norm_correlation"]
METRICS: tuple[Metric, ...] = ("auroc", "average_precision", "norm_correlation")


@dataclass(frozen=True)
class Trial:
    """One method on one data set under one seed."""

    dataset: str
    method: str
    auroc: float
    average_precision: float
    norm_correlation: float
    seconds: float


def run(settings: Settings) -> Path:
    """Fit and score every ``.npz`` of the folder, write ``metrics.json``, ``report.md`` and a figure, and return their folder."""
    folder, out, device = settings.folder("adbench"), settings.place("adbench"), pick_device(settings.device)
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise InputError(f"{folder} holds no .npz file; expected ADBench's, with X and y")
    seeds = settings.seed_count(SEEDS)
    config = load_config(None, None, QUICK_SETTINGS if settings.quick else [])
    trials: list[Trial] = []
    for path in files:
        split = semi_supervised(path)
        for name, method in METHODS.items():
            results = [_try(name, method, split, config.model_copy(update={"seed": s}), device) for s in range(seeds)]
            trials += results
            settings.progress(f"{split.name} {name}: {fmean(t.auroc for t in results):.4f}")
            if name == "specvae" and fmean(t.norm_correlation for t in results) > COLLAPSED:
                settings.progress(f"{split.name}: the score follows the squared norm, so the model has collapsed")
    rows = _rows(trials, seeds)
    sheet = folder / PUBLISHED
    published = _published(sheet, [f.stem for f in files]) if sheet.is_file() else {}
    made_with = environment(seeds=seeds, quick=settings.quick, device=device)
    write_metrics(out, "adbench", rows, made_with)
    _report(rows, trials, published, made_with, out).write(out)
    return out


def _try(name: str, method: Method, split: OneClass, config: ModelConfig, device: str) -> Trial:
    """Fit a method on the training half and measure its scores of the test."""
    # DTE standardises every method's input by the training half; our own normaliser does the same once more, unchanged.
    centre, scale = split.train.mean(axis=0), split.train.std(axis=0)
    # A column that is constant in training has no scale, and what leaves that constant in the test must show.
    scale[scale == 0] = 1.0
    train, test = (split.train - centre) / scale, (split.test - centre) / scale
    begun = time.perf_counter()
    score = method(train, test, config, device)
    seconds = time.perf_counter() - begun
    area, precision = auroc(score, split.anomalous), average_precision(score, split.anomalous)
    assert area is not None
    assert precision is not None
    return Trial(split.name, name, area, precision, norm_rank_correlation(score, test), seconds)


def _specvae(train: Scores, test: Scores, config: ModelConfig, device: str) -> Scores:
    """Score of the product's default model for tables."""
    # No cut is made here, so that no fold's model is needed: the share that a cut would be made of is held out as ever.
    sampling = config.sampling.model_copy(update={"folds": 1})
    region = region_of_rows(train, np.ones(len(train), bool), sampling, config.seed)
    bands = BandSet(tuple(Band(f"c{i}") for i in range(1, train.shape[1] + 1)))
    detector = Detector.fit([region], bands, config, ("train",), context=False, device=device)
    return detector.score_rows(test.astype(np.float32), np.ones(len(test), bool)).score


def _knn(train: Scores, test: Scores, config: ModelConfig, device: str) -> Scores:
    """Distance to the fifth nearest training row."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train))).fit(train).kneighbors(test)
    return np.asarray(distances[:, -1])


def _pca(train: Scores, test: Scores, config: ModelConfig, device: str) -> Scores:
    """Squared residual beyond the components that hold 90 % of the variance."""
    from sklearn.decomposition import PCA

    # scikit-learn chooses components by their share of the variance with the full decomposition alone.
    pca = PCA(PCA_VARIANCE, svd_solver="full").fit(train)
    return np.asarray(((test - pca.inverse_transform(pca.transform(test))) ** 2).sum(axis=1))


def _iforest(train: Scores, test: Scores, config: ModelConfig, device: str) -> Scores:
    """scikit-learn's isolation forest, its sign turned so that higher is more anomalous."""
    from sklearn.ensemble import IsolationForest

    return np.asarray(-IsolationForest(random_state=config.seed).fit(train).score_samples(test))


MARKS = {"specvae": ("o", "#c1272d"), "knn": ("s", "#0072b2"), "pca": ("^", "#7f7f00"), "iforest": ("D", "#009e73")}
"""Mark and colour of each method in the figure; both differ, for readers who see few colours."""
METHODS: Mapping[str, Method] = {"specvae": _specvae, "knn": _knn, "pca": _pca, "iforest": _iforest}


def _rows(trials: Sequence[Trial], seeds: int) -> list[Row]:
    rows = []
    for dataset, method in dict.fromkeys((t.dataset, t.method) for t in trials):
        chosen = [t for t in trials if (t.dataset, t.method) == (dataset, method)]
        seconds = fmean(t.seconds for t in chosen)
        for metric in METRICS:
            value = fmean(getattr(t, metric) for t in chosen)
            rows.append(Row(dataset, method, metric, value, seeds, seconds))
    return rows


def _published(sheet: Path, stems: Sequence[str]) -> dict[str, dict[str, float]]:
    """Published AUROC as method -> stem of the data set's file -> value, of methods that have any of these data sets."""
    figures = published_figures(sheet)
    named = {m: {s: f[plain_name(s)] for s in stems if plain_name(s) in f} for m, f in figures.items()}
    return {method: values for method, values in named.items() if values}


def _report(
    rows: Sequence[Row],
    trials: Sequence[Trial],
    published: Mapping[str, Mapping[str, float]],
    made_with: Environment,
    out: Path,
) -> Report:
    """The page; its figure is written into ``out``."""
    sets = list(dict.fromkeys(row.dataset for row in rows))
    report = Report("Tables: ADBench sets, one-class").text(
        "DTE's split (Livernoche et al., ICLR 2024): trained on the first half of the normal rows in the order of the file, "
        "standardised by it, tested on the rest and every anomaly. One default setting for all sets, no label used; figures are "
        f"the mean of {made_with['seeds']} seeds. kNN: distance to the fifth neighbour. PCA: residual beyond 90 % of the variance."
    )
    report.section("Asked and reached").text(_goals(rows))
    report.section("AUROC").text(_ranking(rows, "auroc", sets, published))
    report.figure(write_figure(out, "auroc", _dots(rows, sets, published)), "AUROC by set: ours, baselines, published")
    report.section("Average precision").text(_ranking(rows, "average_precision", sets, {}))
    report.section("Spread over the seeds, AUROC").text(_spread(trials, sets))
    report.section("What was tried").text(
        "Ideas tried on the way to the default, one seed each, on these four sets, no label used in any fit. Two sets of "
        "scikit-learn (breast cancer, digits) were looked at beside them, and moved by less than .01 from the default before."
    )
    report.text(tried("specvae.benchmarks.adbench"))
    return report.section("Alarms").text(_alarms(rows)).made_with(made_with)


def _goals(rows: Sequence[Row]) -> str:
    """What is asked of the default on these sets, and the means of this run."""
    area, precision = (
        fmean(r.value for r in rows if (r.method, r.metric) == ("specvae", metric))
        for metric in ("auroc", "average_precision")
    )
    goals = [
        Goal("mean AUROC", 0.960, 0.97, area),
        Goal("mean average precision", 0.87, 0.90, precision),
    ]
    return "What is asked of the mean over satellite, pendigits, thyroid and cardio.\n\n" + goals_table(goals)


def _ranking(
    rows: Sequence[Row], metric: str, sets: Sequence[str], published: Mapping[str, Mapping[str, float]]
) -> str:
    """A table of one metric: a line a method, published ones too, the best mean first; a column a data set."""
    columns: dict[str, Mapping[str, float]] = {
        method: {r.dataset: r.value for r in rows if (r.method, r.metric) == (method, metric)} for method in METHODS
    }
    columns |= {f"{name} (published)": values for name, values in published.items()}
    # A mean over fewer sets does not compare: such a method has none, and goes to the end.
    lines = [(name, v, fmean(v.values()) if set(sets) <= set(v) else None) for name, v in columns.items()]
    lines.sort(key=lambda line: -(line[2] if line[2] is not None else -1.0))
    body = [[f"**{n}**" if n in METHODS else n, *(v.get(s) for s in sets), mean] for n, v, mean in lines]
    return table(["", *sets, "mean"], body)


def _spread(trials: Sequence[Trial], sets: Sequence[str]) -> str:
    """A table of the product's AUROC over the seeds: least, greatest, standard deviation; and seconds to fit and score."""
    body = []
    for name in sets:
        ours = [t for t in trials if (t.dataset, t.method) == (name, "specvae")]
        areas = [t.auroc for t in ours]
        body.append([name, min(areas), max(areas), pstdev(areas), f"{fmean(t.seconds for t in ours):.1f}"])
    return table(["", "least", "greatest", "deviation", "seconds"], body)


def _alarms(rows: Sequence[Row]) -> str:
    """A table of the rank correlation with the norm, which exposes a collapsed model."""
    correlations = {r.dataset: r.value for r in rows if (r.method, r.metric) == ("specvae", "norm_correlation")}
    introduction = (
        "Rank correlation of the score with the squared norm of the standardised row; above "
        f"{COLLAPSED} a model has collapsed and says no more than the norm does."
    )
    lines = [[name, value, "COLLAPSED" if value > COLLAPSED else "ok"] for name, value in correlations.items()]
    return introduction + "\n\n" + table(["", "correlation", "verdict"], lines)


def _dots(rows: Sequence[Row], sets: Sequence[str], published: Mapping[str, Mapping[str, float]]) -> Figure:
    """AUROC by data set, a strip each: published methods as grey ticks, those run here as marks."""
    figure: Figure
    figure, axes = pyplot().subplots(figsize=(8, 1.2 + 0.5 * len(sets)))
    for i, name in enumerate(sets):
        others = [values[name] for values in published.values() if name in values]
        axes.scatter(others, [i] * len(others), marker="|", s=160, color="0.7", label="published" if i == 0 else None)
    for method, (mark, colour) in MARKS.items():
        value = {r.dataset: r.value for r in rows if (r.method, r.metric) == (method, "auroc")}
        axes.scatter(
            [value[s] for s in sets], range(len(sets)), marker=mark, s=42, color=colour, label=method, zorder=3
        )
    axes.set_yticks(range(len(sets)), list(sets))
    axes.invert_yaxis()
    axes.set_xlabel("AUROC")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.0 + 0.28 * 4 / (1 + len(sets))), frameon=False)
    return figure
