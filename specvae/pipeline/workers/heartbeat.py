"""A heartbeat: a file whose time says when a run last looked after its workers, for a scheduler that restarts what hangs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from specvae.errors import OutputError
from specvae.pipeline.workers.schedule import Workers
from specvae.pipeline.workers.task import Result, Task, TaskProgress
from specvae.stages.score.request import ScoreRequest

__all__ = ["BeatingWorkers", "Heartbeat"]

LEAST_SECONDS = 1.0
"""Between two beats: a batch of thousands of small scenes collects results far more often than anyone looks."""


class Heartbeat:
    """Touches a file, at most once a second. Raises OutputError where the first beat cannot be written."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
        except OSError as error:
            raise OutputError(
                f"the heartbeat {path} cannot be written: {error.strerror}; name another --heartbeat"
            ) from None
        self._last = time.monotonic()

    def beat(self) -> None:
        """Touch the file, unless it was touched within the last second."""
        now = time.monotonic()
        if now - self._last < LEAST_SECONDS:
            return
        try:
            self.path.touch()
        except OSError:
            # A full disk or a folder that was removed must not end the work: whoever looks sees that the beat stopped.
            return
        self._last = now


class BeatingWorkers:
    """Workers whose run beats each time that it looks for their results, which is at least once a second."""

    def __init__(self, workers: Workers, heartbeat: Heartbeat) -> None:
        self._workers = workers
        self._heartbeat = heartbeat

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now."""
        return self._workers.idle

    @property
    def threads(self) -> int:
        """Threads that each worker has for a scene."""
        return self._workers.threads

    def prepare(self, request: ScoreRequest) -> None:
        """Get ready for scenes that will be scored with this request."""
        self._workers.prepare(request)

    def submit(self, number: int, task: Task) -> None:
        """Give a task to a worker; its result comes back under ``number``."""
        self._workers.submit(number, task)

    def collect(self, timeout: float | None) -> Sequence[tuple[int, Result | TaskProgress]]:
        """Beat, then numbers and results of tasks that ended."""
        self._heartbeat.beat()
        return self._workers.collect(timeout)
