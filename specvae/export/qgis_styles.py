"""Styles that QGIS finds beside a raster of the same name (``.qml``)."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as xml

__all__ = ["FLAG_COLOUR", "write_flag_style", "write_score_style"]

FLAG_COLOUR = "#e6007e"
VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")


def _renderer(kind: str, **attributes: str) -> tuple[xml.Element, xml.Element]:
    root = xml.Element("qgis", version="3.22.0", styleCategories="Symbology")
    pipe = xml.SubElement(root, "pipe")
    told = {"type": kind, "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""} | attributes
    renderer = xml.SubElement(pipe, "rasterrenderer", told)
    xml.SubElement(renderer, "rasterTransparency")
    return root, renderer


def _write(path: Path, root: xml.Element) -> None:
    text = xml.tostring(root, encoding="unicode")
    path.write_text(f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{text}\n", encoding="utf-8")


def write_score_style(path: Path, low: float, high: float) -> None:
    """Viridis from ``low`` to ``high`` nats."""
    high = max(high, low + 1e-6)
    root, renderer = _renderer(
        "singlebandpseudocolor", classificationMin=f"{low:.6g}", classificationMax=f"{high:.6g}"
    )  # fmt: skip
    shader = xml.SubElement(
        xml.SubElement(renderer, "rastershader"), "colorrampshader",
        colorRampType="INTERPOLATED", classificationMode="1", clip="0", minimumValue=f"{low:.6g}", maximumValue=f"{high:.6g}",
    )  # fmt: skip
    for i, colour in enumerate(VIRIDIS):
        value = f"{low + (high - low) * i / (len(VIRIDIS) - 1):.6g}"
        xml.SubElement(shader, "item", alpha="255", color=colour, label=value, value=value)
    _write(path, root)


def write_flag_style(path: Path) -> None:
    """Anomalous pixels coloured, normal ones see-through."""
    root, renderer = _renderer("paletted")
    palette = xml.SubElement(renderer, "colorPalette")
    xml.SubElement(palette, "paletteEntry", value="0", color="#000000", alpha="0", label="normal")
    xml.SubElement(palette, "paletteEntry", value="1", color=FLAG_COLOUR, alpha="255", label="anomalous")
    _write(path, root)
