"""The section on checkerboards in the page of the calibration benchmark, and its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from specvae.benchmarks.calibration.checkerboard import BOARD_RATES, ENOUGH, SIDE, Board
from specvae.benchmarks.report import Report, Row, table

__all__ = ["board_rows", "write_boards"]

MEDIAN = {1e-2: (0.8, 1.25), 1e-3: (0.7, 1.4)}
"""Asked rate -> limits of realised over asked that the median over the judged scenes is to keep."""
WIDEST = {1e-2: (0.5, 2.0), 1e-3: (1 / 3, 3.0)}
"""Asked rate -> limits that every judged scene is to keep."""
SPAN, SPAN_PIXELS = 6.0, 100_000
"""The 90 % interval of the default rate is to span less than this factor, from so many fitted pixels on."""


def board_rows(boards: Sequence[Board]) -> list[Row]:
    """Rows of ``metrics.json``: the rates that realised between the fitted squares, and the ends of their intervals."""
    rows = []
    for board in boards:
        name = f"{board.name}, checkerboard"
        for rate in BOARD_RATES:
            low, high = board.interval[rate]
            for metric, value in (("realised", board.realised[rate]), ("interval_low", low), ("interval_high", high)):
                rows.append(Row(name, "specvae", f"{metric}_{rate:g}", value, 1, board.seconds))
    return rows


def write_boards(report: Report, boards: Sequence[Board]) -> None:
    """Add the section to the page."""
    report.section("Checkerboards of whole scenes")
    report.text(
        f"Each scene is fitted on every second square of {SIDE} x {SIDE} pixels with the default settings, so that its cuts come "
        "from cross-fitting on those squares, and the rate is counted on the squares between them, by the model that is "
        f"shipped. A scene is judged at a rate where at least {ENOUGH} fitted pixels are expected above its cut."
    )
    header = ["scene", "fitted pixels", *(f"asked {rate:g}: realised / asked" for rate in BOARD_RATES)]
    header += [f"90 % interval at {BOARD_RATES[-1]:g}", "cut", "contaminated", "fit, s"]
    report.text(table(header, [_line(board) for board in boards]))
    report.text("\n".join([*(_reading(boards, rate) for rate in BOARD_RATES), _spans(boards)]))


def _line(board: Board) -> list[str | int]:
    low, high = board.interval[BOARD_RATES[-1]]
    ratios = [
        f"{board.realised[rate] / rate:.2f}" + ("" if board.judged(rate) else " (not judged)") for rate in BOARD_RATES
    ]
    contaminated = "yes" if board.contaminated else "no"
    method = board.method[BOARD_RATES[-1]]
    return [board.name, board.pixels, *ratios, f"{low:.2g} to {high:.2g}", method, contaminated, f"{board.seconds:.0f}"]


def _reading(boards: Sequence[Board], rate: float) -> str:
    """What the table says at one rate, and whether the targets are met."""
    ratios = {board.name: board.realised[rate] / rate for board in boards if board.judged(rate)}
    if not ratios:
        return f"- asked {rate:g}: no scene is large enough to be judged."
    median = float(np.median(list(ratios.values())))
    (low, high), (least, most) = MEDIAN[rate], WIDEST[rate]
    beyond = [f"{name} {ratio:.2f}" for name, ratio in ratios.items() if not least <= ratio <= most]
    return (
        f"- asked {rate:g}: median over {len(ratios)} judged scenes {median:.2f}, target {low:g} to {high:g}: "
        f"{'met' if low <= median <= high else 'missed'}; none is to be beyond {least:.2g} to {most:.2g}: "
        f"{'missed by ' + ', '.join(beyond) if beyond else 'met'}."
    )


def _spans(boards: Sequence[Board]) -> str:
    """How wide the intervals of the default rate are where there are pixels enough."""
    spans = [
        b.interval[BOARD_RATES[-1]][1] / max(b.interval[BOARD_RATES[-1]][0], 1e-12)
        for b in boards
        if b.pixels >= SPAN_PIXELS
    ]
    if not spans:
        return f"- no scene has {SPAN_PIXELS:,} fitted pixels."
    verdict = "met" if max(spans) < SPAN else "missed"
    return (
        f"- the 90 % interval at {BOARD_RATES[-1]:g} spans a factor of {max(spans):.1f} at most over the {len(spans)} scenes with "
        f"{SPAN_PIXELS:,} fitted pixels and more, target {SPAN:g}: {verdict}."
    )
