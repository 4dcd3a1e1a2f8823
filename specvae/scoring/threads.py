"""Threads that share out the cells of a window, in groups as large as the device has memory for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from threading import Lock, local
from typing import TypeVar

import torch

from specvae.model.precision import full_precision
from specvae.model.torch_threads import settings_of_new_threads, single_threaded_pool
from specvae.spectra import Window

__all__ = ["Workers"]

Result = TypeVar("Result")

LARGEST_GROUP = 1024
"""Cells that are computed at once on a GPU, at most."""
SHARE_OF_MEMORY = 0.25
"""Of the GPU's free memory, that the groups under way may take together."""


class Workers:
    """``threads`` threads; on the CPU each takes one cell at a time, which stays in its cache.

    On a GPU each thread has a stream of its own, so that one's transfers overlap the other's arithmetic, and takes
    groups of cells; a group that does not fit is halved, and so are those after it.
    """

    def __init__(self, device: str, threads: int, cell_bytes: int, group: int | None = None) -> None:
        self.device, self.threads = device, threads
        self.group = group or (1 if device == "cpu" else _group(device, threads, cell_bytes))
        self._pool: ThreadPoolExecutor | None = None
        self._opening = Lock()
        self._own = local()

    def each(self, cells: Sequence[Window], work: Callable[[Sequence[Window]], None]) -> None:
        """Do ``work`` on groups of cells, in inference mode. Raises torch.OutOfMemoryError where even one cell does not fit."""
        groups = [cells[i : i + self.group] for i in range(0, len(cells), self.group)]
        # Four bundles a thread even out their work; one for each cell would spend more time on handing cells out.
        share = max(1, -(-len(groups) // (4 * self.threads)))

        def bundle(start: int) -> None:
            with torch.inference_mode(), self._stream():
                for group in groups[start : start + share]:
                    self._in_memory(group, work)

        self.spread(range(0, len(groups), share), bundle)

    def spread(self, numbers: Sequence[int], job: Callable[[int], None]) -> None:
        """Do ``job`` for each number; all have ended when this does."""
        with settings_of_new_threads(), self._precision():
            under_way = [self._opened().submit(job, number) for number in numbers]
            # All have ended before an error is raised, so that none still writes into the caller's arrays.
            wait(under_way)
        for done in under_way:
            done.result()

    def alone(self, job: Callable[[], Result]) -> Result:
        """What ``job`` returns, computed in one of the threads, in inference mode: never in the caller's own."""

        def inferred() -> Result:
            with torch.inference_mode():
                return job()

        with settings_of_new_threads(), self._precision():
            return self._opened().submit(inferred).result()

    def _opened(self) -> ThreadPoolExecutor:
        """The pool, made when first used; even a single thread is one of its own, so that no setting of the caller's counts."""
        with self._opening:
            if self._pool is None:
                self._pool = single_threaded_pool(self.threads, "score")
            return self._pool

    def _in_memory(self, cells: Sequence[Window], work: Callable[[Sequence[Window]], None]) -> None:
        try:
            work(cells)
            return
        except torch.OutOfMemoryError:
            if len(cells) == 1:
                raise
        # After the except clause: within it, the error holds on to what the failed attempt had taken of the device's memory.
        half = len(cells) // 2
        self.group = min(self.group, half)
        for part in (cells[:half], cells[half:]):
            self._in_memory(part, work)

    def _precision(self) -> AbstractContextManager[object]:
        return nullcontext() if self.device == "cpu" else full_precision()

    def _stream(self) -> AbstractContextManager[object]:
        if self.device == "cpu":
            return nullcontext()
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        return torch.cuda.stream(self._own.stream)


def _group(device: str, threads: int, cell_bytes: int) -> int:
    """Cells of a group that fit the GPU's free memory."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(max(1, min(LARGEST_GROUP, SHARE_OF_MEMORY * free / (threads * cell_bytes))))
