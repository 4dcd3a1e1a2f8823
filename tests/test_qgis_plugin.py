"""The plugin for QGIS: its options are the package's, and its run in a real QGIS gives the command line's bytes."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from configparser import ConfigParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

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


class Feedback:
    """What QGIS gives an algorithm to report to, cancelled after some seconds."""

    def __init__(self, seconds: float = 1e9) -> None:
        self.until, self.shares, self.lines = time.monotonic() + seconds, list[float](), list[str]()

    def isCanceled(self) -> bool:
        return time.monotonic() > self.until

    def setProgress(self, share: float) -> None:
        self.shares.append(share)

    def pushInfo(self, line: str) -> None:
        self.lines.append(line)

    pushCommandInfo = pushWarning = reportError = pushInfo


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The plugin's module that runs a command, with a stand-in for the one class that it takes of QGIS."""
    core = ModuleType("qgis.core")
    vars(core)["QgsProcessingException"] = RuntimeError
    monkeypatch.setitem(sys.modules, "qgis", ModuleType("qgis"))
    monkeypatch.setitem(sys.modules, "qgis.core", core)
    spec = spec_from_file_location("specvae_qgis_process", SOURCE / "process.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_cancelled_run_ends_the_command_and_lets_it_clean_up(process: ModuleType, tmp_path: Path) -> None:
    cleaned = tmp_path / "cleaned"
    code = (
        "import signal, sys, time, pathlib\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path({str(cleaned)!r}).touch(), sys.exit(143)))\n"
        "time.sleep(60)"
    )
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="cancelled; nothing half-written was left"):
        process.run([sys.executable, "-c", code], [], Feedback(1.5))
    assert time.monotonic() - began < 20
    assert cleaned.exists()


def test_progress_comes_from_the_commands_log_and_an_error_is_raised(process: ModuleType) -> None:
    code = (
        "import sys\n"
        'print(\'{"event": "progress", "level": "info", "message": "s", "share": 0.5}\', file=sys.stderr)\n'
        'print(\'{"event": "error", "level": "error", "message": "the scene is no raster"}\', file=sys.stderr)\n'
        "sys.exit(4)"
    )
    feedback = Feedback()
    with pytest.raises(RuntimeError, match="the scene is no raster"):
        process.run([sys.executable, "-c", code], [], feedback)
    assert feedback.shares == [50.0]
    with pytest.raises(RuntimeError, match="name the Python that has specvae"):
        process.run(["/nowhere/python"], [], feedback)
