"""``index.html``: the batch on one page, its scenes with thumbnails, what to look at, and charts over dates."""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from specvae.pipeline.summary.charts import HEIGHT, LEFT, RIGHT, WIDTH, charts_of
from specvae.pipeline.summary.outcome import Batch

__all__ = ["render_index"]

SHOWN_ALERTS = 12


def render_index(batch: Batch, told: dict[str, Any]) -> str:
    """The page; ``told`` is run.json. Links are relative to the batch's own folder; all text is escaped."""
    scenes = [_linked(scene, batch.out) for stage in told["stages"] for scene in stage["scenes"]]
    alerts = [_linked(alert, batch.out) for alert in told["alerts"]]
    return str(
        _template().render(
            run=told, scenes=scenes, alerts=alerts[:SHOWN_ALERTS], more=len(alerts) - SHOWN_ALERTS,
            charts=charts_of(scenes), claim=_claim(told["counts"], len(alerts)),
            size={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
        )
    )  # fmt: skip


def _claim(counts: dict[str, int], alerts: int) -> str:
    good = counts["done"] + counts["already"]
    bad = counts["invalid"] + counts["failed"]
    lost = f"; {bad:,} could not be scored" if bad else ""
    look = f"{alerts:,} to look at" if alerts else "nothing to look at"
    return f"{good:,} of {counts['total']:,} scenes are scored, {counts['done']:,} of them now{lost}: {look}."


def _linked(scene: dict[str, Any], out: str) -> dict[str, Any]:
    folder = Path(scene["folder"])
    scored = scene["status"] in ("done", "already")
    place = Path(os.path.relpath(folder, out))
    picture = scored and (folder / "quicklook.png").is_file()
    return scene | {
        "href": (place / "report.html").as_posix() if scored else "",
        "thumbnail": (place / "quicklook.png").as_posix() if picture else "",
    }


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    text = resources.files("specvae.pipeline.summary").joinpath("index.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["link"] = _quoted
    return environment.from_string(text)


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
