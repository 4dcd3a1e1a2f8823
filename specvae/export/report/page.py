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
from markupsafe import Markup

from specvae.export.colours import VIRIDIS, css_variables, rgb
from specvae.export.contents import PRODUCTS
from specvae.export.report.check_chart import check_chart, check_words
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
    scale_of,
)
from specvae.export.report.page_data import Case, Curves, PageData, Spectra
from specvae.export.report.sections import Report
from specvae.export.report.trust import expected_words
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
    environment.filters |= {"g": _g, "n": _n, "pct": _percent, "span": _span, "capitalize_first": _capitalised}
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


def _g(value: float | None, digits: int = 4) -> str:
    """A number of a few digits, without an exponent where it has one only because it is large."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e12 else f"{value:.{digits}g}"


def _n(value: float | None) -> str:
    """A count, with two digits where it is small and no integer."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


def _percent(value: float | None) -> str:
    """A share as a percentage of three digits."""
    return "–" if value is None else f"{100 * value:.3g} %"


def _span(pair: list[float] | None, digits: int = 2) -> str:
    """An interval in words."""
    return "–" if not pair else f"{_g(pair[0], digits)} to {_g(pair[1], digits)}"


def _capitalised(text: str) -> str:
    """A text with its first letter as a capital, the others as they are."""
    return text[:1].upper() + text[1:]


def noun_of(report: Report) -> str:
    """What the report counts: rows of a table, patches or pixels."""
    if report["scene"]["kind"] == "table":
        return "rows"
    return "patches" if report["model"].get("patch") else "pixels"


def one_of(report: Report) -> str:
    """The singular of what the report counts."""
    return {"rows": "row", "patches": "patch", "pixels": "pixel"}[noun_of(report)]


def claim(report: Report) -> str:
    """The report in one sentence."""
    pixels = report["pixels"]
    noun = noun_of(report)
    objects, extent = report["objects"].get("count"), extent_of(pixels)
    where = f", in {objects:,} {'object' if objects == 1 else 'objects'}" if objects else ""
    expected, normal = "", report["trust"]["expected"]
    if normal is not None:
        # So many would be flagged by chance; the sentence must not let fewer than that pass for a finding.
        few = 0 < pixels["anomalous"] <= normal[0]
        word, comment = (" even", ": no more than chance") if few else ("", "")
        expected = f"; {expected_words(normal)} {noun} would be{word} if all were normal{comment}"
        false = objects and report["objects"].get("expected_false")
        if false:
            expected += f", in about {_n(false)} objects"
    counts = f"{pixels['anomalous']:,} of {pixels['valid']:,} valid {noun}"
    if extent is not None:
        what = "table" if noun == "rows" else "scene"
        return f"{extent.capitalize()} of the {what} is anomalous: {counts}{expected}."
    return f"{counts} are anomalous{where}{_large_event(report)}{expected}."


def _large_event(report: Report) -> str:
    """A clause on the largest object, where it is larger than the window that the model looks at around a pixel."""
    largest, side = report["objects"].get("largest"), report["model"].get("looks_around")
    if not largest or not side or largest["pixels"] <= side**2:
        return ""
    area = largest["area_m2"]
    size = f"{largest['pixels']:,} pixels" if area is None else f"{_g(area / 1e6, 2)} km²"
    which = "which is" if report["objects"].get("count") == 1 else "one of them"
    return f", {which} an event of {size}, larger than what the model looks around"


def render_page(report: Report, data: PageData) -> str:
    """The page of a report. All text from outside is escaped; a policy in the page allows this one script alone."""
    script, digest = _script()
    scale = scale_of(data.picture.score if data.picture else data.curves.score)
    noun, check = noun_of(report), report["calibration"]["check"]
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            data=data,
            claim=claim(report),
            cases=data.cases[:SHOWN_CASES],
            columns=_columns(data.cases, noun),
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
    "peak": "peak, nats",
    "mean": "mean, nats",
    "score": "score, nats",
    "reconstruction": "reconstruction",
    "kl": "KL",
    "kl_share": "KL share",
    "p_value": "p-value",
    "bands": "bands that drive it",
    "lon": "longitude",
    "lat": "latitude",
    "known": "known",
    "keep": "kept at FDR",
    "q_value": "q-value",
}


def _columns(cases: Sequence[Case], noun: str) -> list[tuple[str, str]]:
    """Key and title of the columns that hold anything."""
    if not cases:
        return []
    keys = [key for key in cases[0].cells if any(case.cells[key] is not None for case in cases)]
    titles = TITLES | {"pixels": noun}
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
        "cases": [{"row": case.row, "col": case.col, "box": case.box} for case in data.cases[:SHOWN_CASES]],
        "caseSpectra": None if data.case_spectra is None else _places(data.case_spectra),
        "contribution": None if data.contribution is None else [packed_numbers(case) for case in data.contribution.T],
        "deviation": None if data.deviation is None else [packed_numbers(case) for case in data.deviation.T],
    }


def _places(spectra: Spectra) -> dict[str, PackedArray]:
    """Where some spectra lie, and how they score."""
    return {
        "row": packed_places(spectra.rows),
        "col": packed_places(spectra.cols),
        "score": packed_numbers(spectra.score),
        "kl": packed_numbers(spectra.kl),
    }


def _blobs(report: Report, data: PageData, scale: Scale) -> dict[str, str]:
    """Packed arrays by the id of their element."""
    blobs = {"observed": packed_floats(data.samples.observed.T), "expected": packed_floats(data.samples.expected.T)}
    if data.case_spectra is not None:
        blobs["case-observed"] = packed_floats(data.case_spectra.observed.T)
        blobs["case-expected"] = packed_floats(data.case_spectra.expected.T)
    if data.picture is not None:
        cut = report["threshold"]["value"]
        cut = math.inf if cut is None else cut
        blobs["score"] = packed_scores(data.picture.score, scale, cut)
        blobs["kl"] = packed_shares(data.picture.kl, data.picture.score)
    return blobs
