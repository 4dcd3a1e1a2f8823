"""What is wrong in a pipeline's TOML, in one line: file, line, key, and the nearest known key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["explain", "line_of"]

# By a search in the text: tomllib gives values without their lines, and a parser that has them would be one package more.
HEADER = re.compile(r"^\s*\[\[\s*stage\s*\]\]")


def explain(error: ValidationError, path: Path, tree: Mapping[str, Any], known: Mapping[str, type[BaseModel]]) -> str:
    """One line about the first mistake; ``known`` gives the model of each kind of stage, and of the top under ``""``."""
    # A key that is unknown is often another one misspelt, whose absence is then a mistake as well.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    # pydantic puts the kind of a stage into the path, which is no key of the TOML: ("stage", 0, "score", "parts").
    loc = [part for part in first["loc"] if part not in known]
    number = loc[1] + 1 if len(loc) > 1 and loc[0] == "stage" and isinstance(loc[1], int) else 0
    key = str(loc[2] if number and len(loc) > 2 else loc[0] if loc and not number else "")
    kind = str(_stage(tree, number).get("run", "")) if number else ""
    line = line_of(path, key, number)
    where = f"{path}, line {line}" if line else f"{path}"
    name = f"stage[{number}].{key}".rstrip(".") if number else key or "the pipeline"
    return f"{where}: {_mistake(first, name, key, kind, known)}"


def _stage(tree: Mapping[str, Any], number: int) -> Mapping[str, Any]:
    stage = tree["stage"][number - 1]
    return stage if isinstance(stage, Mapping) else {}


def _mistake(first: ErrorDetails, name: str, key: str, kind: str, known: Mapping[str, type[BaseModel]]) -> str:
    if first["type"] == "extra_forbidden":
        names = list(known[kind].model_fields) if kind in known else []
        near = get_close_matches(key, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
        return f"{name} is not a key of {f'a {kind} stage' if kind else 'a pipeline'}; {hint}"
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        names = [word for word in known if word]
        near = get_close_matches(kind, names, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{name}.run is {kind!r}; expected one of {', '.join(names)}{hint}"
    if first["type"] == "missing":
        return f"{name} is missing; give it"
    if name == "stage":
        return "stages are tables, one or more, each headed [[stage]]"
    return f"{name} = {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"


def line_of(path: Path, key: str, number: int = 0) -> int | None:
    """The 1-based line of a key in the ``number``-th stage (0: above the stages), or None where a search finds none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    stage, wanted = 0, re.compile(rf"""^\s*["']?{re.escape(key)}["']?\s*[=.]""")
    for at, line in enumerate(lines, start=1):
        if HEADER.match(line):
            stage += 1
            if stage == number and not key:
                return at
        elif stage == number and key and wanted.match(line):
            return at
    return None
