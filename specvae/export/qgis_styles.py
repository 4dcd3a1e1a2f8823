"""Styles that QGIS finds beside a raster of the same name (``.qml``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as xml

from specvae.export.colours import FLAG, VIRIDIS
from specvae.export.contents import ANOMALY_STYLE, SCORE_STYLE
from specvae.export.products import Products
from specvae.scoring.gathered.survival import Survival

__all__ = ["write_evidence_style", "write_flag_style", "write_palette_style", "write_score_style", "write_styles"]


def write_styles(folder: Path, survival: Survival, threshold: float | None, written: Products) -> None:
    """Write the styles of the maps that are ``written``: the score's from its 2 to its 99.8 %, and at least to the threshold."""
    score, above = survival.points()
    if SCORE_STYLE in written and score.size:
        share = above / above[0]
        # Without the tails, a few extreme pixels would leave one colour to all others.
        low, high = (float(score[share >= least][-1]) for least in (0.98, 0.002))
        high = max(high, min(1.5 * (threshold or 0.0), float(score[-1])))
        write_score_style(folder / SCORE_STYLE.name, low, high)
    if ANOMALY_STYLE in written:
        write_flag_style(folder / ANOMALY_STYLE.name)


def _renderer(kind: str, **attributes: str) -> tuple[xml.Element, xml.Element]:
    """The root of a style, and the renderer in it, without its colours."""
    # Always band 1: the score stands there with and without the bands of --parts.
    root = xml.Element("qgis", version="3.22.0", styleCategories="Symbology")
    pipe = xml.SubElement(root, "pipe")
    fixed = {"type": kind, "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    renderer = xml.SubElement(pipe, "rasterrenderer", fixed | attributes)
    xml.SubElement(renderer, "rasterTransparency")
    return root, renderer


def _write(path: Path, root: xml.Element) -> None:
    """Write a style with the document type by which QGIS knows its own."""
    text = xml.tostring(root, encoding="unicode")
    path.write_text(f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{text}\n", encoding="utf-8")


def write_evidence_style(path: Path, low: float, high: float) -> None:
    """Write the style of evidence.tif: viridis from ``low`` to ``high`` in even steps, for evidence is a logarithm already."""
    high = max(high, low + 1e-6)
    _write_ramp(path, low, high, [low + (high - low) * i / (len(VIRIDIS) - 1) for i in range(len(VIRIDIS))])


def write_score_style(path: Path, low: float, high: float) -> None:
    """Write the style of score.tif: viridis from ``low`` to ``high`` nats, logarithmic in ``1 + score - low`` as on the page.

    A few targets of thousands of nats would otherwise leave the first colour to all of the ground.
    """
    high = max(high, low + 1e-6)
    steps = (math.log1p(high - low) * i / (len(VIRIDIS) - 1) for i in range(len(VIRIDIS)))
    _write_ramp(path, low, high, [low + math.expm1(step) for step in steps])


def _write_ramp(path: Path, low: float, high: float, values: Sequence[float]) -> None:
    """Write a style of the colours of viridis at these values, interpolated between."""
    ends = f"{low:.6g}", f"{high:.6g}"
    root, renderer = _renderer("singlebandpseudocolor", classificationMin=ends[0], classificationMax=ends[1])
    ramp = {"colorRampType": "INTERPOLATED", "classificationMode": "1", "clip": "0"}
    limits = {"minimumValue": ends[0], "maximumValue": ends[1]}
    shader = xml.SubElement(xml.SubElement(renderer, "rastershader"), "colorrampshader", ramp | limits)
    for value, colour in zip(values, VIRIDIS, strict=True):
        text = f"{value:.6g}"
        xml.SubElement(shader, "item", alpha="255", color=colour, label=text, value=text)
    _write(path, root)


def write_flag_style(path: Path) -> None:
    """Write the style of anomaly.tif: anomalous pixels coloured, normal ones see-through."""
    write_palette_style(path, [(0, "#000000", 0, "normal"), (1, FLAG, 255, "anomalous")])


def write_palette_style(path: Path, entries: Sequence[tuple[int, str, int, str]]) -> None:
    """Write the style of a map of few values: for each its value, colour, opacity (0..255) and label."""
    root, renderer = _renderer("paletted")
    palette = xml.SubElement(renderer, "colorPalette")
    for value, colour, alpha, label in entries:
        xml.SubElement(palette, "paletteEntry", value=str(value), color=colour, alpha=str(alpha), label=label)
    _write(path, root)
