"""The section of the page on the series of dates: verdicts, realised rates, what moved, and what that may mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from specvae.benchmarks.calibration.series import Dates, DateVerdict
from specvae.benchmarks.report import Report, pyplot, table, write_figure

__all__ = ["write_dates"]

WORDS = ("ok", "caution", "do-not-use")
"""The verdicts on drift."""
COLOURS = dict(zip(WORDS, ("tab:green", "tab:orange", "tab:red"), strict=True))
RANGES = {"visible": (0.0, 700.0), "near infrared": (700.0, 1100.0), "short-wave infrared": (1100.0, 3000.0)}
"""Ranges of the spectrum, nanometres."""
MOVED = 0.15
"""A range has moved if its median has passed at least this share of the training pixels."""
NEAR = 3.0
"""A date is near the asked rate if it realises within this factor of it."""
READINGS: dict[tuple[int, ...], str] = {
    (1, 1, 1): "brighter in every range: haze, thin cloud or another illumination",
    (-1, -1, -1): "darker in every range: shade, water or another illumination",
    (1, 0, 1): "brighter but no greener: drier or barer ground, or haze",
    (1, -1, 1): "less green, brighter elsewhere: drier or barer ground",
    (0, -1, 1): "less green and drier",
    (0, -1, 0): "less green",
    (0, -1, -1): "darker in the infrared: wetter, or flooded",
    (0, 0, -1): "darker in the short-wave infrared: wetter",
    (0, 0, 1): "brighter in the short-wave infrared: drier",
    (0, 1, 0): "greener",
    (0, 1, -1): "greener and wetter",
    (-1, 1, -1): "greener and wetter",
    (-1, 1, 0): "greener",
    (-1, 0, -1): "darker outside the near infrared: wetter or denser growth",
    (-1, 0, 0): "darker in the visible: clearer air or denser growth",
    (1, 0, 0): "brighter in the visible: haze, or sediment in the water",
    (1, 1, 0): "brighter up to the near infrared: haze or thin cloud",
    (1, -1, 0): "brighter in the visible and less green: haze or barer ground",
    (0, 1, 1): "brighter in the infrared: drier growth or another illumination",
    (0, 0, 0): "no range moved as a whole",
}
"""Signs of the moves in the three ranges -> what usually causes such a change. An interpretation, not a measurement."""


def write_dates(out: Path, report: Report, dates: Dates) -> None:
    """Add the section on the series to the page, and write its figure into ``out``."""
    rates = list(dates.methods)
    report.section("A series of dates: Rufiji delta, Sentinel-2").text(_how(dates))
    rows: list[list[object]] = []
    for v in dates.verdicts:
        realised = (f"{v.realised[rate]:.4f}" for rate in rates)
        rows.append(
            [v.name, "yes" if v.fitted else "no", v.valid, *realised, v.drift.verdict, "; ".join(v.drift.reasons)]
        )
    header = ["date", "fitted on", "valid pixels", *(f"realised at {rate:g}" for rate in rates), "verdict", "reasons"]
    report.text(table(header, rows))
    report.figure(_figure(out, dates, rates), "Realised rate of each date; the line is what was asked.")
    moves = [(v, _moves(v, dates.wavelengths)) for v in dates.verdicts if not v.fitted]
    if any(move for _, move in moves):
        report.text(
            "How far the median of each new date's bands lies from the training median, as a share of training pixels "
            f"(-0.5 to 0.5), averaged over the bands of a range; a move is {MOVED:g} or more:"
        ).text(_moves_table(moves))
    report.text(_reading(dates, rates))


def _how(dates: Dates) -> str:
    """How the model was fitted and calibrated, and what a reader must know of the rates."""
    cuts = ", ".join(f"{rate:g} {method}" for rate, method in dates.methods.items())
    passed = {True: "passed", False: "failed", None: "could not be judged"}[dates.check_passed]
    contamination = "was" if dates.contaminated else "was not"
    return (
        f"Fitted on {sum(v.fitted for v in dates.verdicts)} dates (every second of the first sixteen), as `specvae fit` "
        f"does, with {dates.calibration_pixels:,} held-out pixels; cuts: {cuts}; contamination {contamination} found; the held-out "
        f"check by blocks and dates {passed}. Each date is then scored whole. There is no truth: realised rates count "
        "every pixel as normal, so change and cloud are in them. A fitted date's rate counts its training pixels too."
    )


def _moves(verdict: DateVerdict, wavelengths: Sequence[float | None]) -> dict[str, float]:
    """Mean shift of the medians of the bands in each range that has any."""
    moves = {}
    for name, (low, high) in RANGES.items():
        shifts = [
            band.shift
            for band, at in zip(verdict.drift.bands, wavelengths, strict=True)
            if at is not None and low <= at < high
        ]
        if shifts:
            moves[name] = float(np.mean(shifts))
    return moves


def _moves_table(moves: Sequence[tuple[DateVerdict, dict[str, float]]]) -> str:
    rows = []
    for verdict, move in moves:
        # A move that is too small counts as none, so that the sign is -1, 0 or 1.
        signs = tuple(int(np.sign(move.get(name, 0.0))) * (abs(move.get(name, 0.0)) >= MOVED) for name in RANGES)
        cells = [f"{move[name]:+.2f}" if name in move else None for name in RANGES]
        rows.append([verdict.name, verdict.drift.verdict, *cells, READINGS.get(signs, "ranges moved apart")])
    return table(["new date", "verdict", *RANGES, "reads like"], rows)


def _reading(dates: Dates, rates: Sequence[float]) -> str:
    """What the figures say, point by point."""
    new = [v for v in dates.verdicts if not v.fitted]
    lines = [_group_line(name, group, rates) for name, group in (("fitted", _fitted(dates)), ("new", new)) if group]
    for word in WORDS:
        judged = [v for v in new if v.drift.verdict == word]
        if judged:
            lines.append(_word_line(word, judged, rates))
    lines += _unseen(new, rates) + _cautious(new, rates[0])
    # A rank correlation of fewer dates is chance.
    if len(new) >= 5:
        lines.append(_agreement(new, rates[0]))
    lines.append(
        "- What this cannot tell: whether a pixel above the cut is a false alarm or a change worth an alarm. A verdict of "
        "do-not-use says that the date is unlike the dates of the fit as a whole, so that the rate asked for no longer "
        "holds; fitting on dates of the same season, or `specvae calibrate` on a normal one of them, mends that."
    )
    return "\n".join(lines)


def _fitted(dates: Dates) -> list[DateVerdict]:
    return [v for v in dates.verdicts if v.fitted]


def _group_line(name: str, group: Sequence[DateVerdict], rates: Sequence[float]) -> str:
    medians = ", ".join(f"{np.median([v.realised[rate] for v in group]):.4f} at {rate:g}" for rate in rates)
    counts = {word: sum(v.drift.verdict == word for v in group) for word in WORDS}
    return (
        f"- {len(group)} {name} dates: median realised {medians}; "
        + ", ".join(f"{count} {word}" for word, count in counts.items())
        + "."
    )


def _word_line(word: str, judged: Sequence[DateVerdict], rates: Sequence[float]) -> str:
    """What the new dates of one verdict realise."""
    parts = []
    for rate in rates:
        realised = [v.realised[rate] for v in judged]
        near = sum(rate / NEAR <= share <= rate * NEAR for share in realised)
        over = sum(share > rate * NEAR for share in realised)
        parts.append(
            f"at {rate:g} from {min(realised):.4f} to {max(realised):.4f} ({near} within a factor of {NEAR:g}, {over} above it)"
        )
    return f"- {len(judged)} new dates judged {word} realise " + "; ".join(parts) + "."


def _unseen(new: Sequence[DateVerdict], rates: Sequence[float]) -> list[str]:
    """A line on new dates that are judged ok and yet realise far more than was asked; none where there is no such date."""
    missed = [v for v in new if v.drift.verdict == "ok" and any(v.realised[r] > 2 * r for r in rates)]
    if not missed:
        return []
    listed = "; ".join(f"{v.name} ({', '.join(f'{v.realised[r]:.4f} at {r:g}' for r in rates)})" for v in missed)
    return [
        f"- Judged ok, and yet more than twice what was asked: {listed}. A few in a hundred pixels that changed move no "
        "distribution: whether they are alarms is for the map to say, not for the verdict."
    ]


def _cautious(new: Sequence[DateVerdict], rate: float) -> list[str]:
    """A line where most new dates realise less than was asked; none otherwise."""
    below = sum(v.realised[rate] < rate for v in new)
    if below <= len(new) / 2:
        return []
    return [
        f"- {below} of {len(new)} new dates realise less than the {rate:g} that was asked. The cut comes from blocks of the fitted "
        "dates together, and the dates among them that score highest carry most of what lies above it; a quieter date stays below. "
        "The rate is one of the mixture of dates, not of each."
    ]


def _agreement(new: Sequence[DateVerdict], rate: float) -> str:
    """A line on the rank correlation of what the verdict looks at with the rate that realises."""
    realised = [v.realised[rate] for v in new]
    bands = float(stats.spearmanr([max(b.distance for b in v.drift.bands) for v in new], realised).statistic)
    scores = float(stats.spearmanr([v.drift.score_distance or 0.0 for v in new], realised).statistic)
    return (
        f"- Over the new dates, the rate realised at {rate:g} has a rank correlation of {bands:+.2f} with the move of the worst "
        f"band and of {scores:+.2f} with the move of the scores."
    )


def _figure(out: Path, dates: Dates, rates: Sequence[float]) -> Path:
    """The realised rate of each date, a panel an asked rate."""
    figure, axes = pyplot().subplots(1, len(rates), figsize=(12, 4.2), sharex=True)
    # Of a single panel matplotlib gives the axis itself, not an array.
    for axis, rate in zip(np.atleast_1d(axes), rates, strict=True):
        axis.axhline(rate, color="0.5", linewidth=1)
        for word in WORDS:
            for fitted, mark in ((True, "s"), (False, "o")):
                at = [i for i, v in enumerate(dates.verdicts) if v.drift.verdict == word and v.fitted == fitted]
                # The axis is logarithmic and has no place for a rate of zero.
                shares = [max(dates.verdicts[i].realised[rate], rate / 100) for i in at]
                label = f"{word}, {'fitted on' if fitted else 'new'}"
                axis.plot(
                    at,
                    shares,
                    mark,
                    color=COLOURS[word],
                    label=label if at else None,
                    fillstyle="none" if fitted else "full",
                )
        axis.set_yscale("log")
        axis.set_title(f"asked {rate:g}")
        axis.set_ylabel(f"realised ({rate / 100:g}: that or less)")
        axis.set_xticks(range(len(dates.verdicts)), [v.name for v in dates.verdicts], rotation=90, fontsize=7)
    np.atleast_1d(axes)[0].legend(fontsize=7)
    return write_figure(out, "series", figure)
