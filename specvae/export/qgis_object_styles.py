"""Styles of the layers of objects.gpkg, which QGIS takes up from the file's own table of styles (QML)."""

from __future__ import annotations

from xml.etree import ElementTree as xml

from specvae.export.colours import FLAG, INK, PAPER, rgb

__all__ = ["outline_style", "point_style"]

Settings = dict[str, str]


def outline_style() -> str:
    """Outlines in the colour of flags, nearly see-through inside; each object labelled with its number."""
    red, green, blue = rgb(FLAG)
    fill = {"style": "solid", "color": f"{red},{green},{blue},50"}
    outline = {"outline_color": f"{red},{green},{blue},255", "outline_width": "0.5", "outline_style": "solid"}
    return _style("fill", "SimpleFill", fill | outline, '"id"')


def point_style() -> str:
    """Points in the colour of flags with a white rim; each labelled with what drives it."""
    red, green, blue = rgb(FLAG)
    size = {"name": "circle", "size": "2.6", "size_unit": "MM"}
    colours = {"color": f"{red},{green},{blue},255", "outline_color": "255,255,255,255", "outline_width": "0.4"}
    return _style("marker", "SimpleMarker", size | colours, "\"id\" || ' ' || coalesce(\"band_1\", '')")


def _style(kind: str, layer: str, settings: Settings, label: str) -> str:
    """One symbol for all features, and a label by an expression."""
    root = xml.Element("qgis", version="3.22.0", styleCategories="Symbology|Labeling", labelsEnabled="1")
    renderer = xml.SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0")
    symbol = xml.SubElement(xml.SubElement(renderer, "symbols"), "symbol", type=kind, name="0", alpha="1")
    part = {"class": layer, "enabled": "1", "locked": "0", "pass": "0"}
    element = xml.SubElement(symbol, "layer", part)
    # Later versions read the map of options, earlier ones the list of properties.
    options = xml.SubElement(element, "Option", type="Map")
    for name, value in settings.items():
        xml.SubElement(options, "Option", type="QString", name=name, value=value)
        xml.SubElement(element, "prop", k=name, v=value)
    _label(root, label)
    text = xml.tostring(root, encoding="unicode")
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{text}"


def _label(root: xml.Element, expression: str) -> None:
    """A small label with a rim, so that it can be read over any scene."""
    labelling = xml.SubElement(xml.SubElement(root, "labeling", type="simple"), "settings", calloutType="simple")
    text = {"fieldName": expression, "isExpression": "1", "fontSize": "8", "fontFamily": "Sans Serif"}
    colour = {"textColor": ",".join(map(str, (*rgb(INK), 255))), "textOpacity": "1"}
    style = xml.SubElement(labelling, "text-style", text | colour)
    rim = {"bufferDraw": "1", "bufferSize": "0.8", "bufferColor": ",".join(map(str, (*rgb(PAPER), 255)))}
    xml.SubElement(style, "text-buffer", rim | {"bufferOpacity": "1"})
    xml.SubElement(labelling, "placement", placement="1", dist="1")
