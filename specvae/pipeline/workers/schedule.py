"""The schedule: tasks are given to workers as these become idle, and failures that may pass are tried again later."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from specvae.pipeline.workers.task import Result, Task, TaskProgress
from specvae.stages.score.request import ScoreRequest

__all__ = ["Workers", "carry_out_all"]

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the second attempt, doubled before each later one up to the limit: an overloaded disk or network gets time
to recover, and no batch waits long for one scene."""
POLL_SECONDS = 1.0
"""How long to wait for a result at most, before looking again whether workers are idle or over their limit."""
SHORTEST_WAIT = 0.01
"""Least seconds to wait for a result when another attempt is due: no busy loop where no worker is idle for it."""


class Workers(Protocol):
    """Those who carry out tasks: processes of this machine, or the workers of a cluster."""

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now."""
        ...

    @property
    def threads(self) -> int:
        """Threads that each worker has for a scene."""
        ...

    def prepare(self, request: ScoreRequest) -> None:
        """Get ready for scenes that will be scored with this request."""
        ...

    def submit(self, number: int, task: Task) -> None:
        """Give a task to a worker; its result comes back under ``number``."""
        ...

    def collect(self, timeout: float | None) -> Sequence[tuple[int, Result | TaskProgress]]:
        """Numbers and results of tasks that ended or say how far they are, waiting up to ``timeout`` seconds for the first."""
        ...


def carry_out_all(
    tasks: Sequence[Task],
    workers: Workers,
    retries: int,
    ended: Callable[[int, Result, int], None],
    again: Callable[[int, Result, float], None] = lambda number, result, pause: None,
    advanced: Callable[[int, TaskProgress], None] = lambda number, progress: None,
) -> None:
    """Carry out every task; ``ended(number, result, attempts)`` is called once for each, as they end.

    A ``transient`` failure is tried again up to ``retries`` times, after 1, 2, 4 ... 60 seconds; before each such pause
    ``again(number, result, pause)`` is called. ``advanced(number, progress)`` is called where a worker says how far it is.
    """
    ready = deque(range(len(tasks)))
    pausing: list[tuple[float, int]] = []  # a heap: when the next attempt is due, and the task's number
    attempts = [0] * len(tasks)
    under_way = 0
    while ready or pausing or under_way:
        now = time.monotonic()
        while pausing and pausing[0][0] <= now:
            ready.append(heapq.heappop(pausing)[1])
        while ready and workers.idle > 0:
            number = ready.popleft()
            attempts[number] += 1
            workers.submit(number, tasks[number])
            under_way += 1
        due = max(SHORTEST_WAIT, pausing[0][0] - now) if pausing else POLL_SECONDS
        for number, result in workers.collect(min(due, POLL_SECONDS)):
            if isinstance(result, TaskProgress):
                advanced(number, result)
                continue
            under_way -= 1
            if result.status == "failed" and result.transient and attempts[number] <= retries:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempts[number] - 1))
                heapq.heappush(pausing, (time.monotonic() + pause, number))
                again(number, result, pause)
            else:
                ended(number, _credited(result, attempts[number]), attempts[number])


def _credited(result: Result, attempts: int) -> Result:
    """A scene that a second attempt finds done already was done by the first, whose worker died before it could answer."""
    return replace(result, status="done") if result.status == "already" and attempts > 1 else result
