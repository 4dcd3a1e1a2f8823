"""The demo of a watched place: a series is made, scored by a model of another place of its kind, and watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from specvae.alerts.pixels import Status
from specvae.ingest.aligned_rows import AlignedRows, grid_of
from specvae.model.config import ContextConfig
from specvae.stages.demo.nights.series import SyntheticSeries, make_series
from specvae.stages.demo.scenes import write_scene
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score
from specvae.stages.watch.request import WatchRequest
from specvae.stages.watch.run import WatchOutcome, watch

__all__ = ["SeriesDemo", "demo_series"]

SIDE, YEARS, EVERY = 112, 1.6, 12
"""Pixels, years and days between looks of the demo: some fifty dates, scored in a minute."""
BESIDE = ContextConfig().outer // 2
"""Pixels around what was planted that are judged by surroundings with a part of it among them: the reach of the model's ring."""


@dataclass(frozen=True)
class SeriesDemo:
    """What the demo's watch made of what was planted."""

    watched: WatchOutcome
    newest: str
    confirmed: dict[str, float]
    """Kind of event -> share of its pixels that are confirmed, or were before they closed."""
    false_pixels: int
    """Confirmed pixels in which nothing was planted."""
    far_pixels: int
    """Those of them that are further than BESIDE pixels from everything that was planted."""
    normal_pixels: int


def demo_series(out: str = "demo", seed: int = 0, note: Callable[[str], None] = lambda line: None) -> SeriesDemo:
    """Make the dates of a place, fit on another place's year, score every date and watch them, as a user would."""
    place = Path(out)
    series = make_series(SIDE, SIDE, seed=seed, years=YEARS, every=EVERY)
    model = str(place / "model.specvae")
    clean = make_series(2 * SIDE, 2 * SIDE, seed + 1000, 1, 30, events=False, roofs=0, cloudiness=0)
    fit(_written(clean, place / "clean"), FitRequest(model=model, renew=True))
    note("fitted on a year of another place of this kind")
    reports = place / "reports" / "coast"
    scored = score(_written(series, place / "dates"), ScoreRequest(model=model, out=str(reports), renew=True))
    note(f"scored {len(scored.outcomes)} dates")
    return _counted(series, watch([str(reports)], replace(WatchRequest(), renew=True)))


def _written(series: SyntheticSeries, folder: Path) -> list[str]:
    """Write the nights of a series as GeoTIFF; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for night in series.nights():
        path = folder / f"{night.name}.tif"
        # The same night again is the same file: a second demo finds all of it done.
        if not path.exists():
            write_scene(path, night.values)
        paths.append(str(path))
    return paths


def _counted(series: SyntheticSeries, watched: WatchOutcome) -> SeriesDemo:
    """Count what is confirmed, read back from the map, so that what is said of it is what a user sees in it."""
    path = watched.folder / "status.tif"
    grid = grid_of(path)
    with AlignedRows(path, grid) as rows:
        status = rows.read(0, grid.rows)
    sure = np.isin(status, (Status.CONFIRMED, Status.CLOSED))
    planted = np.any([event.place for event in series.events], axis=0)
    shares = {event.kind: float(sure[event.place].mean()) for event in series.events}
    newest = str(watched.alerts["dates"]["newest"])[:10]
    far = ndimage.distance_transform_edt(~planted) > BESIDE
    false, far_false = int((sure & ~planted).sum()), int((sure & far).sum())
    return SeriesDemo(watched, newest, shares, false, far_false, int((~planted).sum()))
