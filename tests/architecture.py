"""The structure of the package, read from its own imports: rooms, arrows between files, cycles."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from specvae import ROOMS

PACKAGE = Path(__file__).parents[1] / "specvae"
FLOOR_OF = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def modules() -> dict[str, Path]:
    """Dotted name below the package (``scoring.cells``; a folder's ``__init__`` by the folder's name) -> file."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        dotted = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        names[dotted.removesuffix(".__init__")] = path
    return names


def room_of(module: str) -> str:
    """The room that a module stands in: its first name."""
    return module.split(".")[0]


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Full dotted names of all imports in a file, wherever in the file they stand, those for type checking too."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the full name"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@cache
def arrows() -> frozenset[tuple[str, str]]:
    """Pairs (module, module that it imports) of the package's own files."""
    known = modules()
    found = set()
    for module, path in known.items():
        for name in imported(path):
            if name.split(".")[0] == "specvae":
                target = longest_module(name.removeprefix("specvae").lstrip("."), known)
                if target != module:
                    found.add((module, target))
    return frozenset(found)


def longest_module(name: str, known: dict[str, Path]) -> str:
    """The module that a dotted name is, or is defined in."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if ".".join(parts[:length]) in known:
            return ".".join(parts[:length])
    return "__init__"


def cycles(pairs: frozenset[tuple[str, str]] | set[tuple[str, str]]) -> list[list[str]]:
    """Groups of nodes each of which reaches all others of its group, of two nodes and more."""
    after: dict[str, list[str]] = {}
    for start, end in pairs:
        after.setdefault(start, []).append(end)
        after.setdefault(end, [])
    reached = {node: _reachable(node, after) for node in after}
    groups: list[list[str]] = []
    for node in sorted(after):
        group = sorted({other for other in reached[node] if node in reached[other]} | {node})
        if len(group) > 1 and group not in groups:
            groups.append(group)
    return groups


def _reachable(start: str, after: dict[str, list[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(after[start])
    while ahead:
        node = ahead.pop()
        if node not in found:
            found.add(node)
            ahead += after[node]
    return found
