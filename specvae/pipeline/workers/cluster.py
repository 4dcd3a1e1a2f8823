"""Workers of a Dask cluster: the same tasks, sent as futures; the scheduler moves what a lost worker was at."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any
from uuid import uuid4

from specvae.errors import MissingExtraError, SpecvaeError, UsageError
from specvae.pipeline.workers.task import Result, Task
from specvae.stages.score.request import ScoreRequest

__all__ = ["ClusterWorkers"]

AHEAD = 2
"""Tasks a worker that are submitted at once: the next one waits beside it."""
PATIENCE = 60.0
"""Seconds to wait for a scheduler and its first worker."""
_ONE_AT_A_TIME = Lock()


class ClusterWorkers:
    """The workers behind a scheduler's address, or ``local:N``, N processes here. A context manager.

    Raises UsageError for an address that is none, SpecvaeError where nobody answers, MissingExtraError without dask.
    """

    threads = 1

    def __init__(self, address: str) -> None:
        self.address = address
        self._cluster: Any = None
        self._client: Any = None
        self._futures: dict[Any, int] = {}
        self._ended: SimpleQueue[Any] = SimpleQueue()
        self._run = uuid4().hex[:8]
        self._count = 0

    def __enter__(self) -> ClusterWorkers:
        try:
            from distributed import Client
        except ImportError:
            raise MissingExtraError("--cluster needs dask: pip install 'specvae[cluster]'") from None
        try:
            self._client = Client(self._place(), timeout=PATIENCE, set_as_default=False)
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            self.__exit__()
            raise SpecvaeError(
                f"no cluster with workers answers at {self.address} ({type(error).__name__}); start `dask scheduler` and "
                "`dask worker`, or use --cluster local:2"
            ) from None
        return self

    def _place(self) -> Any:
        kind, _, rest = self.address.partition(":")
        if kind == "local":
            if not rest.isdigit() or not 1 <= int(rest) <= 1024:
                raise UsageError(f"--cluster {self.address}: expected local:N, a number of processes")
            from distributed import LocalCluster

            self._cluster = LocalCluster(
                n_workers=int(rest), threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
            )
            return self._cluster
        if "://" not in self.address:
            raise UsageError(f"--cluster {self.address}: expected tcp://host:8786, or local:4")
        return self.address

    def __exit__(self, *_: object) -> None:
        # A busy machine may not say goodbye in time; workers end with their scheduler.
        if self._client is not None:
            with suppress(TimeoutError):
                self._client.cancel(list(self._futures), force=True)
                self._client.close(timeout=3)
        if self._cluster is not None:
            with suppress(TimeoutError):
                self._cluster.close(timeout=3)
        self._client = self._cluster = None

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now."""
        workers = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        return AHEAD * workers - len(self._futures)

    def prepare(self, request: ScoreRequest) -> None:
        """Have each worker, those to come too, load the model before its first scene."""
        self._client.register_plugin(_plugin(request), name=f"specvae-{self._run}")

    def submit(self, number: int, task: Task) -> None:
        """Send a task under a number."""
        self._count += 1
        key = f"specvae-{self._run}-{self._count}"
        future = self._client.submit(_carry_out, task, key=key, pure=False)
        self._futures[future] = number
        future.add_done_callback(self._ended.put)

    def collect(self, timeout: float | None) -> list[tuple[int, Result]]:
        """Tasks that ended, waiting up to ``timeout`` seconds for the first."""
        if self._client.status != "running":
            raise SpecvaeError(
                f"the scheduler at {self.address} is gone; start it and run again: what is done stays done"
            )
        ready = []
        try:
            ready.append(self._ended.get(timeout=timeout))
            while True:
                ready.append(self._ended.get_nowait())
        except Empty:
            return [(self._futures.pop(future), _result(future)) for future in ready]


def _result(future: Any) -> Result:
    try:
        result: Result = future.result(timeout=30)
        return result
    except Exception as error:
        kind = type(error).__name__
        told = "its workers were lost again and again, perhaps for want of memory" if kind == "KilledWorker" else error
        return Result("failed", f"on the cluster: {kind}: {told}", transient=True)


def _carry_out(task: Task) -> Result:
    """On a worker. A model scores one scene at a time, also where the worker has several threads."""
    from specvae.pipeline.workers.work import carry_out

    with _ONE_AT_A_TIME:
        return carry_out(task)


def _plugin(request: ScoreRequest) -> Any:
    from distributed import WorkerPlugin

    class LoadModel(WorkerPlugin):
        """Sets GDAL up and loads the model, once a worker."""

        idempotent = False

        def setup(self, worker: Any) -> None:
            from specvae.pipeline.workers.work import get_ready

            get_ready(request)

    return LoadModel()
