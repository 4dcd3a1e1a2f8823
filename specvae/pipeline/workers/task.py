"""What travels to a worker and back: a scene, a shard or a stage to do, and the result of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from specvae.ingest.source import Source
from specvae.pipeline.declaration.stages import WholeStage
from specvae.pipeline.summary.facts import SceneFacts, WatchFacts
from specvae.stages.score.request import ScoreRequest

if TYPE_CHECKING:  # torch comes with it, which a run that only plans does without
    from specvae.stages.score.shards import Shard, Shards
    from specvae.stages.watch.shards import NightShard, ShardOut, SharedRows

__all__ = ["NightTask", "Result", "SceneTask", "ShardTask", "StageTask", "Status", "Task", "TaskProgress", "over_limit"]

Status = Literal["done", "already", "invalid", "failed"]


@dataclass(frozen=True)
class SceneTask:
    """One scene to score."""

    source: Source
    request: ScoreRequest
    lock: str
    """Path of the lock file to share while at work; see :mod:`specvae.pipeline.locks`."""
    shards: Shards | None = None
    """The scores of all rows, where shard tasks have computed them; only to be merged and written then."""
    seconds: float | None = None
    """Seconds that it may take; None: any."""
    record: bool = True
    """Whether to write a record into the folder of a scene that cannot be used, and to hold the lock; a run does."""

    @property
    def name(self) -> str:
        """The scene's key, for messages."""
        return self.source.key


@dataclass(frozen=True)
class ShardTask:
    """Some rows of a giant scene to score; without a ``number``, only the question how many shards the scene has."""

    source: Source
    request: ScoreRequest
    lock: str
    rows: int
    """Rows of a shard."""
    place: str
    """A folder that all workers see, for the rows that are scored."""
    number: int | None = None
    seconds: float | None = None
    """Seconds that it may take; None: any."""

    @property
    def name(self) -> str:
        """The scene's key and the shard's number, for messages."""
        return self.source.key if self.number is None else f"{self.source.key}, shard {self.number}"


@dataclass(frozen=True)
class StageTask:
    """A fit, a calibration or a benchmark, which one worker does alone."""

    stage: WholeStage
    dry_run: bool = False
    """Whether it is only compared with what stands there."""
    shared: SharedRows | None = None
    """How the rows of a place are shared out, where whoever carries the task out has workers; it does not travel."""
    seconds: ClassVar[None] = None
    """A fit takes as long as it takes."""

    @property
    def name(self) -> str:
        """The kind of stage, for messages."""
        return self.stage.run


@dataclass(frozen=True)
class NightTask:
    """Some rows of a giant place in one night to compute."""

    shard: NightShard
    seconds: ClassVar[None] = None
    """A night of a place takes as long as it takes."""

    @property
    def name(self) -> str:
        """The date's key and the rows, for messages."""
        return f"{self.shard.scored.key}, rows {self.shard.rows.start} to {self.shard.rows.stop}"


Task = SceneTask | ShardTask | StageTask | NightTask


def over_limit(seconds: float | None) -> str:
    """What is said of a scene that took longer than it may."""
    return f"given up after {seconds:g} s, its max_seconds_per_scene; give more, or shard_rows for a giant scene"


@dataclass(frozen=True)
class TaskProgress:
    """How far a worker is with its task."""

    text: str
    """What it is doing, in words."""
    share: float
    """How much of that is done, 0..1."""


@dataclass(frozen=True)
class Result:
    """How a task ended."""

    status: Status
    message: str = ""
    """One line: what came out of it, or what went wrong."""
    seconds: float = 0.0
    transient: bool = False
    """Whether the failure may pass, so that another attempt makes sense."""
    facts: SceneFacts = field(default_factory=SceneFacts)
    """What the summary says of a scene."""
    watched: WatchFacts | None = None
    """What the summary says of a watched place."""
    shard_count: int = 0
    """The answer to a shard task without a number."""
    shard: Shard | None = None
    """The rows that a shard task scored."""
    night: ShardOut | None = None
    """What a night's task hands back."""
