"""The quicklook of a table: the distribution of its scores, with the threshold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.export.colours import FLAG, NORMAL
from specvae.export.report.quicklook import ScoreScale, round_numbers
from specvae.thresholds.threshold import Threshold

__all__ = ["draw_table_quicklook"]

BINS = 80
LABELS = 0.045
"""Least distance of two labels, as a share of the axis."""


def draw_table_quicklook(path: Path, score: NDArray[np.float32], threshold: Threshold, title: str) -> None:
    """Write the PNG: a histogram of all scores over the scale of a map's quicklook, linear up to the cut, then logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    good, cut = score[np.isfinite(score)], threshold.value
    low, high = (float(good.min()), float(good.max())) if good.size else (0.0, 1.0)
    scale = ScoreScale(low, high, cut)
    for part, colour, name in ((good <= cut, NORMAL, "normal"), (good > cut, FLAG, "anomalous")):
        if part.any():
            axes.hist(scale.place(good[part]), bins=BINS, range=(0, 1), color=colour, label=f"{name}, {part.sum():,}")
    if np.isfinite(cut):
        label = f"threshold {cut:.4g} nats, linear below and logarithmic above"
        axes.axvline(float(scale.place(cut)), color="black", linewidth=1, linestyle="--", label=label)
    if good.size:
        axes.set_yscale("log")
        axes.legend(fontsize=9)
    _score_axis(axes, scale)
    axes.set_ylabel("rows")
    axes.set_title(title.replace("$", r"\$"))
    figure.savefig(path, dpi=110)


def _score_axis(axes: Any, scale: ScoreScale) -> None:
    """Round numbers where they have room."""
    taken: dict[float, float] = {}
    for value in round_numbers(scale.low, scale.high):
        place = float(scale.place(value))
        if all(abs(place - other) >= LABELS for other in taken.values()):
            taken[value] = place
    axes.set_xticks(list(taken.values()), [f"{value:,.6g}" for value in taken])
    axes.set_xlim(-0.01, 1.01)
    axes.set_xlabel("score, nats")
