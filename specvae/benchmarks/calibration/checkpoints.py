"""Checkpoints: each finished piece of the benchmark as a JSON file, so that an interrupted run continues where it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from specvae.benchmarks.calibration.checkerboard import Board
from specvae.benchmarks.calibration.known import Coverage, TailReach
from specvae.benchmarks.calibration.planted import Planted
from specvae.benchmarks.calibration.series import Dates, DateVerdict
from specvae.benchmarks.calibration.trial import Trial
from specvae.files.atomic import atomic_file
from specvae.thresholds.drift.verdict import BandDrift, Drift

__all__ = ["Checkpoints"]

T = TypeVar("T")
TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (BandDrift, Board, Coverage, Dates, DateVerdict, Drift, Planted, TailReach, Trial)
}
"""The classes that a piece may hold, by name. A stored name that is not here is refused, so that loading runs no code."""


class Checkpoints:
    """A folder of finished pieces; one that was made with other settings is made again."""

    def __init__(self, folder: Path, settings: Mapping[str, str | int]) -> None:
        self._folder = folder
        self._settings = _encoded(dict(settings))

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The piece ``name``: loaded where it is stored with these settings, else made and stored."""
        path = self._folder / f"{''.join(c if c.isalnum() else '_' for c in name)}.json"
        if path.is_file():
            tree = json.loads(path.read_text(encoding="utf-8"))
            if tree["settings"] == self._settings:
                return cast(T, _decoded(tree["value"]))
        value = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as beside:
            beside.write_text(json.dumps({"settings": self._settings, "value": _encoded(value)}), encoding="utf-8")
        return value

    def clear(self) -> None:
        """Remove all pieces, and the folder with them."""
        for path in self._folder.glob("*.json"):
            path.unlink()
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()


def _encoded(value: Any) -> Any:
    """Dataclasses, tuples and dictionaries of any key as JSON that :func:`_decoded` reverses."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            "kind": type(value).__name__,
            "fields": {f.name: _encoded(getattr(value, f.name)) for f in fields(value)},
        }
    if isinstance(value, dict):
        # An object of JSON has texts for keys; these dictionaries have rates and tuples.
        return {"pairs": [[_encoded(k), _encoded(v)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_encoded(v) for v in value]}
    if isinstance(value, list):
        return [_encoded(v) for v in value]
    # numpy's scalars are no JSON; their Python numbers are, and have the same digits.
    return value.item() if hasattr(value, "item") else value


def _decoded(tree: Any) -> Any:
    """The value that :func:`_encoded` made this JSON of."""
    if isinstance(tree, list):
        return [_decoded(v) for v in tree]
    if not isinstance(tree, dict):
        return tree
    if "pairs" in tree:
        return {_decoded(k): _decoded(v) for k, v in tree["pairs"]}
    if "tuple" in tree:
        return tuple(_decoded(v) for v in tree["tuple"])
    return TYPES[tree["kind"]](**{name: _decoded(v) for name, v in tree["fields"].items()})
