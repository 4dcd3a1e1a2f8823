"""A real place, 21 dates of Sentinel-2 over the Rufiji delta: what a watch confirms there, and what lost its vegetation."""

from __future__ import annotations

import re
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from specvae.alerts.pixels import Status
from specvae.benchmarks.watch.clouds import write_usable_ground
from specvae.benchmarks.watch.real_picture import draw_alerts
from specvae.benchmarks.watch.vegetation_loss import EIGHT, Patch, vegetation_loss
from specvae.export.contents import SCORE
from specvae.export.watch.contents import STATUS
from specvae.ingest.options import IngestOptions
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score
from specvae.stages.watch.request import WatchRequest
from specvae.stages.watch.run import watch

__all__ = ["SERIES", "RealPlace", "watch_real_place"]

SERIES = "rufiji_timeseries"
"""Folder of the scenes."""
LAST_NORMAL = "2018-12-31"
"""Date until which the scenes are normal ground: the model knows what is looked for from none of its pixels."""
RATE = 0.1
"""Asked false alerts of the place in a year: the default of the command."""


@dataclass(frozen=True)
class RealPlace:
    """What was confirmed at the place, beside what lost its vegetation."""

    dates: int
    fitted: int
    """Dates that the model was fitted on."""
    left_out: list[str]
    """Dates whose verdict was do-not-use."""
    needed: float
    """Nats of evidence that confirm."""
    alerts: list[dict[str, Any]]
    """The rows of ``alerts.json``, and ``on_loss``: whether the alert touches a patch that lost its vegetation."""
    confirmed_pixels: int
    confirmed_on_loss: int
    """Confirmed pixels on such a patch or next to one."""
    patches: list[dict[str, Any]]
    """The patches that lost their vegetation, the largest first: row, col, pixels, nats before and after, status."""
    realised: list[float]
    """Share of looks at ground without an alert with a p-value of at most each of LEVELS."""
    seconds: float

    @property
    def line(self) -> str:
        """One line about the place."""
        sure = sum(alert["confirmed_on"] is not None for alert in self.alerts)
        return (
            f"Rufiji: {sure} confirmed of {len(self.alerts)} alerts; {len(self.patches)} patches lost their vegetation"
        )


def watch_real_place(series: Path, out: Path, quick: bool) -> RealPlace:
    """Mask clouds, fit on the dates of ``series`` until LAST_NORMAL, score and watch all, and draw the alerts into ``out``."""
    started = time.perf_counter()
    scenes = sorted(series.glob("S2_*.tif"))
    with tempfile.TemporaryDirectory(prefix="specvae-watch-") as folder:
        work = Path(folder)
        for scene in scenes:
            write_usable_ground(scene, work / scene.name)
        alerts = _watched(scenes, work, quick)
        status = _first_band(work / "watch" / STATUS.name)
        draw_alerts(out, series, status, alerts["alerts"])
        loss = vegetation_loss(
            scenes, [work / scene.name for scene in scenes], [day_of(s) <= LAST_NORMAL for s in scenes]
        )
        near = binary_dilation(loss.any, EIGHT)
        sure = status == Status.CONFIRMED
        scores = {day_of(s): _first_band(work / "reports" / s.stem / SCORE.name) for s in scenes}
        return RealPlace(
            dates=len(scenes),
            fitted=sum(day_of(scene) <= LAST_NORMAL for scene in scenes),
            left_out=alerts["dates"]["left_out"],
            needed=alerts["needed_evidence"],
            alerts=[row | {"on_loss": bool(near[row["row"], row["col"]])} for row in alerts["alerts"]],
            confirmed_pixels=int(sure.sum()),
            confirmed_on_loss=int((sure & near).sum()),
            patches=[_judged(patch, scores, status) for patch in loss.patches],
            realised=[float(share or 0) for share in alerts["assumption"]["realised"]],
            seconds=time.perf_counter() - started,
        )


def day_of(scene: Path) -> str:
    """The date of a scene, of its name, ISO 8601."""
    year, month, day = re.findall(r"(\d{4})(\d\d)(\d\d)", scene.stem)[0]
    return f"{year}-{month}-{day}"


def _watched(scenes: Sequence[Path], work: Path, quick: bool) -> dict[str, Any]:
    """Fit, score and watch; the content of alerts.json."""
    ingest = IngestOptions(mask=str(work / "{stem}.tif"), nodata="0")
    normal = [str(scene) for scene in scenes if day_of(scene) <= LAST_NORMAL]
    settings = ("training.steps=60", "training.refits=0") if quick else ()
    model = str(work / "model.specvae")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(normal, FitRequest(model=model, ingest=ingest, set=settings))
        run = score(
            [str(scene) for scene in scenes], ScoreRequest(model=model, out=str(work / "reports"), ingest=ingest)
        )
    failed = [outcome.message for outcome in run.outcomes if outcome.status == "failed"]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(scenes)} dates were not scored: {failed[0]}")
    watched = watch([str(work / "reports")], WatchRequest(out=str(work / "watch"), false_alert_rate=RATE))
    return dict(watched.alerts)


def _first_band(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as read:
        return np.asarray(read.read(1))


def _judged(patch: Patch, scores: dict[str, NDArray[Any]], status: NDArray[np.uint8]) -> dict[str, Any]:
    """A patch with the median score of its pixels before and after, and the most that the watch says of one of them."""
    at = tuple(patch.at.T)
    before, after = (
        [values[at] for day, values in scores.items() if (day <= LAST_NORMAL) is normal] for normal in (True, False)
    )
    own = status[at]
    known = own[own != Status.NEVER_SEEN]
    return {
        "row": int(patch.at[:, 0].mean()),
        "col": int(patch.at[:, 1].mean()),
        "pixels": len(patch.at),
        "nats_before": float(np.nanmedian(before)),
        "nats_after": float(np.nanmedian(after)),
        "confirmed": int((own == Status.CONFIRMED).sum()),
        "status": Status(int(known.max(initial=0))).name.lower(),
    }
