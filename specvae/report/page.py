"""The page of one report: one self-contained HTML file."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

__all__ = ["claim", "render_page"]


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("specvae", "report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("page.html")


def claim(report: dict[str, Any]) -> str:
    """The report in one sentence."""
    pixels, cut = report["pixels"], report["threshold"]
    noun = "rows" if report["scene"]["kind"] == "table" else "pixels"
    rate = cut["false_alarm_rate"]
    expected = f"; about {rate * pixels['valid']:,.0f} would be if all were normal" if rate is not None else ""
    return f"{pixels['anomalous']:,} of {pixels['valid']:,} valid {noun} are anomalous{expected}."


def render_page(report: dict[str, Any], picture: Path) -> str:
    """The page of a report, its quicklook inside."""
    image = base64.b64encode(picture.read_bytes()).decode("ascii") if picture.exists() else ""
    return _template().render(report=report, claim=claim(report), image=image)
