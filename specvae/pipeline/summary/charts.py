"""Charts of a batch over dates, as SVG: each scene a point in its verdict's colour, a link to its report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import ceil, floor, log10
from typing import Any
from urllib.parse import quote

__all__ = ["Chart", "Point", "charts_of"]

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 14, 26


@dataclass(frozen=True)
class Point:
    """One scene, in the picture's coordinates."""

    x: float
    y: float
    verdict: str
    href: str
    label: str


@dataclass(frozen=True)
class Chart:
    """A quantity over dates."""

    title: str
    points: tuple[Point, ...]
    path: str
    """Through the points, in the order of dates."""
    rows: tuple[tuple[float, str], ...]
    """Height and label of the horizontal lines."""
    columns: tuple[tuple[float, str], ...]
    """Place and label of dates."""


def charts_of(scenes: list[dict[str, Any]]) -> list[Chart]:
    """Anomalous area (or share, where no area is known) and drift of the dated scenes; none for fewer than two dates."""
    dated = sorted((s for s in scenes if s.get("date") and s.get("valid")), key=lambda s: (s["date"], s["key"]))
    if len({s["date"] for s in dated}) < 2:
        return []
    areas = all(s.get("pixel_area_m2") for s in dated)
    anomalous = [
        s["anomalous"] * s["pixel_area_m2"] / 1e6 if areas else 100 * s["anomalous"] / s["valid"] for s in dated
    ]
    found = [_chart("Anomalous area, km²" if areas else "Anomalous share, %", dated, anomalous)]
    drifting = [s for s in dated if s.get("drift") is not None]
    if len({s["date"] for s in drifting}) >= 2:
        title = "Drift: how far the scores moved from those of the fit, + up, - down"
        found.append(_chart(title, drifting, [s["drift"] for s in drifting]))
    return found


def _chart(title: str, scenes: list[dict[str, Any]], values: list[float]) -> Chart:
    days = [date.fromisoformat(s["date"]).toordinal() for s in scenes]
    first, last = days[0], days[-1]
    least, most = min(values), max(values)
    bottom = -_round_up(-least) if least < 0 else 0.0
    top = _round_up(most) if most > 0 or least >= 0 else 0.0
    xs = [LEFT + (WIDTH - LEFT - RIGHT) * (day - first) / (last - first) for day in days]
    ys = [HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - bottom) / (top - bottom) for value in values]
    points = tuple(
        Point(round(x, 1), round(y, 1), str(s.get("verdict")), quote(s["href"]), f"{s['key']}, {s['date']}: {v:.4g}")
        for x, y, s, v in zip(xs, ys, scenes, values, strict=True)
    )
    path = "M" + " L".join(f"{p.x} {p.y}" for p in points)
    rows = tuple(
        (HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * k / 4, f"{bottom + (top - bottom) * k / 4:.3g}") for k in range(5)
    )
    columns = tuple(
        (LEFT + (WIDTH - LEFT - RIGHT) * k / 4, date.fromordinal(round(first + (last - first) * k / 4)).isoformat())
        for k in range(5)
    )
    return Chart(title, points, path, rows, columns)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 x 10^k; 1 for zero."""
    if value <= 0:
        return 1.0
    scale: float = 10.0 ** floor(log10(value))
    return next((m * scale for m in (1, 2, 5, 10) if m * scale >= value), ceil(value))
