"""The held-out check in words, and as a picture: realised over asked rates of blocks, files and halves, logarithmic."""

from __future__ import annotations

import math

from markupsafe import Markup, escape

from specvae.thresholds.check import CheckSummary, RateSummary

__all__ = ["check_chart", "check_words"]

LOW, HIGH = 1 / 30, 30.0
"""Realised over asked rates at the ends of the axis; a mark beyond them is drawn at the end."""
LEFT, WIDTH, ROW, TOP = 64, 404, 56, 10
TICKS = (0.1, 0.3, 1.0, 3.0, 10.0)


def check_words(check: CheckSummary, noun: str = "pixels") -> str:
    """What ``calibration.check`` of report.json came to, and of how many of its rates that is said.

    Examples
    --------
    >>> check_words({"passed": True, "rates": [{"judged": True}, {"judged": False}, {"judged": False}]})
    'passed where it could be judged (1 of 3 rates)'
    """
    rates = check["rates"]
    judged = sum(bool(row["judged"]) for row in rates)
    if not judged:
        return f"had too few {noun} to judge by"
    verdict = "passed" if check["passed"] else "did not pass"
    return verdict if judged == len(rates) else f"{verdict} where it could be judged ({judged} of {len(rates)} rates)"


def check_chart(check: CheckSummary) -> Markup | None:
    """SVG of ``calibration.check`` of report.json; None where there is nothing to draw."""
    rows = [row for row in check["rates"] if row["blocks"] or row["realised"]]
    if not rows:
        return None
    height = TOP + ROW * len(rows) + 34
    pieces = [_row(row, TOP + ROW * i) for i, row in enumerate(rows)]
    label = "Realised over asked false-alarm rates of the held-out blocks"
    opening = f'<svg id="check" style="max-width:34rem" viewBox="0 0 480 {height}" role="img" aria-label="{label}">'
    return Markup(f"{opening}{''.join(pieces)}{_axis(height)}</svg>")


def _x(ratio: float) -> float:
    """Where a ratio of rates lies on the logarithmic axis, in units of the SVG."""
    # A block without any false alarm has a ratio of 0, which has no logarithm: it is drawn at the lower end.
    share = math.log(min(max(ratio, LOW), HIGH) / LOW) / math.log(HIGH / LOW)
    return round(LEFT + share * WIDTH, 1)


def _row(row: RateSummary, top: float) -> str:
    """One rate: the band that passes, a dot a block, a ring a file, a bar from 5 to 95 % of the halves and their median."""
    rate, middle = row["rate"], top + ROW / 2
    # The same bounds as those of the check: rare events may deviate further before it says that a rate does not hold.
    low, high = (0.8, 1.25) if rate >= 1e-2 else (0.5, 2.0)
    band = (
        f'<rect x="{_x(low)}" y="{top + 4}" width="{_x(high) - _x(low):.1f}" height="{ROW - 8}" '
        'fill="var(--band)" opacity=".5"/>'
    )
    label = f'<text x="4" y="{middle + 4}" fill="var(--ink)" font-size="13">{escape(f"{rate:g}")}</text>'
    # Dots of many blocks lie in three lines, so that those of nearly the same rate can be seen one by one.
    dots = "".join(
        f'<circle cx="{_x(share / rate)}" cy="{middle + 8 + 4 * (i % 3 - 1)}" r="2.5" fill="var(--normal)" opacity=".55"/>'
        for i, share in enumerate(row["blocks"])
    )
    rings = "".join(
        f'<circle cx="{_x(share / rate)}" cy="{middle + 8}" r="5" fill="none" stroke="var(--accent)" stroke-width="1.5"/>'
        for share in row["files"]
    )
    start, end = (_x(share / rate) for share in row["interval"])
    bar = (
        f'<path d="M{start} {middle - 12}H{end}" stroke="var(--ink)" stroke-width="2"/>'
        f'<path d="M{_x(row["realised"] / rate)} {middle - 18}v12" stroke="var(--ink)" stroke-width="3"/>'
    )
    return band + label + dots + rings + bar


def _axis(height: float) -> str:
    """The axis below the rows, with its ticks, and a line through all rows where realised and asked rates are equal."""
    bottom = height - 30
    line = f'<path d="M{LEFT} {bottom}H{LEFT + WIDTH}M{_x(1)} {TOP}V{bottom}" stroke="var(--ink)" opacity=".4"/>'
    ticks = "".join(
        f'<path d="M{_x(t)} {bottom}v4" stroke="var(--ink)"/>'
        f'<text x="{_x(t)}" y="{bottom + 17}" text-anchor="middle" fill="var(--ink)" font-size="12">{t:g}</text>'
        for t in TICKS
    )
    return line + ticks + f'<text x="4" y="{bottom + 17}" fill="var(--ink)" font-size="12">asked</text>'
