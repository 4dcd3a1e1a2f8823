"""Attack: ANSI escapes and line ends in names, to repaint a terminal or to forge a line of a log."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.attacks.conftest import Attack
from tests.raster_files import write

ESCAPES = "\x1b[2J\x1b]0;owned\x07"


def assert_plain(text: str) -> None:
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_scene_whose_name_repaints_the_terminal(tmp_path: Path, attack: Attack) -> None:
    values = np.random.default_rng(0).integers(100, 200, (3, 40, 40)).astype(np.uint8)
    scene = write(tmp_path / f"a{ESCAPES}b.tif", values, names=(f"red{ESCAPES}", "green", "blue\nspecvae: all is well"))
    for ended in (
        attack("inspect", scene),
        attack("fit", scene, "--set", "training.steps=10"),
        attack("inspect", "model.specvae"),
        attack("score", scene),
    ):
        assert_plain(ended.text)
        assert "a bug" not in ended.text
        assert "\nspecvae: all is well" not in ended.text


def test_a_missing_file_whose_name_forges_a_line(tmp_path: Path, attack: Attack) -> None:
    ended = attack("score", f"{ESCAPES}\nspecvae: done, 0 anomalous.tif")
    assert ended.refused
    assert_plain(ended.text)
    assert len(ended.text.strip().splitlines()) == 1


def test_a_column_whose_name_repaints_the_terminal(tmp_path: Path, attack: Attack) -> None:
    rows = np.random.default_rng(0).normal(10, 1, (300, 3))
    np.savetxt(tmp_path / "rows.csv", rows, "%.4f", ",", header=f"red{ESCAPES},green,blue", comments="")
    for ended in (
        attack("inspect", "rows.csv"),
        attack("fit", "rows.csv", "--set", "training.steps=10"),
        attack("score", "rows.csv"),
    ):
        assert_plain(ended.text)
