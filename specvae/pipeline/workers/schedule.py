"""Tasks given to workers, and those that failed for a reason that may pass given again, later and later."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from specvae.pipeline.workers.task import Result, Task
from specvae.stages.score.request import ScoreRequest

__all__ = ["Workers", "carry_out_all"]

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


class Workers(Protocol):
    """Who does tasks: processes here, or a cluster."""

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now."""
        ...

    @property
    def threads(self) -> int:
        """Threads that each has for a scene."""
        ...

    def prepare(self, request: ScoreRequest) -> None:
        """Be told of the scenes to come."""
        ...

    def submit(self, number: int, task: Task) -> None:
        """Give a task under a number."""
        ...

    def collect(self, timeout: float | None) -> list[tuple[int, Result]]:
        """Tasks that ended, waiting up to ``timeout`` seconds for the first."""
        ...


def carry_out_all(
    tasks: Sequence[Task],
    workers: Workers,
    retries: int,
    ended: Callable[[int, Result, int], None],
    again: Callable[[int, Result, float], None] = lambda number, result, pause: None,
) -> None:
    """Do every task; ``ended(number, result, attempts)`` is called once for each, as they end.

    A result that is ``transient`` is tried again up to ``retries`` times, after 1, 2, 4 ... 60 seconds, of which
    ``again(number, result, pause)`` is told. What a later attempt finds done already was done by an earlier one, which
    ended before it could say so.
    """
    fresh = deque(range(len(tasks)))
    later: list[tuple[float, int]] = []
    attempts = [0] * len(tasks)
    under_way = 0
    while fresh or later or under_way:
        now = time.monotonic()
        while later and later[0][0] <= now:
            fresh.append(heapq.heappop(later)[1])
        while fresh and workers.idle > 0:
            number = fresh.popleft()
            attempts[number] += 1
            workers.submit(number, tasks[number])
            under_way += 1
        for number, result in workers.collect(max(0.01, later[0][0] - now) if later else 1.0):
            under_way -= 1
            if result.status == "failed" and result.transient and attempts[number] <= retries:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempts[number] - 1))
                heapq.heappush(later, (time.monotonic() + pause, number))
                again(number, result, pause)
            else:
                by_us = result.status == "already" and attempts[number] > 1
                ended(number, replace(result, status="done") if by_us else result, attempts[number])
