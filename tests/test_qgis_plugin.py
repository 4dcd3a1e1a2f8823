"""The plugin for QGIS: its options are the package's, and its run in a real QGIS gives the command line's bytes."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from plugins.qgis.build import SOURCE, build, options
from specvae.option import options_of
from specvae.stages.score.request import ScoreRequest
from specvae.version import __version__

ROOT = Path(__file__).parents[1]
# Debian's wrapper passes an option of the desktop on, which qgis_process does not know; the program itself stands beside it.
PROGRAM = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
MAPS = ("score.tif", "anomaly.tif", "thresholds.csv", "explanations.csv", "score.qml", "anomaly.qml")
"""Files of a result that hold neither times nor paths."""


def test_the_zip_holds_a_plugin_with_the_options_of_the_package(tmp_path: Path) -> None:
    with zipfile.ZipFile(build(tmp_path / "plugin.zip")) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"specvae"}
        declared = json.loads(archive.read("specvae/options.json"))
        metadata = ConfigParser()
        metadata.read_string(archive.read("specvae/metadata.txt").decode())
    assert metadata["general"]["version"] == __version__
    names = [d.name for d in options_of(ScoreRequest, "score") if d.option.on_command_line]
    assert [o["name"] for o in declared["score"]] == names
    assert declared == json.loads(json.dumps(options()))
    assert (build(tmp_path / "again.zip")).read_bytes() == (tmp_path / "plugin.zip").read_bytes()


def test_every_algorithm_has_the_options_of_its_command() -> None:
    """The classes name a command each, and the build writes the options of each."""
    tree = ast.parse((SOURCE / "algorithms.py").read_text(encoding="utf-8"))
    commands = {
        statement.value.value
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "command"
        if isinstance(statement.value, ast.Constant) and statement.value.value
    }
    assert commands == set(options())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two nights of the demo, fitted and scored by the command line."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "specvae", "demo", "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A QGIS profile of the test's own, with the plugin, and the Python that it is to call."""
    if PROGRAM is None:
        pytest.skip("qgis_process is not installed (Debian: apt-get install qgis python3-qgis)")
    place = tmp_path_factory.mktemp("qgis")
    with zipfile.ZipFile(build(place / "plugin.zip")) as archive:
        archive.extractall(place / "plugins")
    python = place / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    settings = mine | {
        "QGIS_CUSTOM_CONFIG_PATH": str(place / "profile"),
        "QGIS_PLUGINPATH": str(place / "plugins"),
        "QT_QPA_PLATFORM": "offscreen",
        "SPECVAE_PYTHON": str(python),
        "XDG_RUNTIME_DIR": str(place),
    }
    subprocess.run([str(PROGRAM), "plugins", "enable", "specvae"], env=settings, capture_output=True, check=False)
    return settings


def qgis(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *words], env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.slow
def test_a_score_in_qgis_gives_the_command_lines_bytes(demo: Path, environment: dict[str, str], tmp_path: Path) -> None:
    listed = qgis(environment, "list")
    for name in options():
        assert f"specvae:{name}" in listed.stdout, listed.stdout[-500:] + listed.stderr[-2000:]
    words = (f"SOURCES={demo}/tonight.tif", f"MODEL={demo}/model.specvae", f"OUT={tmp_path}/out")
    parts = (f"TRUTH={demo}/truth.tif", "PARTS=1")
    done = qgis(environment, "--json", "run", "specvae:score", "--", *words, *parts)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    results = json.loads(done.stdout)["results"]
    assert results["SCORE"] == str(tmp_path / "out" / "tonight" / "score.tif")
    assert set(results) >= {"SCORE", "ANOMALY", "OBJECTS", "SAID"}
    for name in MAPS:
        ours, theirs = demo / "reports" / "tonight" / name, tmp_path / "out" / "tonight" / name
        assert ours.read_bytes() == theirs.read_bytes(), name


@pytest.mark.slow
def test_an_error_of_the_command_is_the_algorithms(demo: Path, environment: dict[str, str], tmp_path: Path) -> None:
    words = (f"PATHS={tmp_path}/none.tif", f"MODEL={demo}/model.specvae", f"OUT={tmp_path}/out")
    done = qgis(environment, "run", "specvae:score", "--", *words)
    assert done.returncode != 0
    assert "none.tif" in done.stdout + done.stderr


@pytest.mark.slow
def test_a_project_shows_the_results_with_their_styles(demo: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Drawn by the Python of QGIS; the picture is neither blank nor of one colour."""
    picture = tmp_path / "project.png"
    command = [
        "/usr/bin/python3",
        str(ROOT / "tests" / "qgis_picture.py"),
        str(demo / "reports" / "tonight"),
        str(picture),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "score QgsSingleBandPseudoColorRenderer" in done.stdout
    from PIL import Image

    assert len(Image.open(picture).convert("RGB").getcolors(1 << 24) or ()) > 50
