"""The layout holds: imports point one way, heavy libraries stay on their floors."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "specvae"

FLOORS = {
    1: ["errors", "bands", "spectra", "config", "config_file"],
    3: [
        "normaliser", "marginals", "mixture",
        "context", "vae", "thresholds", "drift", "components", "principal", "baselines", "metrics", "synthetic",
        "accumulators", "evidence", "networks", "likelihoods", "patches", "sampling", "pooling", "closed_form", "stack",
    ],
    4: [
        "training", "scoring", "spectral_net", "programs", "uniform", "workers", "held_out", "diagnostics", "latent", "compression",
        "process", "onnx_graph",
    ],
    5: ["detector", "images"],
    6: [
        "estimator", "pyod", "arrays",
        "raster", "table", "model_file", "datasets", "objects", "stac", "report", "outputs", "fingerprint",
    ],
    7: ["stages"],
    8: ["pipeline", "cluster", "benchmarks"],
    9: ["cli"],
}  # fmt: skip
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names}
FLOOR_OF["__init__"] = 8  # the public face gathers from the floors below, lazily
FLOOR_OF["__main__"] = 9

HOMES = {
    "torch": {3, 4, 5},
    "rasterio": {6},
    "pandas": {6},
    "geopandas": {6},
    "pyogrio": {6},
    "click": {9},
}
"""Which floors may import a heavy library; optional faces (xarray) may import lazily."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def unit(path: Path) -> str:
    """The noun a file belongs to: the module, or its folder directly under the package."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full dotted names of all imports in a file, wherever in the file they stand."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_every_file_has_a_floor() -> None:
    unknown = {unit(path) for path in modules()} - set(FLOOR_OF)
    assert not unknown, f"give these a floor in tests/test_architecture.py: {sorted(unknown)}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_to_lower_floors(path: Path) -> None:
    mine = unit(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "specvae" or len(parts) < 2 or parts[1] not in FLOOR_OF or parts[1] == mine:
            continue
        assert FLOOR_OF[parts[1]] <= FLOOR_OF[mine], f"{path} (floor {FLOOR_OF[mine]}) imports {name} from above"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_on_their_floors(path: Path) -> None:
    floor = FLOOR_OF[unit(path)]
    for name in imported(path):
        library = name.split(".")[0]
        assert library not in HOMES or floor in HOMES[library], f"{path} on floor {floor} imports {library}"


def test_no_import_cycles_between_nouns() -> None:
    """No two nouns import each other, also on one floor."""
    edges = {
        (unit(path), name.split(".")[1])
        for path in modules()
        for name in imported(path)
        if name.startswith("specvae.") and name.split(".")[1] in FLOOR_OF
    }
    both = [(a, b) for a, b in edges if a != b and (b, a) in edges and a != "__init__"]
    assert not both, f"these import each other: {both}"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from specvae.cli.main import cli; cli(['--help'], standalone_mode=False); "
        "print(*[m for m in ('torch', 'rasterio', 'pydantic', 'pandas', 'scipy') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
