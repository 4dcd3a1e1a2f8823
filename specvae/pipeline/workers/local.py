"""Worker processes of this machine, each with one task at a time; one that dies is replaced.

A worker lives from its first task to the end of the run. It is started when a task finds no idle one, reads tasks from its
pipe, answers each with a result, and ends when the pipe closes, when it is terminated, or when the run's process dies.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from specvae.pipeline.workers.task import Result, Task, TaskProgress, over_limit
from specvae.stages.score.request import ScoreRequest

__all__ = ["LocalWorkers", "processors"]

TOLD_SECONDS = 0.5
"""Seconds between two messages of a worker on the same thing that it does."""
GRACE = 5.0
"""Seconds that a terminated worker has to remove its unfinished output before it is killed."""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    connection: Connection
    number: int | None = None
    """Number of the task that it is carrying out; None while it is idle."""
    limit: float | None = None
    """Seconds that the task may take; None: any."""
    deadline: float = math.inf
    """Monotonic time at which a task that is not done is given up."""


class LocalWorkers:
    """Up to ``jobs`` processes, each with its share of the processors. A context manager that leaves no process behind."""

    def __init__(self, jobs: int) -> None:
        self.capacity = jobs
        self.threads = max(1, processors() // jobs)
        self._workers: list[_Worker] = []

    def __enter__(self) -> LocalWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            # An idle worker has nothing to clean up; a busy one gets the time to remove what it was writing.
            if worker.number is None:
                worker.process.kill()
            else:
                worker.process.terminate()
        deadline = time.monotonic() + GRACE
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.connection.close()
        self._workers = []

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now."""
        return self.capacity - sum(w.number is not None for w in self._workers)

    def prepare(self, request: ScoreRequest) -> None:
        """Nothing to do: a process loads the model with its first scene."""

    def submit(self, number: int, task: Task) -> None:
        """Give a task to an idle worker, or to a new one where none is idle."""
        self._workers = [w for w in self._workers if w.number is not None or w.process.is_alive()]
        worker = next((w for w in self._workers if w.number is None), None)
        if worker is None:
            worker = self._start()
        worker.number, worker.limit = number, task.seconds
        worker.deadline = math.inf if task.seconds is None else time.monotonic() + task.seconds
        try:
            worker.connection.send(task)
        except OSError:
            return  # the worker died while it was idle; collect() reports that, and the task is tried again

    def collect(self, timeout: float | None) -> list[tuple[int, Result | TaskProgress]]:
        """Numbers and results of tasks that ended or say how far they are, waiting up to ``timeout`` seconds for the first."""
        busy = [w for w in self._workers if w.number is not None]
        # The sentinel becomes ready when the process ends, so that a dead worker is noticed as fast as a result.
        ready = set(wait([x for w in busy for x in (w.connection, w.process.sentinel)], timeout)) if busy else set()
        if not busy and timeout:
            time.sleep(timeout)
        results: list[tuple[int, Result | TaskProgress]] = []
        for worker in busy:
            if worker.connection in ready or worker.process.sentinel in ready:
                assert worker.number is not None
                result = self._result(worker)
                results.append((worker.number, result))
                worker.number = worker.number if isinstance(result, TaskProgress) else None
            elif time.monotonic() > worker.deadline:
                assert worker.number is not None
                results.append((worker.number, self._given_up(worker)))
        return results

    def _given_up(self, worker: _Worker) -> Result:
        """End the worker of a task that is over its limit; it gets the time to remove what it was writing."""
        worker.process.terminate()
        worker.process.join(GRACE)
        worker.process.kill()  # in compiled code that no signal's handler interrupts; no harm where it has ended
        worker.process.join()
        self._workers.remove(worker)
        worker.connection.close()
        # Not for a passing reason: each further attempt would hold a worker as long again.
        return Result("failed", over_limit(worker.limit))

    def _result(self, worker: _Worker) -> Result | TaskProgress:
        """What a worker answered; a dead one is removed, and its task has failed for a reason that may pass."""
        try:
            result: Result | TaskProgress = worker.connection.recv()
            return result
        except (EOFError, OSError):
            worker.process.join()
            self._workers.remove(worker)
            worker.connection.close()
            return Result("failed", f"the worker {_why(worker.process.exitcode)}", transient=True)

    def _start(self) -> _Worker:
        # Spawned, not forked: a fresh interpreter inherits no lock that a thread of the parent holds at this moment, and
        # torch reads the number of its threads anew.
        context = multiprocessing.get_context("spawn")
        own_end, worker_end = context.Pipe()
        process = context.Process(target=_serve, args=(worker_end, self.threads), daemon=True)
        process.start()
        worker_end.close()  # the worker has the only copy then, and its death closes the pipe
        worker = _Worker(process, own_end)
        self._workers.append(worker)
        return worker


def _why(code: int | None) -> str:
    """How a process ended, in words, from its exit code."""
    if code == -signal.SIGKILL:
        return "was killed, perhaps for want of memory; give fewer jobs or a smaller max_memory"
    if code is not None and code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"ended with {code}"


def _serve(connection: Connection, threads: int) -> None:
    """The life of a worker: it receives tasks and sends results until the other end of the pipe closes."""
    # Before anything imports a numerical library: these read the variables once, when they are loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    # Ctrl-C reaches the whole group of processes. The run decides what it means and ends its workers by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminated)
    threading.Thread(target=_die_with_parent, daemon=True).start()

    from specvae.ingest.formats.gdal import configure
    from specvae.pipeline.workers.work import carry_out

    configure(threads=threads)
    # libtiff writes its own messages to standard error when a disk is full; the result says the same in one line.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(carry_out(task, _teller(connection)))


def _teller(connection: Connection) -> Callable[[TaskProgress], None]:
    """What tells the run how far a task is, seldom enough that it costs nothing."""
    due = time.monotonic() + TOLD_SECONDS
    said = ""

    def tell(progress: TaskProgress) -> None:
        nonlocal due, said
        # What is new is told at once: reading, then training, then the folds.
        if progress.text != said or time.monotonic() > due:
            due, said = time.monotonic() + TOLD_SECONDS, progress.text
            connection.send(progress)

    return tell


def _die_with_parent() -> None:
    """End this process when the run's process dies, by whatever signal: the next run scores the scene anew.

    ``os._exit`` because the main thread may be deep in compiled code that no exception reaches; the unfinished output stays
    and is swept away by the next run.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)


def _terminated(signum: int, frame: object) -> None:
    """Turn SIGTERM into an exception, so that context managers remove unfinished output; 143 is 128 + SIGTERM."""
    raise SystemExit(143)
