"""The quicklook of a table: the distribution of its scores, with the threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from specvae.export import colours
from specvae.export.colours import rgb
from specvae.export.report.quicklook import ScoreScale, font, round_numbers
from specvae.scoring.gathered.survival import Survival, SurvivalHistogram
from specvae.thresholds.threshold import Threshold

__all__ = ["ScoreSpread", "draw_table_quicklook"]

Colour: TypeAlias = tuple[int, int, int]

BINS = 80
LABELS = 0.045
"""Least distance of two labels, as a share of the axis."""
SIZE = 990, 440
"""Width and height of the picture, pixels."""
AXES = 92, 86, 970, 384
"""The edges of the axes in it: left, top, right and bottom."""
MARGIN = 6
"""Columns between the edges of the axes and the first and last bar."""
LEAST = 0.7
"""Rows at the bottom of the axis: a bar of one row is seen."""
NORMAL, FLAG, INK, SOFT, PAPER, GRID = (
    rgb(colour)
    for colour in (colours.NORMAL, colours.FLAG, colours.INK, colours.SOFT, colours.PAPER, colours.CSS["line"][0])
)


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
    sheet = Image.new("RGB", SIZE, PAPER)
    brush, scale = ImageDraw.Draw(sheet), spread.scale()
    brush.text((AXES[0], 12), title, INK, font(19))
    parts = [("normal", spread.normal, NORMAL), ("anomalous", spread.anomalous, FLAG)]
    bars = [spread.bars(part) for _, part, _ in parts]
    rows = _RowAxis(max(1, *(int(counts.max()) for counts in bars)))
    rows.draw(brush)
    for counts, (_, _, colour) in zip(bars, parts, strict=True):
        _draw_bars(brush, counts, rows, colour)
    _draw_score_axis(brush, scale)
    marks = [(colour, f"{name}, {part.total:,}") for name, part, colour in parts if part.total]
    if np.isfinite(scale.cut):
        _draw_cut(brush, _column(float(scale.place(threshold.value))))
        marks.append((INK, f"threshold {threshold.value:.4g} nats, linear below and logarithmic above"))
    _draw_legend(brush, marks)
    sheet.save(path, optimize=False, compress_level=2)


@dataclass(frozen=True)
class _RowAxis:
    """The axis of rows, logarithmic from below one row to above the highest bar."""

    highest: int
    """Rows of the highest bar."""

    def line(self, rows: float) -> int:
        """The line of the picture at which this many rows are drawn."""
        least, most = math.log10(LEAST), math.log10(1.5 * self.highest)
        _, top, _, bottom = AXES
        return round(bottom - (bottom - top) * (math.log10(rows) - least) / (most - least))

    def draw(self, brush: ImageDraw.ImageDraw) -> None:
        """Powers of ten with a line across, so that the height of a far bar can be read too."""
        left, top, right, _ = AXES
        power = 1
        while power <= 1.5 * self.highest:
            y = self.line(power)
            brush.line([(left, y), (right, y)], GRID)
            brush.text((left - 8, y), f"{power:,}", INK, font(13), anchor="rm")
            power *= 10
        brush.text((left - 8, top - 12), "rows", SOFT, font(13), anchor="rm")


def _column(place: float) -> int:
    """The column of the picture at a place of the scale, 0 at its lower end and 1 at its upper."""
    left, _, right, _ = AXES
    return round(left + MARGIN + (right - left - 2 * MARGIN) * place)


def _draw_bars(brush: ImageDraw.ImageDraw, counts: NDArray[np.int64], rows: _RowAxis, colour: Colour) -> None:
    for bar in np.flatnonzero(counts).tolist():
        first, last = _column(bar / BINS), _column((bar + 1) / BINS) - 1
        brush.rectangle([(first, rows.line(int(counts[bar]))), (last, AXES[3])], colour)


def _draw_cut(brush: ImageDraw.ImageDraw, x: int) -> None:
    """A dashed line at the cut."""
    _, top, _, bottom = AXES
    for y in range(top, bottom, 9):
        brush.line([(x, y), (x, min(y + 5, bottom))], INK)


def _draw_score_axis(brush: ImageDraw.ImageDraw, scale: ScoreScale) -> None:
    """The axis of scores, with round numbers where they have room."""
    left, _, right, bottom = AXES
    brush.line([(left, bottom), (right, bottom)], INK)
    labelled: list[float] = []
    for value in round_numbers(scale.low, scale.high):
        place = float(scale.place(value))
        if all(abs(place - other) >= LABELS for other in labelled):
            labelled.append(place)
            x = _column(place)
            brush.line([(x, bottom), (x, bottom + 4)], INK)
            brush.text((x, bottom + 7), f"{value:,.6g}", INK, font(13), anchor="ma")
    brush.text(((left + right) // 2, bottom + 28), "score, nats", SOFT, font(13), anchor="ma")


def _draw_legend(brush: ImageDraw.ImageDraw, marks: list[tuple[Colour, str]]) -> None:
    """What the colours mean, in a line above the axes, where it covers no bar."""
    x, y = AXES[0], 46
    for colour, text in marks:
        # The cut is drawn as a line, and so is its mark.
        brush.rectangle([(x, y), (x if colour == INK else x + 11, y + 11)], colour)
        brush.text((x + 18, y + 6), text, INK, font(14), anchor="lm")
        x += 18 + math.ceil(font(14).getlength(text)) + 28
