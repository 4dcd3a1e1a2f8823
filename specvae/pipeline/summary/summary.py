"""The files of a finished run: the STAC collections, ``index.html``, ``metrics.prom`` and, last, ``run.json``."""

from __future__ import annotations

from collections.abc import Iterable

from specvae.files.atomic import atomic_file
from specvae.files.json_files import json_text
from specvae.files.places import output_place
from specvae.pipeline.summary.index import render_index
from specvae.pipeline.summary.outcome import Batch
from specvae.pipeline.summary.prometheus import exposition

__all__ = ["write_summary"]


def write_summary(batch: Batch, filled: Iterable[str]) -> None:
    """Write ``collection.json`` into the ``filled`` folders where a scene changed, then the run's own files.

    Raises OutputError where one cannot be written.
    """
    if any(scene.status in ("done", "invalid") and scene.attempts for scene in batch.scenes):
        from specvae.export.stac import write_collection

        for place in map(output_place, sorted(filled)):
            write_collection(place, place.name)
    run = batch.to_json()
    texts = {
        "index.html": render_index(batch, run),
        "metrics.prom": exposition(run),
        # Last, so that whoever waits for it finds the others finished.
        "run.json": json_text(run),
    }
    for name, text in texts.items():
        with atomic_file(output_place(batch.out, name)) as beside:
            beside.write_text(text, encoding="utf-8")
