"""Attack: names and cells that a spreadsheet runs as formulas when a person opens the CSV that we write."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from tests.attacks.conftest import Attack
from tests.raster_files import write

FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1+1)", "\t=1+1", '=HYPERLINK("http://x")')


def cells(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


def runs(cell: str) -> bool:
    """Whether a spreadsheet takes a cell for a formula: by its first character, a number apart."""
    try:
        float(cell.rstrip("%"))
    except ValueError:
        return cell.lstrip(" \t\r\n")[:1] in ("=", "+", "-", "@") and cell[:1] != "'"
    return False


def test_cells_that_are_carried_over_are_no_formulas(tmp_path: Path, attack: Attack) -> None:
    rng = np.random.default_rng(0)
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["=evil()", "b1", "b2", "b3"])
        for at in range(300):
            writer.writerow([FORMULAS[at % len(FORMULAS)], *(f"{v:.4f}" for v in rng.normal(10, 1, 3))])
    assert attack("fit", tmp_path / "rows.csv", "--bands", "b1,b2,b3", "--set", "training.steps=20").status == 0
    ended = attack("score", tmp_path / "rows.csv")
    assert ended.status == 0, ended.text
    written = list((tmp_path / "reports" / "rows").glob("*.csv"))
    assert {path.name for path in written} >= {"scores.csv", "thresholds.csv"}
    for path in written:
        assert not [cell for cell in cells(path) if runs(cell)], path


def test_names_of_bands_are_no_formulas(tmp_path: Path, attack: Attack) -> None:
    values = np.random.default_rng(0).integers(100, 200, (3, 40, 40)).astype(np.uint8)
    values[:, 20, 20] = (1, 255, 1)
    scene = write(tmp_path / "scene.tif", values, names=("=1+1", "@SUM(A1)", "+2"))
    assert attack("fit", scene, "--set", "training.steps=20").status == 0
    assert attack("score", scene, "--threshold", "5").status == 0
    for path in (tmp_path / "reports" / "scene").glob("*.csv"):
        assert not [cell for cell in cells(path) if runs(cell)], path


def test_the_attack_is_seen(tmp_path: Path) -> None:
    assert all(runs(cell) for cell in FORMULAS)
    assert not any(runs(cell) for cell in ("-1.5", "1e-3", "+3", "plain", "'=1+1"))
