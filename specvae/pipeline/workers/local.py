"""Worker processes on this machine: one task at a time each, started anew where one dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from specvae.pipeline.workers.task import Result, Task
from specvae.stages.score.request import ScoreRequest

__all__ = ["LocalWorkers", "processors"]

GRACE = 5.0
"""Seconds that a worker told to end has to clean up."""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(eq=False)
class _Worker:
    process: Any
    connection: Connection
    number: int | None = None
    """Of the task it is at."""


class LocalWorkers:
    """``jobs`` processes, each with its share of the processors. A context manager that leaves none behind."""

    def __init__(self, jobs: int) -> None:
        self.capacity = jobs
        self.threads = max(1, processors() // jobs)
        self._workers: list[_Worker] = []

    def __enter__(self) -> LocalWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            end = (
                worker.process.kill if worker.number is None else worker.process.terminate
            )  # the idle have no loose ends
            end()
        until = time.monotonic() + GRACE
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
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
        """Nothing: a process loads the model with its first scene."""

    def submit(self, number: int, task: Task) -> None:
        """Give a task to an idle worker, started if need be."""
        self._workers = [w for w in self._workers if w.number is not None or w.process.is_alive()]
        worker = next((w for w in self._workers if w.number is None), None)
        if worker is None:
            worker = self._start()
        worker.number = number
        try:
            worker.connection.send(task)
        except OSError:
            return  # it died while idle; collect() tells of it, and the task is tried again

    def collect(self, timeout: float | None) -> list[tuple[int, Result]]:
        """Tasks that ended, waiting up to ``timeout`` seconds for the first."""
        busy = [w for w in self._workers if w.number is not None]
        ready = set(wait([x for w in busy for x in (w.connection, w.process.sentinel)], timeout)) if busy else set()
        if not busy and timeout:
            time.sleep(timeout)
        found = []
        for worker in busy:
            if worker.connection in ready or worker.process.sentinel in ready:
                assert worker.number is not None
                found.append((worker.number, self._result(worker)))
                worker.number = None
        return found

    def _result(self, worker: _Worker) -> Result:
        try:
            result: Result = worker.connection.recv()
            return result
        except (EOFError, OSError):
            worker.process.join()
            self._workers.remove(worker)
            worker.connection.close()
            return Result("failed", f"the worker {_why(worker.process.exitcode)}", transient=True)

    def _start(self) -> _Worker:
        # A fresh interpreter: what the parent's threads hold is not inherited, and torch counts its threads anew.
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.threads), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, mine)
        self._workers.append(worker)
        return worker


def _why(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "was killed, perhaps for want of memory; give fewer jobs or a smaller max_memory"
    if code is not None and code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"ended with {code}"


def _serve(connection: Connection, threads: int) -> None:
    """The life of a worker: tasks in, results out, until the other end closes."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides, and tells by SIGTERM
    signal.signal(signal.SIGTERM, _terminated)
    threading.Thread(target=_die_with_parent, daemon=True).start()

    from specvae.ingest.formats.gdal import configure
    from specvae.pipeline.workers.work import carry_out

    configure(threads=threads)
    # libtiff writes to standard error of its own accord where a disk is full; the result says it in one line.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(carry_out(task))


def _die_with_parent() -> None:
    """An orphan writes nothing more: its scene is done anew by the next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)


def _terminated(signum: int, frame: object) -> None:
    raise SystemExit(143)
