"""What travels to a worker and back: one scene or one whole stage to do, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from specvae.ingest.source import Source
from specvae.stages.score.request import ScoreRequest

__all__ = ["Result", "SceneTask", "ShardTask", "StageTask", "Status", "Task"]

Status = Literal["done", "already", "invalid", "failed"]


@dataclass(frozen=True)
class SceneTask:
    """One scene to score."""

    source: Source
    request: ScoreRequest
    lock: str
    """Held, shared, while at work: see :mod:`specvae.pipeline.locks`."""
    shards: Any = None
    """What was scored of it by shard tasks: a Shards."""
    record: bool = True
    """Whether a scene that cannot be used is recorded in its folder; else nothing is written of it."""

    @property
    def name(self) -> str:
        """For people."""
        return self.source.key


@dataclass(frozen=True)
class ShardTask:
    """Some rows of a giant scene to score; without a ``number``, only to say how many shards there are."""

    source: Source
    request: ScoreRequest
    lock: str
    rows: int
    place: str
    """A folder that all workers see."""
    number: int | None = None

    @property
    def name(self) -> str:
        """For people."""
        return self.source.key if self.number is None else f"{self.source.key}, shard {self.number}"


@dataclass(frozen=True)
class StageTask:
    """A fit, a calibration or a benchmark to do as a whole."""

    kind: Literal["fit", "calibrate", "benchmark"]
    arguments: dict[str, Any]
    dry_run: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return self.kind


Task = SceneTask | ShardTask | StageTask


@dataclass(frozen=True)
class Result:
    """What became of a task."""

    status: Status
    message: str = ""
    """One line: what was found, or what went wrong."""
    seconds: float = 0.0
    transient: bool = False
    """Whether another try may end otherwise."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the batch's summary needs to know."""
    payload: Any = None
    """Of a shard: how many there are, or the Shard."""
