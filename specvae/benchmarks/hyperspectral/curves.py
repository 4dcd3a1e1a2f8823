"""The curves of the hyperspectral benchmark: ROC with a logarithmic axis, precision against recall, objects and Chang's areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from specvae.benchmarks.hyperspectral.data import MatScene
from specvae.benchmarks.report import pyplot, table
from specvae.scoring.gathered.metrics import auroc
from specvae.scoring.gathered.object_detection import detected_objects
from specvae.scoring.gathered.roc_curve import roc_of_scores
from specvae.scoring.gathered.three_d_roc import ThreeDRoc
from specvae.spectra import Cube, Parts, ScoredWindow, Window

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "areas_table", "curves_figure", "objects_table"]

RATES = (1e-2, 1e-3)
"""False-alarm rates, realised on the scene's own normal pixels, at which objects are counted."""
COLOURS = {"specvae": "#c1272d", "specvae-pooled": "#e69f00", "rx": "#0072b2"}
LEAST = 1e-4
"""Left end of the axis of false-alarm rates: a scene has about ten thousand pixels."""
Maps = Mapping[str, NDArray[np.float32]]
"""Method -> ``(rows, cols)``, higher = more anomalous."""


def curves_figure(scenes: Sequence[MatScene], maps: Sequence[Maps]) -> Figure:
    """A line a scene: the ROC curve with a logarithmic axis, and precision against recall; a colour a method."""
    figure: Figure
    figure, axes = pyplot().subplots(len(scenes), 2, figsize=(8, 2.3 * len(scenes)), squeeze=False)
    for (roc, precision), scene, of_scene in zip(axes, scenes, maps, strict=True):
        for name, colour in COLOURS.items():
            score, truth = _valid(of_scene[name], scene.truth)
            curve = roc_of_scores(score, truth)
            if curve is None:
                continue
            alarms = np.maximum(curve["false_alarm_rate"], LEAST)
            roc.plot(alarms, curve["detection_rate"], color=colour, label=name, lw=1.2)
            precision.plot(curve["detection_rate"], curve["precision"], color=colour, lw=1.2)
        roc.set_xscale("log")
        roc.set_xlim(LEAST, 1.0)
        roc.set_title(f"{scene.name}: found over false-alarm rate", fontsize=8)
        precision.set_title("precision over recall", fontsize=8)
        for axis in (roc, precision):
            axis.set_ylim(0, 1.02)
            axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=7, frameon=False, loc="lower right")
    figure.tight_layout()
    return figure


def objects_table(scenes: Sequence[MatScene], maps: Sequence[Maps]) -> str:
    """Markdown: of each scene's true objects those found at each rate, and the flagged objects that touch none, by method."""
    heads = ["", "true", *(f"{name}, {rate:g}: found (false)" for rate in RATES for name in COLOURS)]
    body: list[list[object]] = []
    for scene, of_scene in zip(scenes, maps, strict=True):
        line: list[object] = []
        for rate in RATES:
            for name in COLOURS:
                counts = detected_objects(*_flagged(of_scene[name], scene, rate))
                line.append(f"{counts['found']} ({counts['false']})")
        body.append([scene.name, counts["true"], *line])
    return table(heads, body)


def areas_table(scenes: Sequence[MatScene], maps: Sequence[Maps]) -> str:
    """Markdown of Chang's areas of the logarithm of the score, and of RX's."""
    names = ("auc_d_f", "auc_d_tau", "auc_f_tau", "td", "bs", "snpr", "tdbs", "od", "odp")
    body: list[list[object]] = []
    for scene, of_scene in zip(scenes, maps, strict=True):
        for name in ("specvae", "rx"):
            score, truth = _valid(of_scene[name], scene.truth)
            roc = ThreeDRoc(logarithmic=True)
            roc.update(score, truth)
            areas = roc.finish(auroc(score, truth))
            if areas is not None:
                values = dict(areas)
                body.append([f"{scene.name}, {name}", *(values[key] for key in names)])
    return table(["", "AUC(D,F)", "AUC(D,tau)", "AUC(F,tau)", "TD", "BS", "SNPR", "TDBS", "OD", "ODP"], body)


def _valid(score: NDArray[np.float32], truth: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scores and truth ``(n,)`` of the pixels that have a score."""
    valid = np.isfinite(score)
    return score[valid], truth[valid]


def _flagged(
    score: NDArray[np.float32], scene: MatScene, rate: float
) -> tuple[ScoredWindow, NDArray[np.bool_], NDArray[np.bool_]]:
    """The scene with the pixels above the cut that ``rate`` of its normal pixels pass, its truth, and where it has a score."""
    valid = np.isfinite(score)
    cut = np.quantile(score[valid & ~scene.truth], 1.0 - rate)
    window, nothing = Window(0, 0, *score.shape), np.zeros(score.shape, np.float32)
    cube = Cube(scene.values, np.asarray(~valid, np.uint8), window)
    return ScoredWindow(cube, Parts(nothing, nothing, nothing), valid & (score > cut)), scene.truth, valid
