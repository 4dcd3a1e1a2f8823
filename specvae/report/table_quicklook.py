"""The quicklook of a table: the distribution of its scores, with the threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.threshold import Threshold

__all__ = ["draw_table_quicklook"]

BAR, CUT = "#3e63dd", "#e6007e"


def draw_table_quicklook(path: Path, score: NDArray[np.float32], threshold: Threshold, title: str) -> None:
    """Write the PNG: a histogram of the scores up to their 99.9 %."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    good = score[np.isfinite(score)]
    if good.size:
        axes.hist(np.clip(good, None, np.percentile(good, 99.9)), bins=80, color=BAR)
    if np.isfinite(threshold.value):
        axes.axvline(threshold.value, color=CUT, label=f"threshold {threshold.value:.4g}")
        axes.legend()
    axes.set_yscale("log")
    axes.set_xlabel("score, nats")
    axes.set_ylabel("rows")
    axes.set_title(title.replace("$", r"\$"))
    figure.savefig(path, dpi=110)
