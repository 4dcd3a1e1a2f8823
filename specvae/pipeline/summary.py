"""The files of a whole run, written last: run.json, and the collection of each folder that was filled."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from specvae.outputs.atomic import atomic_file
from specvae.pipeline.outcome import Batch

__all__ = ["write_summary"]


def write_summary(batch: Batch, filled: Iterable[str]) -> None:
    """Write ``run.json``, and ``collection.json`` where scenes were scored. Raises OutputError."""
    if any(scene.status == "done" for scene in batch.scenes):
        from specvae.stac import write_collection

        for place in sorted(filled):
            write_collection(Path(place), Path(place).name)
    with atomic_file(Path(batch.out) / "run.json") as beside:
        beside.write_text(json.dumps(batch.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
