"""The rows and the page of the calibration benchmark: its tables, figures, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from specvae.benchmarks.calibration.checkerboard import Board
from specvae.benchmarks.calibration.checkerboard_page import board_rows, write_boards
from specvae.benchmarks.calibration.known import Known, known_rows, write_known
from specvae.benchmarks.calibration.planted import Planted, planted_rows, write_planted
from specvae.benchmarks.calibration.series import Dates
from specvae.benchmarks.calibration.series_page import write_dates
from specvae.benchmarks.calibration.trial import FILLS, METHODS, RATES, Trial
from specvae.benchmarks.report import Environment, Report, Row, pyplot, table, tried, write_figure

__all__ = ["rows_of", "write_page"]

BAND = {1e-1: (0.8, 1.25), 1e-2: (0.8, 1.25), 1e-3: (0.5, 2.0)}
"""Asked rate -> limits of realised over asked that the median over the data sets must keep."""
ENOUGH = 30
"""Expected pixels above the cut from which a data set counts: with fewer, chance moves the rate by a fifth and more."""
LEAST_RATIO = 0.05
"""Ratios below this are drawn alike; a rate of zero has no logarithm."""


def rows_of(
    trials: Sequence[Trial],
    boards: Sequence[Board],
    planted: Sequence[Planted],
    known: Known | None,
    dates: Dates | None,
    seeds: int,
) -> list[Row]:
    """Rows of ``metrics.json``: realised rates (median, 5 % and 95 % over the splits), detection rates, and the series."""
    rows = []
    for trial in trials:
        for (method, rate), values in trial.realised.items():
            for name, share in (("", 0.5), ("_p05", 0.05), ("_p95", 0.95)):
                value = float(np.quantile(values, share))
                rows.append(Row(trial.name, method, f"realised_{rate:g}{name}", value, seeds, trial.seconds))
        for (rate, fill), values in trial.power.items():
            metric = f"detected_{rate:g}_fill_{fill:g}"
            rows.append(Row(trial.name, "specvae", metric, float(np.mean(values)), seeds, trial.seconds))
    for verdict in dates.verdicts if dates else ():
        for rate, share in verdict.realised.items():
            rows.append(Row(verdict.name, "specvae", f"series_realised_{rate:g}", share, 1, 0.0))
    return rows + board_rows(boards) + planted_rows(planted) + (known_rows(known) if known else [])


def write_page(
    out: Path,
    trials: Sequence[Trial],
    boards: Sequence[Board],
    planted: Sequence[Planted],
    known: Known | None,
    dates: Dates | None,
    made_with: Environment,
) -> None:
    """Write ``report.md`` and its figures into ``out``."""
    report = Report("Calibration: asked against realised false-alarm rates")
    if trials:
        _sets(out, report, trials)
    _scenes(report, boards, planted)
    powered = [trial for trial in trials if trial.power]
    if powered:
        report.section("Detection of planted spectra").text(
            "The mean training spectrum, its bands reversed, takes a share of single held-out pixels. Shares found at each "
            "asked rate:"
        )
        report.text(_power_table(powered))
        report.figure(
            _power_figure(out, powered), "Detection rate against the share of the pixel that the target fills."
        )
    if known is not None:
        write_known(report, known)
    if dates is not None:
        write_dates(out, report, dates)
    report.section("What was tried").text(
        "For intervals that cover as they say, for the fire of Cold Springs, whose cut the rims of clouds set, for objects at a "
        "false-discovery rate, and for checkerboards of small cloudy scenes."
    )
    report.text(tried("specvae.benchmarks.calibration")).made_with(made_with).write(out)


def _sets(out: Path, report: Report, trials: Sequence[Trial]) -> None:
    """What realises on sets of normal data, half of whose blocks are held out."""
    report.text(
        "Each set of normal data (known anomalies taken out) is cut in blocks. The model is fitted on half of them; random "
        "halves of the rest calibrate and test, 20 times a seed. A cell is the median of realised / asked over these "
        "splits, with 5 and 95 % in brackets. `specvae` is the product's threshold, `training-quantile` the same score's "
        "quantile over its own training pixels, `chi-square` the textbook CFAR of the Mahalanobis distance."
    )
    report.section("Realised over asked")
    for rate in RATES:
        report.text(f"Asked {rate:g}:").text(_realised_table(trials, rate))
    report.text(_reading(trials))
    report.figure(_ratio_figure(out, trials), "Realised over asked for every set; the band is the target.")


def _scenes(report: Report, boards: Sequence[Board], planted: Sequence[Planted]) -> None:
    """The sections on complete scenes, where there are any."""
    if boards:
        write_boards(report, boards)
    if planted:
        write_planted(report, planted)


def _cell(trial: Trial, method: str, rate: float) -> str:
    """Realised over asked: the median over the splits, with 5 % and 95 % in brackets."""
    low, middle, high = (float(q) / rate for q in np.quantile(trial.realised[method, rate], [0.05, 0.5, 0.95]))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _realised_table(trials: Sequence[Trial], rate: float) -> str:
    rows = []
    for trial in trials:
        enough = "yes" if trial.calibration_pixels * rate >= ENOUGH else "no"
        supported = f"{np.mean(trial.supported[rate]):.0%}"
        rows.append(
            [trial.name, trial.calibration_pixels, enough, supported, *(_cell(trial, m, rate) for m in METHODS)]
        )
    return table(["set", "calibration pixels", "30 / rate of them", "rate supported", *METHODS], rows)


def _over_sets(trials: Sequence[Trial], method: str, rate: float) -> tuple[float, int]:
    """Median over the data sets with enough calibration pixels of their median ratio, and the number of these sets."""
    ratios = [t.median(method, rate) / rate for t in trials if t.calibration_pixels * rate >= ENOUGH]
    return (float(np.median(ratios)) if ratios else float("nan")), len(ratios)


def _reading(trials: Sequence[Trial]) -> str:
    """What the table says at each asked rate, and whether the target is met."""
    lines = []
    for rate in RATES:
        parts = []
        for method in METHODS:
            ratio, count = _over_sets(trials, method, rate)
            parts.append(f"{method} {ratio:.2f}" if count else f"{method}: no set has enough pixels")
        count = _over_sets(trials, METHODS[0], rate)[1]
        met = np.mean([np.mean(t.covered[rate]) for t in trials])
        low, high = BAND[rate]
        ours = _over_sets(trials, "specvae", rate)[0]
        verdict = "not judged" if not count else "met" if low <= ours <= high else "missed"
        lines.append(
            f"- asked {rate:g}: median over the {count} sets with at least {ENOUGH / rate:.0f} calibration pixels: "
            f"{', '.join(parts)}; target {low:g} to {high:g}: {verdict}. The 90 % intervals of the two halves met in "
            f"{met:.0%} of all splits."
        )
    return "\n".join(lines)


def _ratio_figure(out: Path, trials: Sequence[Trial]) -> Path:
    """Realised over asked of every data set and method, a panel an asked rate."""
    figure, axes = pyplot().subplots(1, len(RATES), figsize=(12, 0.34 * len(trials) + 1.8), sharey=True)
    marks = dict(zip(METHODS, ("o", "s", "^"), strict=True))
    for axis, rate in zip(axes, RATES, strict=True):
        axis.axvspan(*BAND[rate], color="0.9")
        axis.axvline(1, color="0.6", linewidth=1)
        for method in METHODS:
            ratios = [max(t.median(method, rate) / rate, LEAST_RATIO) for t in trials]
            axis.plot(ratios, range(len(trials)), marks[method], label=method, markersize=5)
        axis.set_xscale("log")
        # No ratio can exceed 1 / rate, which is all pixels above the cut.
        axis.set_xlim(0.04, 2 / rate if rate < 0.1 else 12)
        axis.set_title(f"asked {rate:g}")
        axis.set_xlabel("realised / asked (0.05: that or less)")
    axes[0].set_yticks(range(len(trials)), [t.name for t in trials])
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 0.92), ncols=3)
    return write_figure(out, "realised", figure)


def _power_table(trials: Sequence[Trial]) -> str:
    header = ["set", "asked", *(f"{fill:.0%} fill" for fill in FILLS)]
    rows = [
        [trial.name, f"{rate:g}", *(f"{np.mean(trial.power[rate, fill]):.2f}" for fill in FILLS)]
        for trial in trials
        for rate in RATES
    ]
    return table(header, rows)


def _power_figure(out: Path, trials: Sequence[Trial]) -> Path:
    """Detection rate against the fill, a panel an asked rate: a line a data set, and their median."""
    figure, axes = pyplot().subplots(1, len(RATES), figsize=(12, 4), sharey=True)
    for axis, rate in zip(axes, RATES, strict=True):
        curves = np.array([[np.mean(t.power[rate, fill]) for fill in FILLS] for t in trials])
        axis.plot(FILLS, curves.T, color="0.75", linewidth=1)
        axis.plot(FILLS, np.median(curves, axis=0), "o-", color="C0", label="median over sets")
        axis.set_title(f"asked {rate:g}")
        axis.set_xlabel("fill")
        axis.set_ylim(-0.02, 1.02)
    axes[0].set_ylabel("share of planted pixels found")
    axes[0].legend(loc="lower right")
    return write_figure(out, "power", figure)
