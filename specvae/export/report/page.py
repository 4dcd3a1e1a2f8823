"""The page of one report: a single HTML file with everything inside, which asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from specvae.export.colours import VIRIDIS, css_variables, rgb
from specvae.export.contents import PRODUCTS
from specvae.export.reasons_in_words import against_words
from specvae.export.report.again import command_again
from specvae.export.report.check_chart import check_chart, check_words
from specvae.export.report.claim import claim, count_words, noun_of, number_words, one_of
from specvae.export.report.extent import extent_of
from specvae.export.report.highest_page import shown_squares
from specvae.export.report.packing import (
    PackedArray,
    Scale,
    jpeg,
    packed_floats,
    packed_numbers,
    packed_places,
    packed_scores,
    packed_shares,
    packed_signed,
    scale_of,
)
from specvae.export.report.page_data import Case, Curves, PageData, Spectra
from specvae.export.report.sections import Report
from specvae.files.json_files import json_line

__all__ = ["claim", "render_page"]

SCRIPTS = ("page_data.js", "page_map.js", "page_charts.js", "page.js")
SHOWN_CASES = 500
"""Rows of the page's table at most."""


@cache
def _environment() -> jinja2.Environment:
    """The templates' environment, made once in a process: a batch renders a page a scene."""
    loader = jinja2.PackageLoader("specvae.export", "report")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "g": number_words,
        "n": count_words,
        "pct": _percent,
        "span": _span,
        "capitalize_first": _capitalised,
    }
    return environment


@cache
def _part(name: str) -> str:
    """The text of a script or style sheet of the page."""
    return resources.files("specvae.export.report").joinpath(name).read_text(encoding="utf-8")


@cache
def _style() -> Markup:
    """The page's style sheet, its colours first."""
    return Markup(css_variables() + _part("page.css"))


@cache
def _script() -> tuple[Markup, str]:
    """The page's script, and its SHA-256 in base64."""
    script = "\n".join(['"use strict";', *(_part(name) for name in SCRIPTS)])
    # The policy names the script by its hash: should a text from outside ever reach the page unescaped, it still does
    # not run. This is why all scripts are one, and why what changes from scene to scene is data beside it.
    return Markup(script), base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _percent(value: float | None) -> str:
    """A share as a percentage of three digits."""
    return "–" if value is None else f"{100 * value:.3g} %"


def _span(pair: list[float] | None, digits: int = 2) -> str:
    """An interval in words."""
    return "–" if not pair else f"{number_words(pair[0], digits)} to {number_words(pair[1], digits)}"


def _capitalised(text: str) -> str:
    """A text with its first letter as a capital, the others as they are."""
    return text[:1].upper() + text[1:]


def render_page(report: Report, data: PageData) -> str:
    """The page of a report. All text from outside is escaped; a policy in the page allows this one script alone."""
    script, digest = _script()
    scale = scale_of(data.picture.score if data.picture else data.curves.score)
    noun, check = noun_of(report), report["calibration"]["check"]
    against = against_words(data.surroundings, noun == "rows")
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            data=data,
            claim=claim(report),
            cases=data.cases[:SHOWN_CASES],
            columns=_columns(data.cases, noun, against),
            against=f" against {against}",
            style=_style(),
            script=script,
            digest=digest,
            payload=Markup(_payload(report, data, scale)),
            blobs=_blobs(report, data, scale),
            composite=jpeg(data.picture.composite) if data.picture else None,
            before=jpeg(data.picture.before) if data.picture and data.picture.before is not None else None,
            noun=noun,
            products=report["settings"].get("products", PRODUCTS),
            one=one_of(report),
            check_chart=check_chart(check),
            check_words=check_words(check, noun),
            highest=shown_squares(data.highest),
        )
    )


TITLES = {
    "id": "object",
    "row_number": "row",
    "pixels": "pixels",
    "area_m2": "area, m²",
    "event": "event",
    "evidence": "evidence, nats",
    "peak": "peak score, nats",
    "mean": "mean score, nats",
    "score": "score, nats",
    "reconstruction": "reconstruction",
    "kl": "KL",
    "kl_share": "KL share",
    "p_value": "p-value",
    "lon": "longitude",
    "lat": "latitude",
    "known": "known",
    "keep": "kept at FDR",
    "q_value": "q-value",
}


def _columns(cases: Sequence[Case], noun: str, against: str) -> list[tuple[str, str]]:
    """Key and title of the columns that hold anything; ``against``: what the reasons compare with."""
    if not cases:
        return []
    keys = [key for key in cases[0].cells if any(case.cells[key] is not None for case in cases)]
    titles = TITLES | {"pixels": noun, "bands": f"why: against {against}"}
    return [(key, titles.get(key, key)) for key in keys]


def _payload(report: Report, data: PageData, scale: Scale) -> str:
    """What the script needs, as JSON that cannot end its element."""
    picture = data.picture
    tree = {
        **_scene_facts(report),
        "scale": [scale.low, scale.high],
        "viridis": [rgb(colour) for colour in VIRIDIS],
        "curves": _curves(data.curves),
        "envelope": None if data.envelope is None else [packed_numbers(row) for row in data.envelope],
        "history": report.get("history", []),
        "roc": report["metrics"].get("curves", {}) if "metrics" in report else {},
        **_spectra(data),
    }
    if picture is not None:
        height, width = picture.score.shape
        tree["picture"] = {"step": picture.step, "height": height, "width": width, "corners": picture.corners}
    # A "<" is escaped, for a band may be named "</script>", which would end the element and let the rest of the name run
    # as a page of its own.
    return json_line(tree).replace("<", "\\u003c")


def _scene_facts(report: Report) -> dict[str, Any]:
    """What the script needs of report.json."""
    return {
        "noun": noun_of(report),
        "one": one_of(report),
        "rows": report["scene"]["rows"],
        "cols": report["scene"]["cols"],
        "valid": report["pixels"]["valid"],
        "anomalous": report["pixels"]["anomalous"],
        "area": report["scene"].get("pixel_area_m2"),
        "threshold": report["threshold"]["value"],
        "rate": report["threshold"]["false_alarm_rate"],
        "falseShare": report["trust"]["false_share_bound"],
        "bands": report["model"]["bands"],
        "wavelengths": report["scene"].get("wavelengths"),
        "command": command_again(report),
        "objects": report["objects"].get("count"),
        "flagged": extent_of(report["pixels"]),
    }


def _curves(curves: Curves) -> dict[str, PackedArray]:
    """The curves; counts and cuts in full, since the page's own counts must be those of report.json."""
    return {
        "rate": packed_numbers(curves.rate),
        "normal_share": packed_numbers(curves.normal_share),
        "tail_share": packed_numbers(curves.tail_share),
        "score": packed_numbers(curves.score, "f8"),
        # A float of 8 bytes holds every count up to 9e15.
        "above": packed_numbers(curves.above, "f8"),
        "false_share": packed_numbers(curves.false_share),
        "normal_score": packed_numbers(curves.normal_score),
    }


def _spectra(data: PageData) -> dict[str, Any]:
    """Where the page's spectra lie; their values are packed in elements of their own."""
    return {
        "sampleStep": data.sample_step,
        "samples": _places(data.samples),
        "cases": [
            {
                "row": case.row,
                "col": case.col,
                "box": case.box,
                "pixels": case.cells.get("pixels"),
                "peak": case.cells.get("peak", case.cells.get("score")),
            }
            for case in data.cases[:SHOWN_CASES]
        ],
        "caseSpectra": None if data.case_spectra is None else _places(data.case_spectra),
    }


def _places(spectra: Spectra) -> dict[str, PackedArray]:
    """Where some spectra lie, and how they score."""
    return {
        "row": packed_places(spectra.rows),
        "col": packed_places(spectra.cols),
        "score": packed_numbers(spectra.score),
        "kl": packed_numbers(spectra.kl),
        "most": packed_numbers(np.abs(spectra.contribution).max(axis=0, initial=0.0)),
    }


def _blobs(report: Report, data: PageData, scale: Scale) -> dict[str, str]:
    """Packed arrays by the id of their element."""
    blobs = {"observed": packed_floats(data.samples.observed.T), "expected": packed_floats(data.samples.expected.T)}
    blobs["contribution"] = packed_signed(data.samples.contribution.T)
    if data.case_spectra is not None:
        blobs["case-observed"] = packed_floats(data.case_spectra.observed.T)
        blobs["case-expected"] = packed_floats(data.case_spectra.expected.T)
        blobs["case-contribution"] = packed_signed(data.case_spectra.contribution.T)
    if data.picture is not None:
        cut = report["threshold"]["value"]
        cut = math.inf if cut is None else cut
        blobs["score"] = packed_scores(data.picture.score, scale, cut)
        blobs["kl"] = packed_shares(data.picture.kl, data.picture.score)
    return blobs
