"""The examples and pipelines run on the made-up samples of ``data/samples``, as they would for a stranger without the data."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "samples"
NEEDS = {"head_to_head": ("pyod", "tqdm"), "rufiji": ("rioxarray", "dask")}
SCRIPTS = ("head_to_head", "grid_search", "rufiji", "spectral_64", "patches")


def python(*words: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key != "SPECVAE_DATA"}
    environment = {**clean, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", **environment}
    argv = [sys.executable, *(str(word) for word in words)]
    return subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def marked(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [marked(name) for name in SCRIPTS])
def test_an_example_runs_on_the_samples_and_says_that_its_figures_mean_nothing(name: str, tmp_path: Path) -> None:
    absent = [package for package in NEEDS.get(name, ()) if importlib.util.find_spec(package) is None]
    if absent:
        pytest.skip(f"{name} needs {', '.join(absent)}: the extra `docs`")
    done = python(ROOT / "examples" / f"{name}.py", "--data", SAMPLES, "--out", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "the figures mean nothing" in (tmp_path / f"{name}.md").read_text(encoding="utf-8")


def test_the_examples_are_those_that_the_readme_of_the_folder_lists() -> None:
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert {p.stem for p in (ROOT / "examples").glob("*.py")} == {*SCRIPTS, "onnx_context", "pages", "samples"}
    assert all(f"`{name}.py`" in text for name in (*SCRIPTS, "samples"))
    assert "`onnx_context.py " in text


def test_the_samples_are_what_their_script_makes(tmp_path: Path) -> None:
    done = python(ROOT / "examples" / "samples.py", tmp_path)
    assert done.returncode == 0, done.stderr
    files = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {p.relative_to(SAMPLES) for p in SAMPLES.rglob("*") if p.is_file()}
    scene = Path("scenes/rufiji_timeseries/S2_20190605.tif")
    with rasterio.open(SAMPLES / scene) as committed, rasterio.open(tmp_path / scene) as made:
        assert committed.descriptions == made.descriptions
        np.testing.assert_array_equal(committed.read(), made.read())
    assert sum(p.stat().st_size for p in SAMPLES.rglob("*") if p.is_file()) < 1_500_000


def copied(tmp_path: Path) -> Path:
    """A folder with the pipelines and the samples as in a checkout, to run in without writing there."""
    for name in ("pipelines", "data/samples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings", "result"),
    [
        ("rufiji_series", ["fit.set=['training.epochs=1']"], "reports/rufiji/S2_20200101/item.json"),
        ("mnist_benchmark", ["benchmark.presets=['mlp']"], "reports/samples/mnist/report.md"),
        ("hyperspectral_benchmark", [], "reports/samples/hyperspectral/report.md"),
    ],
)
def test_a_pipeline_runs_on_the_samples(name: str, settings: list[str], result: str, tmp_path: Path) -> None:
    place = copied(tmp_path)
    words = [word for setting in settings for word in ("--set", setting)]
    done = python("-m", "specvae", "run", place / "pipelines" / f"{name}.toml", *words, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / result).is_file()
