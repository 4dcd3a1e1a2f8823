"""``--set``: single keys of a pipeline changed from the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from specvae.errors import UsageError
from specvae.model.config_file import toml_value

__all__ = ["apply_settings"]


def apply_settings(tree: dict[str, Any], settings: Iterable[str]) -> None:
    """Change ``tree`` by ``name=...``, ``score.parts=true`` (every score) or ``stage.2.model=...`` (the second stage).

    Raises UsageError for a setting that names no stage or has no value.
    """
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set takes key=value, not {setting!r}; for instance --set score.false_alarm_rate=1e-4")
        for place, last in _places(tree, key.strip()):
            # Into the tree and not into the checked stages: what is set so is checked as if it stood in the file.
            place[last] = toml_value(text.strip())


def _places(tree: dict[str, Any], key: str) -> list[tuple[dict[str, Any], str]]:
    """The tables that a dotted key means, each with the key in it."""
    first, *rest = key.split(".")
    if not rest:
        return [(tree, first)]
    # The tree is not checked yet: `stage` may hold anything.
    stages = [stage for stage in tree.get("stage", []) if isinstance(stage, dict)]
    if first == "stage" and len(rest) == 2 and rest[0].isdigit() and 1 <= int(rest[0]) <= len(stages):
        return [(stages[int(rest[0]) - 1], rest[1])]
    chosen = [stage for stage in stages if stage.get("run") == first]
    if not chosen or len(rest) != 1:
        raise UsageError(f"--set {key}: no such stage here; name a kind (score.parts) or a number (stage.1.parts)")
    return [(stage, rest[0]) for stage in chosen]
