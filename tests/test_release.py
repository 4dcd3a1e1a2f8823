"""What a release is made of: one version everywhere, recipes that parse, and their packages those of pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from specvae.version import __version__

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "conda" / "recipe.yaml"
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
"""Packages that conda-forge calls otherwise."""
VERSIONS = {
    "CITATION.cff": r"^version: (.+)$",
    "recipes/conda/recipe.yaml": r'^  version: "(.+)"$',
    "plugins/qgis/specvae/metadata.txt": r"^version=(.+)$",
    "pipelines/README.md": r"image: registry.example/specvae:([0-9.]+)$",
}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_there_is_one_version(name: str) -> None:
    assert re.findall(VERSIONS[name], (ROOT / name).read_text(encoding="utf-8"), re.M) == [__version__]


def test_the_conda_recipe_asks_for_the_packages_of_the_project() -> None:
    run = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))["requirements"]["run"]
    asked = {name: least for name, _, least in (entry.partition(" ") for entry in run if entry != "python")}
    needed = dict(entry.split(">", 1) for entry in project()["project"]["dependencies"])
    assert asked == {CONDA.get(name, name): f">{least}" for name, least in needed.items()}


def test_the_conda_recipe_renders_as_on_conda_forge() -> None:
    rattler = pytest.importorskip("rattler_build")
    pins = {"c_compiler": ["gcc"], "c_stdlib": ["sysroot"], "c_stdlib_version": ["2.17"], "python": ["3.11", "3.12"]}
    rendered = rattler.Stage0Recipe.from_file(RECIPE).render(rattler.VariantConfig(pins))
    assert len(rendered) == 2
    assert {variant.recipe.package.version for variant in rendered} == {__version__}


def test_wheels_are_built_for_the_pythons_of_the_project() -> None:
    pythons = {c.rpartition(" ")[2] for c in project()["project"]["classifiers"] if "Python :: 3." in c}
    built = {f"3.{tag.removeprefix('cp3').partition('-')[0]}" for tag in project()["tool"]["cibuildwheel"]["build"]}
    assert built == pythons


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_a_workflow_parses_and_pins_what_it_uses(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    for job in jobs.values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert "uses" not in step or re.fullmatch(r"[\w./-]+@v[\d.]+", step["uses"])
