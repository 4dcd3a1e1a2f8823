"""The quicklook of a map: natural colour (or three spread bands), score and flagged pixels side by side, with a scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from specvae.export import colours
from specvae.export.colours import rgb, viridis
from specvae.export.png import write_png
from specvae.scoring.gathered.overview import Overview
from specvae.thresholds.threshold import NOTHING, Threshold

__all__ = ["ScoreScale", "draw_quicklook", "font", "round_numbers", "stretched"]

PANEL = 640
"""Longest side of a panel, pixels; of a scene up to half as large, every pixel becomes a square of pixels."""
COLUMN, GAP, HEAD, FOOT, BAR = 330, 24, 78, 28, 76
"""Least width of a column, space between columns, above and below the panels, and for the scale: pixels."""
LINE, ASKED, MOST_LINES = 21, 112, 3
"""Words below the panels: the height of a line and the width of the questions, in pixels, and the most lines of an answer."""
INK, SOFT, PAPER, FLAG = (rgb(colour) for colour in (colours.INK, colours.SOFT, colours.PAPER, colours.FLAG))


def stretched(composite: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(3, rows, cols)`` -> ``(rows, cols, 3)`` in 0..1, each band from its 2 to its 98 %; invalid is grey."""
    out = np.full((*composite.shape[1:], 3), 0.5, np.float32)
    for i, band in enumerate(composite):
        good = np.isfinite(band)
        if not good.any():
            continue
        low, high = np.percentile(band[good], [2, 98])
        out[good, i] = np.clip((band[good] - low) / max(high - low, 1e-12), 0, 1)
    return out


def draw_quicklook(
    path: Path,
    view: Overview,
    threshold: Threshold,
    title: str,
    notes: Sequence[tuple[str, str]] = (),
    marked: tuple[int, int] | None = None,
) -> None:
    """Write the quicklook as a PNG: the scene, its score and the flagged pixels side by side; first an earlier date.

    Below them stand the ``notes``, each with what it answers. ``marked``: row and column of a pixel that is circled.
    """
    finer = view.composite.shape[1] // view.score.shape[0]
    # A scene of patches is shown in its own pixels, and each score is repeated over those of its patch.
    fine, above = (np.kron(part, np.ones((finer, finer), np.float32)) for part in (view.score, view.anomalous))
    step = max(1, -(-max(fine.shape) // PANEL))
    # The colours are thinned but the scores are not: of every block the highest is drawn, so that no flag is lost.
    score, flags = _highest(fine, step), np.nan_to_num(_highest(above, step)) > 0
    colour = (stretched(view.composite[:, ::step, ::step]) * 255).astype(np.uint8)
    scale = ScoreScale.of(score, threshold.value)
    rate = "" if threshold.false_alarm_rate is None else f", false-alarm rate {threshold.false_alarm_rate:.2g}"
    cut = f"above {threshold.value:.4g} nats{rate}" if math.isfinite(scale.cut) else "no cut is supported"
    thick = finer < 3 and max(flags.shape) > PANEL // 3
    panels = [
        ("scene", "", _enlarged(colour), "each band from its 2 to its 98 %"),
        ("score", "nats", _enlarged(_coloured(score, scale)), "from the 1 % score to the highest"),
        ("anomalous", cut, _flagged(colour, flags, thick), "flags are drawn larger than pixels" if thick else ""),
    ]
    if view.before is not None:
        earlier = (stretched(view.before[:, ::step, ::step]) * 255).astype(np.uint8)
        panels.insert(0, ("earlier date", "", _enlarged(earlier), panels[0][3]))
    if marked is not None:
        _circle(panels[-1][2], (marked[0] + 0.5) / view.rows, (marked[1] + 0.5) / view.cols)
    write_png(path, np.asarray(_with_notes(_sheet(panels, title, cut, scale), notes)))


def _circle(panel: Image.Image, down: float, right: float) -> None:
    """Circle the place at these shares of the panel's height and width."""
    y, x, brush = round(down * panel.height), round(right * panel.width), ImageDraw.Draw(panel)
    for radius, colour, width in ((16, PAPER, 5), (15, INK, 2)):
        brush.ellipse([(x - radius, y - radius), (x + radius, y + radius)], outline=colour, width=width)


def _with_notes(sheet: Image.Image, notes: Sequence[tuple[str, str]]) -> Image.Image:
    """The sheet with the notes in lines below it."""
    lines = [
        (asked if k == 0 else "", line) for asked, words in notes for k, line in enumerate(_lines(words, sheet.width))
    ]
    if not lines:
        return sheet
    larger = Image.new("RGB", (sheet.width, sheet.height + LINE * len(lines) + GAP), PAPER)
    larger.paste(sheet)
    brush = ImageDraw.Draw(larger)
    for k, (asked, line) in enumerate(lines):
        y = sheet.height + 8 + LINE * k
        brush.text((GAP, y), asked, SOFT, font(14))
        brush.text((GAP + ASKED, y), line, INK, font(14))
    return larger


def _lines(words: str, width: int) -> list[str]:
    """A text in lines that a sheet of this width holds; what needs too many ends in an ellipsis."""
    room, lines = width - 2 * GAP - ASKED, [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if font(14).getlength(longer) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], lines[MOST_LINES - 1] + " …"]


def _sheet(panels: list[tuple[str, str, Image.Image, str]], title: str, cut: str, scale: ScoreScale) -> Image.Image:
    """Panels (name, note, picture, what stands below) side by side, that of the score before the last, with its scale."""
    width = max(COLUMN, panels[0][2].width)
    last = max(width, math.ceil(font(16).getlength("anomalous  ") + font(14).getlength(cut)))
    before = len(panels) - 1  # columns before that of the flags, which the scale stands beside
    sheet = Image.new(
        "RGB", (before * width + last + BAR + (before + 2) * GAP, HEAD + panels[0][2].height + FOOT), PAPER
    )
    brush = ImageDraw.Draw(sheet)
    brush.text((GAP, 14), title, INK, font(19))
    for k, (name, note, panel, foot) in enumerate(panels):
        left = GAP + k * (width + GAP) + (BAR if k == before else 0)
        brush.text((left, HEAD - 26), name, INK, font(16))
        brush.text((left + brush.textlength(name + "  ", font(16)), HEAD - 24), note, SOFT, font(14))
        sheet.paste(panel, (left, HEAD))
        brush.text((left, HEAD + panel.height + 4), foot, SOFT, font(13))
    map_of_score = panels[before - 1][2]
    scale.draw(sheet, (before * GAP + (before - 1) * width + map_of_score.width + 8, HEAD), map_of_score.height)
    return sheet


class ScoreScale:
    """Linear up to the cut, logarithmic above: the bulk keeps its detail and extremes stay apart."""

    def __init__(self, low: float, high: float, cut: float) -> None:
        # Where nothing is flagged the cut is a number that no score reaches, and no place on a scale.
        self.cut = cut = cut if cut < NOTHING else math.inf
        self.knee = cut if math.isfinite(cut) and cut > 0 else max(high, 1e-6)
        self.low, self.high = low, max(high, self.knee * 1.2, low + 1e-6)

    @classmethod
    def of(cls, score: NDArray[np.float32], cut: float) -> ScoreScale:
        """The scale from the 1 % score to the highest: a few very low scores would take the colours of all others."""
        good = score[np.isfinite(score)]
        low, high = (float(v) for v in np.percentile(good, [1, 100])) if good.size else (0.0, 1.0)
        return cls(low, high, cut)

    def place(self, score: Any) -> Any:
        """0 at the lower end, 1 at the upper."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(score) - low) / (high - low)

    def _scaled(self, score: Any) -> Any:
        """Scores in units of the knee, and beyond it a decade in two thirds of such a unit."""
        share = np.asarray(score, np.float64) / self.knee
        return np.where(share <= 1, share, 1 + np.log10(np.maximum(share, 1)) / 1.5)

    def draw(self, sheet: Image.Image, corner: tuple[int, int], height: int) -> None:
        """The colour bar with round numbers, and the cut marked in the colour of flags."""
        left, top = corner
        ramp = viridis(np.linspace(1, 0, height))[:, None].repeat(14, axis=1)
        sheet.paste(Image.fromarray(ramp), corner)
        brush, small = ImageDraw.Draw(sheet), font(13)

        def at(value: float) -> int:
            return top + round((height - 1) * (1 - float(self.place(value))))

        marked = math.isfinite(self.cut) and self.low <= self.cut <= self.high
        # The cut is marked first, and a round number that would lie on it is not written.
        taken = [at(self.cut)] if marked else []
        for value in round_numbers(self.low, self.high):
            y = at(value)
            if all(abs(y - other) >= 17 for other in taken):
                taken.append(y)
                brush.line([(left + 14, y), (left + 18, y)], INK)
                brush.text((left + 21, y - 8), f"{value:,.6g}", INK, small)
        if marked:
            y = at(self.cut)
            brush.line([(left - 3, y), (left + 18, y)], FLAG, 3)
            brush.text((left + 21, y - 8), f"{self.cut:.4g}", FLAG, small)


def round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two bounds, the powers themselves first."""
    top = max(abs(low), abs(high), 1e-6)
    powers = [10.0**e for e in range(math.floor(math.log10(top)), math.floor(math.log10(top)) - 8, -1)]
    sized = [0.0, *powers, *(5 * p for p in powers), *(2 * p for p in powers)]
    return [v for v in (*sized, *(-v for v in sized[1:])) if low <= v <= high]


@cache
def font(size: int) -> Any:
    """The font that comes with matplotlib, which need not be imported for it; else the one in Pillow."""
    matplotlib = find_spec("matplotlib")
    for folder in (matplotlib.submodule_search_locations or []) if matplotlib else []:
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)


def _highest(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """The highest value of each ``step x step`` block, NaN where all values are."""
    if step == 1:
        return values
    rows, cols = (-(-n // step) for n in values.shape)
    padded = np.full((rows * step, cols * step), np.nan, np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    return np.asarray(np.fmax.reduce(np.fmax.reduce(padded.reshape(rows, step, cols, step), axis=3), axis=1))


def _coloured(score: NDArray[np.float32], scale: ScoreScale) -> NDArray[np.uint8]:
    """Scores ``(rows, cols)`` as colours ``(rows, cols, 3)``; an invalid pixel is as white as the paper."""
    image = viridis(scale.place(score))
    image[~np.isfinite(score)] = PAPER
    return image


def _enlarged(pixels: NDArray[np.uint8]) -> Image.Image:
    """``(rows, cols, 3)`` with whole squares for pixels; a strip of few rows or columns is drawn at least 12 wide."""
    rows, cols = pixels.shape[:2]
    factor = max(1, PANEL // max(rows, cols))
    size = max(12, cols * factor), max(12, rows * factor)
    return Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)


def _flagged(colour: NDArray[np.uint8], flags: NDArray[np.bool_], thicken: bool) -> Image.Image:
    """The scene faded, flagged pixels on it; ``thicken``: at least three wide, so that one alone is seen."""
    faded = (colour * 0.45 + 255 * 0.5).astype(np.uint8)
    if thicken:
        wide = np.pad(flags, 1)
        flags = np.logical_or.reduce(
            [wide[r : r + flags.shape[0], c : c + flags.shape[1]] for r in range(3) for c in range(3)]
        )
    faded[flags] = FLAG
    return _enlarged(faded)
