"""A large place: what a night of watching it costs beside scoring it, in time and memory, night by night."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from specvae.benchmarks.speed.processes import Timing, fit_models, timed_command
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
VARIANTS = 4
"""Maps of scores that the dates take turns with: sixty of a hundred million pixels each would fill a disk."""
NOISE, CLOUDED, ROWS = 0.04, 0.15, 512
"""Spread of what a night adds to the logarithm of a score, share of the place under clouds, rows that are written at once."""
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

    @property
    def line(self) -> str:
        """One line about the place."""
        night = float(np.median(self.night_seconds))
        return (
            f"{self.side} x {self.side} x {self.dates} dates: a night {night:.1f} s, scoring {self.score_seconds:.1f} s"
        )


def watch_large_place(side: int, dates: int, device: str) -> LargePlace:
    """Make, score and watch a place of ``side`` x ``side`` pixels."""
    with tempfile.TemporaryDirectory(prefix="specvae-watch-") as folder:
        work = Path(folder)
        small, scene = work / "small.tif", work / "scene.tif"
        write_large_scene(small, FITTED_SIDE, BANDS)
        fit_models(work, small, device)
        write_large_scene(scene, side, BANDS)
        for name in MODELS:
            _scored(work, scene, name, device)
        runs = _nights(work, scene, dates, device)
        nights = [run[0] for run in runs]
        context, plain = ([run[at] for run in runs] for at in (1, 2))
        page = work / "place" / "watch" / "index.html"
        alerts = read_json(work / "place" / "watch" / "alerts.json")
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
            page.stat().st_size / 1e6,
        )


def _scored(work: Path, scene: Path, name: str, device: str) -> Timing:
    """Score the scene."""
    model = work / f"{name}.specvae"
    return timed_command("score", scene, "--model", model, "--out", work / "scored", "--overwrite", "--device", device)


def _nights(work: Path, scene: Path, dates: int, device: str) -> list[tuple[Timing, ...]]:
    """The cost of each of the last nights, and of scoring with each of MODELS after it, when the machine is as busy."""
    source, place = work / "scored" / "scene", work / "place"
    runs: list[tuple[Timing, ...]] = []
    maps = [
        _variant(source / SCORE.name, work / f"variant{number}.tif", number) for number in range(min(VARIANTS, dates))
    ]
    for number in range(dates):
        _add_date(source, place, maps[number % len(maps)], number)
        if number == dates - LATEST - 1:
            timed_command("watch", place)
        elif number >= dates - LATEST:
            night = timed_command("watch", place)
            runs.append((night, *(_scored(work, scene, name, device) for name in MODELS)))
    return runs


def _variant(source: Path, target: Path, number: int) -> Path:
    """A map of the same scores on another night: noise on all, and a cloud over some rows."""
    rng = np.random.default_rng(number)
    with rasterio.open(source) as read:
        profile = {name: read.profile[name] for name in ("width", "height", "dtype", "nodata", "crs", "transform")}
        tiles = {"tiled": True, "blockxsize": ROWS, "blockysize": ROWS}
        packed = {"compress": "zstd", "zstd_level": 1, "predictor": 3, "num_threads": "ALL_CPUS"}
        with rasterio.open(target, "w", driver="GTiff", count=1, **profile, **tiles, **packed) as written:
            for window, scores in _rows(read):
                noise = rng.standard_normal(scores.shape, dtype=np.float32)
                scores *= np.exp(np.float32(NOISE) * noise)
                middle = window.row_off / read.height - number / VARIANTS
                if 0 <= middle < CLOUDED:
                    scores[:] = np.nan
                written.write(scores, 1, window=window)
    return target


def _rows(read: rasterio.io.DatasetReader) -> Iterator[tuple[RasterWindow, NDArray[np.float32]]]:
    for row in range(0, read.height, ROWS):
        window = RasterWindow(0, row, read.width, min(ROWS, read.height - row))
        yield window, read.read(1, window=window)


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
