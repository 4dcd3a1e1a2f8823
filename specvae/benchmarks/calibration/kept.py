"""What a benchmark that was cut off had done: each finished piece as a JSON file, so that the next run goes on there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from specvae.benchmarks.calibration.known import Coverage, Reach
from specvae.benchmarks.calibration.series import Dates, DateVerdict
from specvae.benchmarks.calibration.trial import Trial
from specvae.files.atomic import atomic_file
from specvae.thresholds.drift.verdict import BandDrift, Drift

__all__ = ["Kept"]

T = TypeVar("T")
TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (BandDrift, Coverage, Dates, DateVerdict, Drift, Reach, Trial)
}


class Kept:
    """A folder of finished pieces; those made with other settings are made anew."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._folder = folder
        self._settings = _plain(settings)

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The piece ``name``, made unless it lies there."""
        path = self._folder / f"{''.join(c if c.isalnum() else '_' for c in name)}.json"
        if path.is_file():
            tree = json.loads(path.read_text(encoding="utf-8"))
            if tree["settings"] == self._settings:
                found: T = _back(tree["value"])
                return found
        value = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as beside:
            beside.write_text(json.dumps({"settings": self._settings, "value": _plain(value)}), encoding="utf-8")
        return value

    def clear(self) -> None:
        """Forget all pieces."""
        for path in self._folder.glob("*.json"):
            path.unlink()
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()


def _plain(value: Any) -> Any:
    """Dataclasses, tuples and dictionaries of any key as JSON that :func:`_back` undoes."""
    if is_dataclass(value) and not isinstance(value, type):
        names = asdict(value)
        return {"kind": type(value).__name__, "fields": {name: _plain(getattr(value, name)) for name in names}}
    if isinstance(value, dict):
        return {"pairs": [[_plain(k), _plain(v)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_plain(v) for v in value]}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.item() if hasattr(value, "item") else value


def _back(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_back(v) for v in tree]
    if not isinstance(tree, dict):
        return tree
    if "pairs" in tree:
        return {_back(k): _back(v) for k, v in tree["pairs"]}
    if "tuple" in tree:
        return tuple(_back(v) for v in tree["tuple"])
    return TYPES[tree["kind"]](**{name: _back(v) for name, v in tree["fields"].items()})
