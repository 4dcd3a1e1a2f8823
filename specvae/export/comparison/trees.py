"""Two JSON files compared key by key, less the keys that say when, where and how fast a file was made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from specvae.errors import InputError
from specvae.export.comparison.finding import Finding, State

__all__ = ["compare_json", "compare_trees"]

OF_THE_RUN = frozenset(
    {"created", "history", "path", "scene_path", "seconds", "sha256", "timing", "version", "written_by"}
)
"""Keys that no two runs share: times, places, versions and digests. What they stand for is compared by itself."""
EXAMPLES = 3
"""Differences that are shown; the rest are counted."""


def compare_json(name: str, a: Path, b: Path, tolerance: float) -> list[Finding]:
    """One finding of all keys of two JSON files. Raises InputError where one is no JSON."""
    return [compare_trees(name, _read(a), _read(b), tolerance)]


def compare_trees(what: str, a: object, b: object, tolerance: float) -> Finding:
    """One finding of all leaves of two trees."""
    leaves = list(_leaves("", a, b))
    unequal = [(key, x, y, _away(x, y)) for key, x, y in leaves if x != y]
    if not unequal:
        return Finding(what, State.EQUAL, 0.0, 0, len(leaves))
    unequal.sort(key=lambda row: -row[3])
    largest = unequal[0][3]
    state = State.WITHIN if largest <= tolerance else State.DIFFERS
    beyond = [row for row in unequal if row[3] > tolerance] or unequal
    shown = ", ".join(f"{key}: {_short(x)} and {_short(y)}" for key, x, y, _ in beyond[:EXAMPLES])
    return Finding(what, state, None if largest == float("inf") else largest, len(unequal), len(leaves), shown)


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from None


ABSENT = "(absent)"


def _leaves(key: str, a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """Pairs of leaves that stand at one place of both trees; what stands in one alone is paired with ABSENT."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted({*a, *b} - OF_THE_RUN):
            yield from _leaves(f"{key}.{name}".lstrip("."), a.get(name, ABSENT), b.get(name, ABSENT))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _leaves(f"{key}[{index}]", x, y)
    else:
        yield key, a, b


def _away(a: object, b: object) -> float:
    """The distance of two leaves; infinite where they are not both numbers."""
    if isinstance(a, bool) or isinstance(b, bool):  # which Python counts among the integers
        return float("inf")
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) / max(1.0, abs(a))
    return float("inf")


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
