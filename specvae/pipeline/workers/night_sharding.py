"""A giant place followed by all workers: the rows of each night are tasks like any other, and the nights follow each other.

What the workers hand back is small, the pixels of alerts; here it is joined, and the maps are written. The state is that of a
place that was watched in one process, since no pixel's depends on which rows are computed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from specvae.errors import SpecvaeError
from specvae.files.store_address import is_store
from specvae.pipeline.declaration.stages import Pipeline, WatchStage
from specvae.pipeline.summary.events import EventLog
from specvae.pipeline.workers.schedule import Workers, carry_out_all
from specvae.pipeline.workers.task import NightTask, Result, StageTask
from specvae.pipeline.workers.work import carry_out

if TYPE_CHECKING:
    from specvae.stages.watch.shards import NightShard, ShardOut

__all__ = ["follow_in_shards"]

ROWS = 2048
"""Rows of a shard where the TOML names none: a place of 11,000 rows in six."""


def follow_in_shards(stage: WatchStage, workers: Workers, spec: Pipeline, log: EventLog) -> list[Result]:
    """Follow a place with its rows shared out; nothing where one worker has to follow it.

    That is so without a cluster and ``shard_rows``, where workers do not see the same files, and where a shard fails: the stage's
    own task then follows the place in one piece, or says what is wrong.
    """
    if (spec.shard_rows is None and spec.cluster is None) or is_store(stage.target):
        return []
    from specvae.stages.watch.shards import SharedRows

    def compute(shards: Sequence[NightShard]) -> list[ShardOut]:
        done: dict[int, ShardOut] = {}

        def ended(number: int, result: Result, attempts: int) -> None:
            if result.night is not None:
                done[number] = result.night
            else:
                log("shard-failed", "warning", scene=shards[number].scored.key, message=result.message)

        carry_out_all([NightTask(shard) for shard in shards], workers, spec.retries, ended)
        if len(done) < len(shards):
            raise SpecvaeError(f"{len(shards) - len(done)} of {len(shards)} shards failed")
        log("night-sharded", scene=shards[0].scored.key, shards=len(shards))
        return [done[number] for number in range(len(shards))]

    result = carry_out(StageTask(stage, shared=SharedRows(spec.shard_rows or ROWS, compute)))
    return [] if result.status == "failed" else [result]
