"""What a run of a batch is given beside its TOML file: options of the command line, and who is told of what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from specvae.pipeline.summary.outcome import SceneRecord, StageRecord

__all__ = ["OVERRIDES", "Options"]


@dataclass(frozen=True)
class Options:
    """Options of the command line; None means: as the TOML says."""

    jobs: int | None = None
    cluster: str | None = None
    retries: int | None = None
    max_memory: str | None = None
    shard_rows: int | None = None
    fail_when_empty: bool = False
    heartbeat: str | None = None
    max_seconds_per_scene: float | None = None
    set: tuple[str, ...] = ()
    """Single keys to change, each ``key=value``."""
    no_lock: bool = False
    """Whether a folder in object storage is worked in without a lock of the store."""
    dry_run: bool = False
    """Only plan: nothing is made, locked or written."""
    log_on_stderr: bool = False
    """Whether the events of ``log.jsonl`` go to standard error too."""
    tell: Callable[[StageRecord, SceneRecord | None], None] = lambda stage, scene: None
    """Called with a stage and each scene of it that a worker finished, and with each finished stage and None."""
    progress: Callable[[str, str, float], None] = lambda task, text, share: None
    """Called with a stage or scene that is under way, what its worker is doing, and how much of that is done, 0..1."""


OVERRIDES = ("jobs", "cluster", "retries", "max_memory", "shard_rows", "heartbeat", "max_seconds_per_scene")
"""Options that take the place of the TOML's key of the same name."""
