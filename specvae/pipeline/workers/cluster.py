"""The workers of a Dask cluster: the same tasks as for local processes, submitted as futures.

What differs from local processes is who watches over the workers. The scheduler gives the task of a lost worker to another
one by itself; only when several workers died of the same task does it give up, and the future fails with ``KilledWorker``.
The lock files and the fingerprints lie on a file system that all workers see, so that a task which ran twice finds its scene
done already.
"""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from specvae.errors import MissingExtraError, SpecvaeError, UsageError
from specvae.pipeline.workers.task import Result, Task
from specvae.stages.score.request import ScoreRequest

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster, WorkerPlugin

__all__ = ["ClusterWorkers"]

AHEAD = 2
"""Tasks submitted for each worker at once: the second waits beside the first, so that no worker waits for the network."""
PATIENCE = 60.0
"""Seconds to wait for a scheduler and its first worker; batch systems start workers slowly."""
RESULT_SECONDS = 30
"""Seconds to wait for the result of a future that is done: only the transfer of some kilobytes remains."""
CLOSE_SECONDS = 3
"""Seconds for an orderly goodbye. A busy machine may need longer, but workers end with their scheduler anyway."""
MOST_PROCESSES = 1024
"""Limit of ``local:N``; a larger number is a mistake."""
_ONE_AT_A_TIME = Lock()


class ClusterWorkers:
    """The workers behind a scheduler's address, or ``local:N``, a cluster of N processes here. A context manager.

    Raises UsageError for an address of another form, SpecvaeError where nobody answers, MissingExtraError without dask.
    """

    threads = 1

    def __init__(self, address: str) -> None:
        self.address = address
        self._cluster: LocalCluster | None = None
        self._connected: Client | None = None
        self._futures: dict[Future[Result], int] = {}
        self._ended: SimpleQueue[Future[Result]] = SimpleQueue()
        self._run = uuid4().hex[:8]
        self._count = 0

    def __enter__(self) -> ClusterWorkers:
        try:
            from distributed import Client
        except ImportError:
            raise MissingExtraError.of("--cluster", "dask", extra="cluster") from None
        try:
            self._connected = Client(self._scheduler(), timeout=PATIENCE, set_as_default=False)
            self._connected.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            self.__exit__()
            raise SpecvaeError(
                f"no cluster with workers answers at {self.address} ({type(error).__name__}); start `dask scheduler` and "
                "`dask worker`, or use --cluster local:2"
            ) from None
        return self

    @property
    def _client(self) -> Client:
        assert self._connected is not None, "use it as a context manager"
        return self._connected

    def _scheduler(self) -> LocalCluster | str:
        """What a client connects to: a cluster started here, or the address."""
        kind, _, rest = self.address.partition(":")
        if kind == "local":
            if not rest.isdigit() or not 1 <= int(rest) <= MOST_PROCESSES:
                raise UsageError(f"--cluster {self.address}: expected local:N, a number of processes")
            from distributed import LocalCluster

            # memory_limit=0: the memory is bounded by max_memory, and dask's limit would kill workers at a peak.
            self._cluster = LocalCluster(
                n_workers=int(rest), threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
            )
            return self._cluster
        if "://" not in self.address:
            raise UsageError(f"--cluster {self.address}: expected tcp://host:8786, or local:4")
        return self.address

    def __exit__(self, *_: object) -> None:
        if self._connected is not None:
            with suppress(TimeoutError):
                self._connected.cancel(list(self._futures), force=True)
                self._connected.close(timeout=CLOSE_SECONDS)
        if self._cluster is not None:
            with suppress(TimeoutError):
                self._cluster.close(timeout=CLOSE_SECONDS)
        self._connected = self._cluster = None

    @property
    def idle(self) -> int:
        """How many more tasks can be submitted now; workers may come and go during a run."""
        workers = max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))
        return AHEAD * workers - len(self._futures)

    def prepare(self, request: ScoreRequest) -> None:
        """Have each worker load the model before its first scene, also workers that join later."""
        self._client.register_plugin(_plugin(request), name=f"specvae-{self._run}")

    def submit(self, number: int, task: Task) -> None:
        """Send a task to the scheduler; its result comes back under ``number``."""
        self._count += 1
        # A key of its own for each attempt: under an old key the scheduler would answer with the old result.
        key = f"specvae-{self._run}-{self._count}"
        future = self._client.submit(_carry_out, task, key=key, pure=False)
        self._futures[future] = number
        future.add_done_callback(self._ended.put)

    def collect(self, timeout: float | None) -> list[tuple[int, Result]]:
        """Numbers and results of tasks that ended, waiting up to ``timeout`` seconds for the first."""
        if self._client.status != "running":
            raise SpecvaeError(
                f"the scheduler at {self.address} is gone; start it and run again: what is done stays done"
            )
        ready: list[Future[Result]] = []
        try:
            ready.append(self._ended.get(timeout=timeout))
            while True:
                ready.append(self._ended.get_nowait())
        except Empty:
            return [(self._futures.pop(future), _result(future)) for future in ready]


def _result(future: Future[Result]) -> Result:
    """The result of a future that is done. Its exception is the cluster's, since a task raises none: it may pass."""
    try:
        result: Result = future.result(timeout=RESULT_SECONDS)
        return result
    except Exception as error:
        kind = type(error).__name__
        lost = "its workers were lost again and again, perhaps for want of memory"
        return Result("failed", f"on the cluster: {kind}: {lost if kind == 'KilledWorker' else error}", transient=True)


def _carry_out(task: Task) -> Result:
    """Carry out a task on a worker. One at a time, also where the worker has several threads: they share one model."""
    from specvae.pipeline.workers.work import carry_out

    with _ONE_AT_A_TIME:
        return carry_out(task)


def _plugin(request: ScoreRequest) -> WorkerPlugin:
    from distributed import WorkerPlugin

    class LoadModel(WorkerPlugin):
        """Sets GDAL up and loads the model, once a worker."""

        idempotent = False

        def setup(self, worker: Any) -> None:
            from specvae.pipeline.workers.work import get_ready

            get_ready(request)

    return LoadModel()
