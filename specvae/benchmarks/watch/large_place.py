"""A large place: what a night of watching it costs beside scoring it, in time and memory, without alerts and with thousands."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import numpy as np

from specvae.benchmarks.speed.processes import Timing, fit_models, timed_command
from specvae.benchmarks.watch.night_maps import VARIANTS, write_night
from specvae.export.contents import ITEM, PAGE, REPORT, SCORE
from specvae.files.json_files import read_json, write_json
from specvae.stages.demo.scenes import write_large_scene

__all__ = ["DATES", "SIDE", "LargePlace", "watch_large_place"]

SIDE, DATES = 2048, 60
BANDS, FITTED_SIDE = 12, 512
LATEST = 3
"""Nights that are timed one by one, and after each of them scoring; those before are taken in at once."""
MODELS = ("score-context", "score")
"""Models that score: the last one's scores are what the dates are made of."""
FIRST = date(2025, 1, 3)


@dataclass(frozen=True)
class LargePlace:
    """What the nights of one place cost."""

    side: int
    dates: int
    score_seconds: float
    """Wall seconds of scoring one date, without context and with it, as separate processes: the median of runs in turn."""
    context_seconds: float
    score_cpu: float
    context_cpu: float
    """Processor seconds of the same."""
    night_seconds: list[float]
    """Wall seconds of ``specvae watch`` for each of the last nights, the process from start to end."""
    night_cpu: list[float]
    peak_mib: float
    """Most memory of any of these processes."""
    open_alerts: int
    page_mb: float
    alert_pixels: int = 0
    """Pixels of open alerts."""

    @property
    def line(self) -> str:
        """One line about the place."""
        night = float(np.median(self.night_seconds))
        return (
            f"{self.side} x {self.side} x {self.dates} dates, {self.open_alerts} alerts: a night {night:.1f} s, scoring "
            f"{self.score_seconds:.1f} s"
        )


def watch_large_place(side: int, dates: int, device: str) -> tuple[LargePlace, LargePlace]:
    """Make, score and watch a place of ``side`` x ``side`` pixels: quiet, and after nights on which thousands of fires burn."""
    with tempfile.TemporaryDirectory(prefix="specvae-watch-") as folder:
        work = Path(folder)
        small, scene = work / "small.tif", work / "scene.tif"
        write_large_scene(small, FITTED_SIDE, BANDS)
        fit_models(work, small, device)
        write_large_scene(scene, side, BANDS)
        for name in MODELS:
            _scored(work, scene, name, device)
        runs = _quiet_nights(work, scene, dates, device)
        quiet = _measured(work, side, dates, [run[0] for run in runs], [run[1:] for run in runs])
        burning = _burning_nights(work, dates)
        return quiet, _measured(work, side, dates + len(burning), burning[1:], [run[1:] for run in runs])


def _measured(
    work: Path, side: int, dates: int, nights: Sequence[Timing], scorings: Sequence[tuple[Timing, ...]]
) -> LargePlace:
    """What the nights cost, and what each of MODELS beside them."""
    context, plain = zip(*scorings, strict=True)
    folder = work / "place" / "watch"
    alerts = read_json(folder / "alerts.json")
    still = [alert for alert in alerts["alerts"] if alert["status"] != "closed"]
    return LargePlace(
        side,
        dates,
        median(run.seconds for run in plain),
        median(run.seconds for run in context),
        median(run.cpu_seconds for run in plain),
        median(run.cpu_seconds for run in context),
        [night.seconds for night in nights],
        [night.cpu_seconds for night in nights],
        max(night.peak_mib for night in nights),
        int(alerts["counts"]["open"]),
        (folder / "index.html").stat().st_size / 1e6,
        sum(alert["pixels"] for alert in still),
    )


def _scored(work: Path, scene: Path, name: str, device: str) -> Timing:
    """Score the scene."""
    model = work / f"{name}.specvae"
    return timed_command("score", scene, "--model", model, "--out", work / "scored", "--overwrite", "--device", device)


def _quiet_nights(work: Path, scene: Path, dates: int, device: str) -> list[tuple[Timing, ...]]:
    """The cost of each of the last nights, and of scoring with each of MODELS after it, when the machine is as busy."""
    source, place = work / "scored" / "scene", work / "place"
    runs: list[tuple[Timing, ...]] = []
    numbers = range(min(VARIANTS, dates))
    maps = [write_night(source / SCORE.name, work / f"variant{number}.tif", number) for number in numbers]
    for number in range(dates):
        _add_date(source, place, maps[number % len(maps)], number)
        if number == dates - LATEST - 1:
            timed_command("watch", place)
        elif number >= dates - LATEST:
            night = timed_command("watch", place)
            runs.append((night, *(_scored(work, scene, name, device) for name in MODELS)))
    return runs


def _burning_nights(work: Path, dates: int) -> list[Timing]:
    """The cost of LATEST + 1 nights after ``dates`` on which thousands of fires burn: all begin on the first of them."""
    source, place = work / "scored" / "scene", work / "place"
    nights = []
    for number in range(dates, dates + LATEST + 1):
        # The last map's name stands for none of the others: each night has noise and clouds of its own.
        scores = write_night(source / SCORE.name, work / "burning.tif", number % VARIANTS, fires=True)
        _add_date(source, place, scores, number)
        scores.unlink()
        nights.append(timed_command("watch", place))
    return nights


def _add_date(source: Path, place: Path, scores: Path, number: int) -> None:
    """A finished folder of another date, as scoring leaves it."""
    day = (FIRST + timedelta(days=5 * number)).isoformat()
    folder = place / f"S2_{day.replace('-', '')}"
    folder.mkdir(parents=True)
    os.link(scores, folder / SCORE.name)
    for name in (REPORT.name, PAGE.name):
        shutil.copyfile(source / name, folder / name)
    item = json.loads((source / ITEM.name).read_text(encoding="utf-8"))
    item["properties"] |= {
        "datetime": f"{day}T10:30:00Z",
        "specvae:datetime_from": "scene",
        "specvae:key": folder.name,
        "specvae:verdict": "ok",
        "specvae:drift_verdict": "ok",
    }
    write_json(folder / ITEM.name, item)
