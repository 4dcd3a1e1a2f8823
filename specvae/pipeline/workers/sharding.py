"""Giant scenes of a batch split into shards of rows, so that one scene can occupy all workers.

The shards of a scene are tasks like any other. When all are done, the scene's own task has only to merge them and to write
the result; it has the pixels of a scene that was scored in one piece, since no pixel's score depends on how it was read.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from specvae.files.places import output_place
from specvae.files.store_address import is_store
from specvae.pipeline.declaration.stages import Pipeline
from specvae.pipeline.summary.events import EventLog
from specvae.pipeline.workers.schedule import Workers, carry_out_all
from specvae.pipeline.workers.task import Result, SceneTask, ShardTask
from specvae.stages.score.memory import parse_size

__all__ = ["in_shards"]

GIANT_BYTES = 2**30
"""Size of a scene's files from which a cluster gets it in shards by default; of smaller ones there are
usually enough to occupy all workers."""
DEFAULT_ROWS = 8192
"""Rows of a shard where the TOML names none: a dozen shards for a scene of 100,000 rows."""
LONGEST_NAME = 80
"""Characters of a scene's key in the name of its folder of shards; file systems allow 255 bytes in all."""


def in_shards(tasks: Sequence[SceneTask], workers: Workers, spec: Pipeline, log: EventLog) -> list[SceneTask]:
    """The same tasks; the shards of giant scenes are scored on return, so that their tasks have only to merge them.

    A scene of which a shard fails comes back as it was: its own task scores it in one piece, or says what is wrong.
    """
    if spec.shard_rows is None and spec.cluster is None:
        return list(tasks)
    return [_sharded(task, workers, spec, log) if _is_giant(task, spec) else task for task in tasks]


def _is_giant(task: SceneTask, spec: Pipeline) -> bool:
    # Shards meet in a folder that all workers see; a store's mirror is each machine's own.
    if task.source.is_table or (spec.cluster is not None and is_store(task.request.out)):
        return False
    size = sum(Path(f).stat().st_size for f in task.source.files if Path(f).is_file())
    return spec.shard_rows is not None or size >= GIANT_BYTES


def _sharded(task: SceneTask, workers: Workers, spec: Pipeline, log: EventLog) -> SceneTask:
    folder = output_place(task.request.out, task.source.key)
    # Named like an unfinished output, so that the next run sweeps it away if this one is killed.
    place = folder.with_name(f".{folder.name[:LONGEST_NAME]}.part-shards")
    # The windows follow from the memory limit, and workers may have different memories: a stated one makes them alike.
    request = replace(task.request, max_memory=str(parse_size(task.request.max_memory)))
    question = ShardTask(
        task.source, request, task.lock, spec.shard_rows or DEFAULT_ROWS, str(place), seconds=task.seconds
    )
    answers = _done([question], workers, spec.retries)
    count = answers[0].shard_count if answers else 0
    if count < 2:
        return task
    log("scene-sharded", scene=task.source.key, shards=count)
    results = _done([replace(question, number=number) for number in range(count)], workers, spec.retries)
    if len(results) < count:
        shutil.rmtree(place, ignore_errors=True)
        return task
    from specvae.stages.score.shards import Shards

    parts = sorted((result.shard for result in results if result.shard), key=lambda shard: shard.number)
    return replace(task, shards=Shards(str(place), tuple(parts)))


def _done(tasks: Sequence[ShardTask], workers: Workers, retries: int) -> list[Result]:
    """Carry out the tasks; the results of those that were done, as they ended."""
    results: list[Result] = []

    def ended(number: int, result: Result, attempts: int) -> None:
        if result.status == "done":
            results.append(result)

    carry_out_all(tasks, workers, retries, ended)
    return results
