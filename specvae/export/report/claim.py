"""A report in one sentence, and its numbers in words."""

from __future__ import annotations

import math

from specvae.export.report.extent import extent_of
from specvae.export.report.sections import Report
from specvae.export.report.trust import expected_words

__all__ = ["claim", "count_words", "noun_of", "number_words", "one_of"]


def number_words(value: float | None, digits: int = 4) -> str:
    """A number of a few digits, without an exponent where it has one only because it is large."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if 10**digits <= abs(value) < 1e12 else f"{value:.{digits}g}"


def count_words(value: float | None) -> str:
    """A count, with two digits where it is small and no integer."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


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
    counts = f"{pixels['anomalous']:,} of {pixels['valid']:,} valid {noun}"
    if extent is not None:
        what = "table" if noun == "rows" else "scene"
        return f"{extent.capitalize()} of the {what} is anomalous: {counts}{expected}."
    return f"{counts} are anomalous{where}{_large_event(report)}{expected}.{_outstanding(report)}"


def _outstanding(report: Report) -> str:
    """A sentence on how many objects chance does not explain; empty where no p-value shows it, for few normal data bound them."""
    count, strong = report["objects"].get("count"), report["objects"].get("outstanding")
    if not count or not strong:
        return ""
    subject = "The object is" if count == strong == 1 else f"{strong:,} of the objects {'is' if strong == 1 else 'are'}"
    return f" {subject} stronger than any that 19 in 20 such scenes of normal ground would show."


def _large_event(report: Report) -> str:
    """A clause on the largest object, where it is larger than the window that the model looks at around a pixel."""
    largest, side = report["objects"].get("largest"), report["model"].get("looks_around")
    if not largest or not side or largest["pixels"] <= side**2:
        return ""
    area = largest["area_m2"]
    size = f"{largest['pixels']:,} pixels" if area is None else f"{number_words(area / 1e6, 2)} km²"
    which = "which is" if report["objects"].get("count") == 1 else "one of them"
    return f", {which} an event of {size}, larger than what the model looks around"
