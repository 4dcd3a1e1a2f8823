"""Styles that QGIS loads are well-formed and span what they say."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from specvae.export.colours import FLAG, VIRIDIS
from specvae.export.qgis_styles import write_evidence_style, write_flag_style, write_score_style


def test_the_evidence_runs_in_even_steps(tmp_path: Path) -> None:
    write_evidence_style(tmp_path / "evidence.qml", -1.0, 3.5)
    values = [float(i.attrib["value"]) for i in ElementTree.parse(tmp_path / "evidence.qml").getroot().iter("item")]
    assert values == pytest.approx(np.linspace(-1.0, 3.5, 10).tolist(), abs=1e-5)


def test_a_score_style_spans_its_range_in_ascending_colours(tmp_path: Path) -> None:
    write_score_style(tmp_path / "score.qml", 2.5, 40.0)
    root = ElementTree.parse(tmp_path / "score.qml").getroot()
    renderer = root.find("pipe/rasterrenderer")
    assert renderer is not None
    assert renderer.attrib["type"] == "singlebandpseudocolor"
    values = [float(item.attrib["value"]) for item in root.iter("item")]
    assert values[0] == 2.5
    assert values[-1] == 40.0
    # Equal steps of the logarithm, as the page's colours have.
    steps = np.diff(np.log1p(np.array(values) - 2.5))
    np.testing.assert_allclose(steps, np.log1p(37.5) / (len(VIRIDIS) - 1), rtol=1e-3)
    assert [item.attrib["color"] for item in root.iter("item")] == list(VIRIDIS)


def test_a_style_of_one_value_still_has_a_range(tmp_path: Path) -> None:
    write_score_style(tmp_path / "score.qml", 3.0, 3.0)
    values = [float(i.attrib["value"]) for i in ElementTree.parse(tmp_path / "score.qml").getroot().iter("item")]
    assert values[-1] >= values[0]


def test_a_flag_style_shows_anomalies_alone(tmp_path: Path) -> None:
    write_flag_style(tmp_path / "anomaly.qml")
    entries = list(ElementTree.parse(tmp_path / "anomaly.qml").getroot().iter("paletteEntry"))
    assert [(e.attrib["value"], e.attrib["alpha"]) for e in entries] == [("0", "0"), ("1", "255")]
    assert entries[1].attrib["color"] == FLAG
