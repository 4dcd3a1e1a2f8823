"""The layout holds: imports point to lower rooms, no file takes part in a cycle, heavy libraries stay where they belong."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from specvae import ROOMS
from tests.architecture import FLOOR_OF, PACKAGE, arrows, cycles, imported, modules, room_of, tree_of

TESTS = Path(__file__).parent

HOMES = {
    "torch": {"model", "training", "scoring", "detector", "model_file", "benchmarks"},
    "rasterio": {"ingest", "export", "benchmarks"},
    "pandas": {"ingest", "export", "api", "benchmarks"},
    "geopandas": {"ingest", "export"},
    "pyogrio": {"ingest", "export"},
    "click": {"cli"},
}
"""Which rooms may import a heavy library."""

MOST_SUPPRESSIONS = {"noqa": 1, "type: ignore": 17, "fmt: skip": 74, "fmt: off": 0}
"""How many of each the package may hold; lower a figure when its count has fallen, never raise one."""


def test_the_list_of_rooms_names_what_is_there() -> None:
    there = {room_of(module) for module in modules()} - {"__init__"} | {"__init__"}
    assert set(FLOOR_OF) == there, "the list of rooms in specvae/__init__.py and the folder differ"
    assert len(FLOOR_OF) == sum(len(rooms) for rooms in ROOMS), "a room is named twice"
    assert len(list(PACKAGE.glob("[!_]*"))) <= 22


@pytest.mark.parametrize("module", modules())
def test_imports_point_to_lower_rooms(module: str) -> None:
    for start, end in arrows():
        if start == module and room_of(start) != room_of(end):
            assert FLOOR_OF[room_of(end)] < FLOOR_OF[room_of(start)], f"{start} imports {end}, which is not below it"


def test_no_file_takes_part_in_a_cycle() -> None:
    assert cycles(arrows()) == []


@pytest.mark.parametrize("module", modules())
def test_heavy_libraries_stay_in_their_rooms(module: str) -> None:
    room = room_of(module)
    for name in imported(modules()[module]):
        library = name.split(".")[0]
        assert library not in HOMES or room in HOMES[library], f"{module} imports {library}"


def test_suppressions_grow_no_more() -> None:
    texts = [path.read_text(encoding="utf-8") for path in modules().values()]
    counts = {kind: sum(len(re.findall(rf"#\s*{kind}", text)) for text in texts) for kind in MOST_SUPPRESSIONS}
    grown = {kind: count for kind, count in counts.items() if count > MOST_SUPPRESSIONS[kind]}
    assert not grown, f"more suppressions than {MOST_SUPPRESSIONS}: write the code so that it needs none"


def test_no_test_module_imports_another() -> None:
    for path in sorted(TESTS.rglob("test_*.py")):
        others = {name for name in imported(path) if ".test_" in name and name.startswith("tests.")}
        assert not others, f"{path.name} imports {sorted(others)}; what tests share stands in a module of its own"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from specvae.cli.main import cli; cli(['--help'], standalone_mode=False); "
        "print(*[m for m in ('torch', 'rasterio', 'pydantic', 'pandas', 'scipy') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_nobody_outside_the_model_reaches_through_the_net() -> None:
    """The net takes physical units and gives nats; what it is made of is its own business."""
    for module, path in modules().items():
        if room_of(module) == "model":
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and node.attr in {"vae", "ring", "normaliser"}:
                owner = node.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                assert name != "net", f"{module}:{node.lineno} reaches for net.{node.attr}"
