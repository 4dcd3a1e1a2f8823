"""Charts of a batch over the dates of its scenes, for the page's SVG: each scene is a point and links to its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log10
from urllib.parse import quote

from specvae.pipeline.summary.run_json import SceneJson

__all__ = ["Chart", "ChartedScene", "Point", "charts_of"]

WIDTH, HEIGHT = 640, 220
"""Size of a chart in the SVG's own units; the page scales it to its column."""
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 14, 26
"""Margins: the left one holds the labels of the values, the lower one those of the dates."""
INTERVALS = 4
"""Each axis has this many equal parts, and a label at both ends of each."""


class ChartedScene(SceneJson):
    """A scene of ``run.json`` with the address of its report."""

    href: str


@dataclass(frozen=True)
class Point:
    """One scene as a point of a chart, in the SVG's units."""

    x: float
    y: float
    verdict: str
    href: str
    label: str


@dataclass(frozen=True)
class Chart:
    """One quantity of the scenes over their dates."""

    title: str
    points: tuple[Point, ...]
    path: str
    """The ``d`` of an SVG path through the points, in the order of dates."""
    rows: tuple[tuple[float, str], ...]
    """Height and label of each horizontal line."""
    columns: tuple[tuple[float, str], ...]
    """Horizontal position and label of each date on the axis."""


def charts_of(scenes: Sequence[ChartedScene]) -> list[Chart]:
    """Charts of the anomalous area and of the drift; none for fewer than two dates.

    Where a scene's pixels have no known area, the share of anomalous pixels takes the place of the area.
    """
    dated = sorted((s for s in scenes if s.get("date") and s.get("valid")), key=lambda s: (str(s["date"]), s["key"]))
    # A single date has no course, and the axis of dates divides by the distance of the last from the first.
    if len({s["date"] for s in dated}) < 2:
        return []
    # One axis has one unit: a single scene without an area puts all scenes on shares.
    areas = all(s.get("pixel_area_m2") for s in dated)
    charts = [
        _chart("Anomalous area, km²" if areas else "Anomalous share, %", dated, [_amount(s, areas) for s in dated])
    ]
    drifts = [(s, s["drift"]) for s in dated if s.get("drift") is not None]
    if len({s["date"] for s, _ in drifts}) >= 2:
        title = "Drift: how far the scores moved from those of the fit, + up, - down"
        charts.append(_chart(title, [s for s, _ in drifts], [drift or 0.0 for _, drift in drifts]))
    return charts


def _amount(scene: ChartedScene, area: bool) -> float:
    """Anomalous area in km², or the percentage of valid pixels that are anomalous."""
    anomalous = scene["anomalous"] or 0
    if area:
        return anomalous * (scene["pixel_area_m2"] or 0.0) / 1e6
    return 100 * anomalous / (scene["valid"] or 1)


def _chart(title: str, scenes: Sequence[ChartedScene], values: Sequence[float]) -> Chart:
    """A chart of one value a scene; the scenes are in the order of their dates."""
    days = [date.fromisoformat(str(s["date"])).toordinal() for s in scenes]
    first, last = days[0], days[-1]
    least, most = min(values), max(values)
    # The axis always shows zero, and ends at a round number on each side that has values.
    bottom = -_round_up(-least) if least < 0 else 0.0
    top = _round_up(most) if most > 0 or least >= 0 else 0.0
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    xs = [LEFT + width * (day - first) / (last - first) for day in days]
    ys = [HEIGHT - BOTTOM - height * (value - bottom) / (top - bottom) for value in values]
    points = tuple(
        Point(round(x, 1), round(y, 1), str(s.get("verdict")), quote(s["href"]), f"{s['key']}, {s['date']}: {v:.4g}")
        for x, y, s, v in zip(xs, ys, scenes, values, strict=True)
    )
    path = "M" + " L".join(f"{p.x} {p.y}" for p in points)
    shares = [k / INTERVALS for k in range(INTERVALS + 1)]
    rows = tuple((HEIGHT - BOTTOM - height * share, f"{bottom + (top - bottom) * share:.3g}") for share in shares)
    columns = tuple(
        (LEFT + width * share, date.fromordinal(round(first + (last - first) * share)).isoformat()) for share in shares
    )
    return Chart(title, points, path, rows, columns)


def _round_up(value: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below ``value``; 1 for zero."""
    if value <= 0:
        return 1.0
    scale: float = 10.0 ** floor(log10(value))
    # The default is for rounding alone, which may take the logarithm of a number for that of its neighbour.
    return next((m * scale for m in (1, 2, 5, 10) if m * scale >= value), ceil(value))
