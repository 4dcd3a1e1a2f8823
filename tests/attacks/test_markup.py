"""Attack: HTML, SVG and scripts in the names of bands, scenes and columns, to run in the page of whoever reads it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.attacks.conftest import Attack
from tests.raster_files import write

MARKUP = (
    "<script>alert(1)</script>",
    "<svg onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
)


def assert_harmless(page: Path) -> None:
    """No tag of the names stands in the page as markup; in its data they stand escaped, within a string."""
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(svg onload|img src=x)", text, re.I)
    assert "<script>alert" not in text.casefold()
    # A name that ends the element of the page's data would make the rest of it markup.
    assert len(re.findall(r"<script\b", text)) == len(re.findall(r"</script>", text))


def test_names_of_bands_and_files_are_text(tmp_path: Path, attack: Attack) -> None:
    values = np.random.default_rng(0).integers(100, 200, (4, 40, 40)).astype(np.uint8)
    values[:, 20, 20] = (1, 255, 1, 255)
    scene = write(tmp_path / "a<svg onload=alert(1)>.tif", values, names=MARKUP)
    assert attack("fit", scene, "--set", "training.steps=20").status == 0
    ended = attack("score", scene, "--threshold", "5")
    assert ended.status == 0, ended.text
    pages = list((tmp_path / "reports").rglob("report.html"))
    assert len(pages) == 1
    assert_harmless(pages[0])


def test_names_of_columns_are_text(tmp_path: Path, attack: Attack) -> None:
    rows = np.random.default_rng(0).normal(10, 1, (300, 3))
    header = ",".join('"' + name.replace('"', '""') + '"' for name in MARKUP[:3])
    np.savetxt(tmp_path / "rows.csv", rows, "%.4f", ",", header=header, comments="")
    assert attack("fit", tmp_path / "rows.csv", "--set", "training.steps=20").status == 0
    assert attack("score", tmp_path / "rows.csv").status == 0
    assert_harmless(tmp_path / "reports" / "rows" / "report.html")


@pytest.mark.parametrize("name", [MARKUP[0], *(pytest.param(name, marks=pytest.mark.slow) for name in MARKUP[1:])])
def test_the_name_of_a_pipeline_is_text(name: str, tmp_path: Path, scene: Path, attack: Attack) -> None:
    quoted = name.replace('"', '\\"')
    assert attack("fit", scene, "--set", "training.steps=10").status == 0
    text = f'name = "{quoted}"\n[[stage]]\nrun = "score"\nscene = "in/*.tif"\nmodel = "model.specvae"\nout = "out"\n'
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    assert attack("run", "x.toml").status == 0
    assert_harmless(tmp_path / "out" / "index.html")
