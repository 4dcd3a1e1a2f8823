"""JSON files: what JSON cannot hold becomes null, and a file that is missing or damaged reads as an empty object."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["finite", "json_line", "json_text", "read_json", "write_json"]


Tree = TypeVar("Tree")


def finite(tree: Tree) -> Tree:
    """The same tree as JSON can hold it: NaN and infinities become null, numpy scalars become Python's numbers.

    Examples
    --------
    >>> finite({"score": [1.5, float("nan")]})
    {'score': [1.5, None]}
    """
    same: Tree = _finite(tree)
    return same


def _finite(tree: Any) -> Any:
    # Most of a tree are plain numbers and words: their exact types are asked for first, which is cheap.
    kind = type(tree)
    if kind is float:
        return tree if math.isfinite(tree) else None
    if kind is str or kind is int or kind is bool or tree is None:
        return tree
    if isinstance(tree, dict):
        return {str(k): _finite(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_finite(v) for v in tree]
    # numpy's scalars and arrays of one value, without importing numpy here.
    if hasattr(tree, "item") and not isinstance(tree, str):
        tree = tree.item()
    if isinstance(tree, float) and not math.isfinite(tree):
        return None
    return tree


def json_text(tree: Any) -> str:
    """A tree as the indented text of a JSON file, without NaN or Infinity."""
    return json.dumps(finite(tree), indent=1, allow_nan=False) + "\n"


def json_line(tree: Any) -> str:
    """A tree as JSON without a blank or a line's end, for a program, and without NaN or Infinity."""
    return json.dumps(finite(tree), allow_nan=False, separators=(",", ":"))


def write_json(path: Path, tree: Any) -> None:
    """Write a tree as a JSON file, without NaN or Infinity."""
    path.write_text(json_text(tree), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a JSON file; an empty one where the file is missing, damaged or holds something else."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    # A file cut short by a crash counts as absent, so that what it describes is made again.
    except (OSError, ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}
