"""The package installs and runs elsewhere: what a wheel holds, what it declares, and the demo from a fresh venv."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import specvae

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OPTIONAL = {
    "s3": {"fsspec"},
    "zarr": {"zarr"},
    "cluster": {"distributed", "dask"},
    "xarray": {"xarray", "dask"},
    "onnx": {"onnx", "onnxscript", "google"},
    "excel": {"openpyxl"},
}
"""Packages that the code may import where the extra is installed."""


def run(*argv: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run, away from this checkout, with no variable of Python's own set."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(word) for word in argv], cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel built from it."""
    place = tmp_path_factory.mktemp("built")
    tree = place / "tree"
    shutil.copytree(ROOT / "specvae", tree / "specvae", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tree / name)
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", place, tree, cwd=place)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return place


def names_in_wheel(built: Path) -> set[str]:
    (wheel,) = built.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(built: Path) -> None:
    junk = {"__pycache__"}
    files = {p.relative_to(ROOT).as_posix() for p in (ROOT / "specvae").rglob("*") if p.is_file()}
    expected = {name for name in files if not junk & set(name.split("/"))}
    found = {name for name in names_in_wheel(built) if ".dist-info/" not in name}
    assert found == expected
    assert "specvae/py.typed" in found


def test_the_sdist_holds_the_licence_and_the_wheel_says_what_it_is(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        inside = {name.split("/", 1)[-1] for name in tar.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "specvae/py.typed"} <= inside
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        (name,) = [n for n in files.namelist() if n.endswith("METADATA")]
        metadata = files.read(name).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert f"Version: {specvae.__version__}" in metadata
    assert metadata.count("Classifier:") >= 8
    assert set(re.findall(r"Provides-Extra: (\w+)", metadata)) >= {"cluster", "xarray", "onnx", "docs", "test"}


def test_every_package_that_the_code_imports_is_declared() -> None:
    def declared(requirements: list[str]) -> set[str]:
        return {Requirement(text).name.lower().replace("_", "-") for text in requirements}

    home = {name: {d.lower().replace("_", "-") for d in found} for name, found in packages_distributions().items()}
    core, optional = declared(PROJECT["dependencies"]), set().union(*OPTIONAL.values())
    for path in (ROOT / "specvae").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in {name.split(".")[0] for name in names} - {"specvae", "_typeshed", *sys.stdlib_module_names}:
                known = name in optional or bool(home.get(name, set()) & core)
                assert known, f"{path} imports {name}, which pyproject.toml does not declare"


def test_the_citation_and_the_code_agree() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == specvae.__version__
    assert cited["license"] == PROJECT["license"] == "Apache-2.0"


def test_the_version_is_printed() -> None:
    done = run(sys.executable, "-m", "specvae", "--version", cwd=ROOT)
    assert done.stdout.strip() == f"specvae, version {specvae.__version__}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_fresh_venv_without_the_checkout_installs_the_wheel_and_runs_the_demo(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    done = run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    binaries = tmp_path / "venv" / "bin"
    done = run(
        binaries / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    where = run(binaries / "python", "-c", "import specvae; print(specvae.__file__)", cwd=tmp_path).stdout
    assert where.startswith(str(tmp_path / "venv"))
    assert run(binaries / "specvae", "--version", cwd=tmp_path).stdout.strip().endswith(specvae.__version__)
    done = run(binaries / "specvae", "demo", "--out", "demo", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "planted anomalies found" in done.stdout
    written = tmp_path / "demo" / "reports" / "tonight"
    for name in ("score.tif", "anomaly.tif", "report.html", "report.json", "item.json", "objects.gpkg"):
        assert (written / name).stat().st_size > 100
