"""``index.html``: a batch on one page, with what to look at, charts over dates, and a row for each scene."""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from specvae.export.colours import css_variables
from specvae.export.contents import PAGE, QUICKLOOK, ResultFile
from specvae.export.result_folders import holds
from specvae.export.watch.contents import PAGE as WATCH_PAGE
from specvae.pipeline.summary.charts import HEIGHT, LEFT, RIGHT, WIDTH, ChartedScene, charts_of
from specvae.pipeline.summary.outcome import Batch
from specvae.pipeline.summary.run_json import AlertJson, RunJson, SceneJson

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["render_index"]

SHOWN_ALERTS = 12
"""Alerts that the page shows; the others are in ``run.json``."""


class _Scene(ChartedScene):
    """A scene as a row of the page, with the address of its picture."""

    thumbnail: str


class _Alert(AlertJson):
    """An alert of the page, with the address of the scene's report."""

    href: str


def render_index(batch: Batch, run: RunJson) -> str:
    """The page of a batch whose ``run.json`` is ``run``. Links are relative to the batch's own folder; text is escaped."""
    scenes = [
        _Scene(**scene, href=_report(scene["folder"], scene["status"], batch.out), thumbnail=_picture(scene, batch.out))
        for stage in run["stages"]
        for scene in stage["scenes"]
    ]
    alerts = [
        _Alert(**alert, href=_report(alert["folder"], alert["status"], batch.out))
        for alert in run["alerts"][:SHOWN_ALERTS]
    ]
    return _template().render(
        run=run,
        scenes=scenes,
        alerts=alerts,
        more=len(run["alerts"]) - SHOWN_ALERTS,
        charts=charts_of(scenes),
        claim=_claim(run["counts"], len(run["alerts"])),
        palette=css_variables(),
        size={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
    )


def _claim(counts: dict[str, int], alerts: int) -> str:
    """The sentence at the top of the page."""
    good = counts["done"] + counts["already"]
    bad = counts["invalid"] + counts["failed"]
    lost = f"; {bad:,} could not be scored" if bad else ""
    look = f"{alerts:,} to look at" if alerts else "nothing to look at"
    return f"{good:,} of {counts['total']:,} scenes are scored, {counts['done']:,} of them now{lost}: {look}."


def _report(folder: str, status: str, out: str) -> str:
    """Address of the page of a scene or a watched place, empty where it has none."""
    return _address(folder, PAGE, status, out) or _address(folder, WATCH_PAGE, status, out)


def _picture(scene: SceneJson, out: str) -> str:
    """Address of a scene's quicklook, empty where there is none."""
    return _address(scene["folder"], QUICKLOOK, scene["status"], out)


def _address(folder: str, file: ResultFile, status: str, out: str) -> str:
    """Address of a result file from ``out``; empty where the scene has no result, or one without this product."""
    there = status in ("done", "already") and holds(folder, file)
    return (Path(os.path.relpath(folder, out)) / file.name).as_posix() if there else ""


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    text = resources.files("specvae.pipeline.summary").joinpath("index.html").read_text(encoding="utf-8")
    # Names of scenes come from outside, hence the escaping; a name misspelt in the template is an error, not a gap.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["link"] = quote
    return environment.from_string(text)
