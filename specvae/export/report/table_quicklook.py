"""The quicklook of a table: the distribution of its scores, with the threshold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.export.colours import FLAG, NORMAL
from specvae.export.report.quicklook import ScoreScale, round_numbers
from specvae.scoring.gathered.survival import Survival, SurvivalHistogram
from specvae.thresholds.threshold import Threshold

__all__ = ["ScoreSpread", "draw_table_quicklook"]

BINS = 80
LABELS = 0.045
"""Least distance of two labels, as a share of the axis."""


class ScoreSpread:
    """How the scores of a table are spread below and above its cut, in a megabyte however many rows there are.

    A picture of the scores needs their range before the first can be given to a bar, and the range is known when the
    last row is scored. So they are counted in bins of 1/128 to 1/256 of a score, which become bars in the end: a score
    near the edge of a bar may be drawn in the one below.
    """

    def __init__(self, cut: float) -> None:
        """``cut``: the threshold in nats; what scores higher is anomalous."""
        self.cut = cut
        self.low, self.high = math.inf, -math.inf
        self._normal, self._anomalous = SurvivalHistogram(), SurvivalHistogram()

    def update(self, score: NDArray[np.float32]) -> None:
        """Count the finite scores of a chunk of rows."""
        good = score[np.isfinite(score)]
        if not good.size:
            return
        # The range is exact, and so are the counts on both sides of the cut, which the legend states.
        self.low, self.high = min(self.low, float(good.min())), max(self.high, float(good.max()))
        self._normal.add(good[good <= self.cut])
        self._anomalous.add(good[good > self.cut])

    @property
    def normal(self) -> Survival:
        """The scores up to the cut."""
        return self._normal.finish()

    @property
    def anomalous(self) -> Survival:
        """The scores above the cut."""
        return self._anomalous.finish()

    def scale(self) -> ScoreScale:
        """The scale from the lowest score to the highest; from 0 to 1 where there is none."""
        low, high = (self.low, self.high) if self.low <= self.high else (0.0, 1.0)
        return ScoreScale(low, high, self.cut)

    def bars(self, part: Survival) -> NDArray[np.int64]:
        """``(80,)``: how many of the scores of ``part`` lie in each of the equal parts of the scale."""
        scores, above = part.points()
        counts = above - np.append(above[1:], 0)
        # The lower edge of the lowest bin may lie below the lowest score, where the axis ends.
        place = np.asarray(self.scale().place(np.clip(scores, self.low, self.high)))
        return np.histogram(place, BINS, (0, 1), weights=counts)[0].astype(np.int64)


def draw_table_quicklook(path: Path, spread: ScoreSpread, title: str, threshold: Threshold) -> None:
    """Write the PNG: a histogram of all scores over the scale of a map's quicklook, linear up to the cut, then logarithmic."""
    # The backend is named rather than chosen by pyplot, which would look for a display and keep the figure for ever.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    cut, scale = threshold.value, spread.scale()
    edges = np.linspace(0, 1, BINS + 1).tolist()
    for part, colour, name in ((spread.normal, NORMAL, "normal"), (spread.anomalous, FLAG, "anomalous")):
        if part.total:
            label = f"{name}, {part.total:,}"
            axes.hist(edges[:-1], edges, weights=spread.bars(part), color=colour, label=label)
    if np.isfinite(cut):
        label = f"threshold {cut:.4g} nats, linear below and logarithmic above"
        axes.axvline(float(scale.place(cut)), color="black", linewidth=1, linestyle="--", label=label)
    if spread.normal.total or spread.anomalous.total:
        axes.set_yscale("log")
        axes.legend(fontsize=9)
    _score_axis(axes, scale)
    axes.set_ylabel("rows")
    # A dollar sign would begin a formula, and a table may have any name.
    axes.set_title(title.replace("$", r"\$"))
    figure.savefig(path, dpi=110)


def _score_axis(axes: Any, scale: ScoreScale) -> None:
    """Label round numbers where they have room."""
    labelled: dict[float, float] = {}
    for value in round_numbers(scale.low, scale.high):
        place = float(scale.place(value))
        if all(abs(place - other) >= LABELS for other in labelled.values()):
            labelled[value] = place
    axes.set_xticks(list(labelled.values()), [f"{value:,.6g}" for value in labelled])
    axes.set_xlim(-0.01, 1.01)
    axes.set_xlabel("score, nats")
