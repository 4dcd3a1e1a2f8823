"""Giant scenes of a batch split into row shards over the workers, so that one scene keeps them all busy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from specvae.pipeline.declaration.spec import Pipeline
from specvae.pipeline.workers.schedule import Workers, carry_out_all
from specvae.pipeline.workers.task import Result, SceneTask, ShardTask
from specvae.stages.score.memory import parse_size

__all__ = ["in_shards"]

GIANT_BYTES = 2**30
DEFAULT_ROWS = 8192


def in_shards(
    tasks: Sequence[SceneTask], workers: Workers, spec: Pipeline, log: Callable[..., None]
) -> list[SceneTask]:
    """The same tasks; giant scenes' shards are done, and their tasks have only to merge them.

    A scene of which a shard fails is left whole: its own task will say what is wrong with it.
    """
    if spec.shard_rows is None and spec.cluster is None:
        return list(tasks)
    return [_sharded(task, workers, spec, log) if _is_giant(task, spec) else task for task in tasks]


def _is_giant(task: SceneTask, spec: Pipeline) -> bool:
    if task.source.is_table:
        return False
    size = sum(Path(f).stat().st_size for f in task.source.files if Path(f).is_file())
    return spec.shard_rows is not None or size >= GIANT_BYTES


def _sharded(task: SceneTask, workers: Workers, spec: Pipeline, log: Callable[..., None]) -> SceneTask:
    folder = Path(task.request.out) / task.source.key
    place = folder.with_name(f".{folder.name[:80]}.part-shards")
    # Alike on all workers, whose memory may differ: the windows follow from it.
    request = replace(task.request, max_memory=str(parse_size(task.request.max_memory)))
    ask = ShardTask(task.source, request, task.lock, spec.shard_rows or DEFAULT_ROWS, str(place))
    counted = _ended([ask], workers, spec.retries)
    count = counted[0].payload if counted else 0
    if not count or count < 2:
        return task
    log("scene-sharded", scene=task.source.key, shards=count)
    found = _ended([replace(ask, number=number) for number in range(count)], workers, spec.retries)
    if len(found) < count:
        shutil.rmtree(place, ignore_errors=True)
        return task
    from specvae.stages.score.shards import Shards

    parts = tuple(sorted((result.payload for result in found), key=lambda shard: shard.number))
    return replace(task, shards=Shards(str(place), parts))


def _ended(tasks: Sequence[ShardTask], workers: Workers, retries: int) -> list[Result]:
    """Results of the tasks that were done."""
    found: list[Result] = []

    def ended(number: int, result: Result, attempts: int) -> Any:
        if result.status == "done":
            found.append(result)

    carry_out_all(tasks, workers, retries, ended)
    return found
