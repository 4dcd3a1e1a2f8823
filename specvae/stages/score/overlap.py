"""Reading, computing and writing at the same time: each in its own thread, a bounded number of pieces under way.

Threads serve, where processes would have to copy every cube: GDAL reads, numpy and torch compute, and deflate compresses
without Python's global lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["overlapped", "prefetched"]

Item = TypeVar("Item")
Read = TypeVar("Read")
Done = TypeVar("Done")


def overlapped(
    items: Iterable[Item],
    read: Callable[[Item], Read],
    work: Callable[[Item, Read], Done],
    write: Callable[[Item, Done], None],
    ahead: int = 1,
    at_once: int = 1,
) -> None:
    """``write(item, work(item, read(item)))`` for every item; the three overlap. Reads and writes are made in order.

    At most ``ahead`` pieces are read in advance, ``at_once`` are worked on and ``ahead`` are being written, which bounds
    memory. The first exception of any of them ends the run and is raised here.
    """
    # One thread reads and one writes, so that reads and writes are made in order: files are read front to back, each
    # block decoded once, and the accumulators are given the windows in the same order in every run.
    with (
        ThreadPoolExecutor(1, "read") as reader,
        ThreadPoolExecutor(at_once, "work") as worker,
        ThreadPoolExecutor(1, "write") as writer,
    ):
        under_way = _UnderWay(
            iter(items),
            lambda item: reader.submit(read, item),
            lambda item, piece: worker.submit(work, item, piece),
            lambda item, done: writer.submit(write, item, done),
        )
        try:
            under_way.run(ahead, at_once)
        finally:
            # After a failure the pieces that wait are dropped. Without this, leaving the executors would wait for all.
            under_way.cancel()


@dataclass(frozen=True, eq=False)
class _UnderWay(Generic[Item, Read, Done]):
    """The pieces between being read and being written: three queues, the oldest piece of each at its front."""

    items: Iterator[Item]
    read: Callable[[Item], Future[Read]]
    work: Callable[[Item, Read], Future[Done]]
    write: Callable[[Item, Done], Future[None]]
    reading: deque[tuple[Item, Future[Read]]] = field(default_factory=deque)
    working: deque[tuple[Item, Future[Done]]] = field(default_factory=deque)
    writing: deque[Future[None]] = field(default_factory=deque)

    def run(self, ahead: int, at_once: int) -> None:
        """Take every item through the three queues, and wait for the last one to be written."""
        for _ in range(ahead):
            self._read_next()
        while self.reading or self.working:
            # Work comes first, so that no worker waits for a slow write.
            if self.reading and len(self.working) < at_once:
                self._work_on_next()
                self._read_next()
            else:
                self._write_next(ahead)
        while self.writing:
            self.writing.popleft().result()

    def cancel(self) -> None:
        """Drop the pieces that no thread has taken up yet."""
        futures: list[Future[Any]] = [*(f for _, f in self.reading), *(f for _, f in self.working), *self.writing]
        for future in futures:
            future.cancel()

    # Each step is a method of its own, so that what it took from a queue is freed when the step ends: a variable that
    # lived on in the loop would hold one more cube in memory than the three that are counted.

    def _read_next(self) -> None:
        """Have the next item read, if there is one."""
        for item in self.items:
            self.reading.append((item, self.read(item)))
            return

    def _work_on_next(self) -> None:
        """Wait for the oldest piece to be read, and have it worked on."""
        item, piece = self.reading.popleft()
        self.working.append((item, self.work(item, piece.result())))

    def _write_next(self, ahead: int) -> None:
        """Wait for the oldest piece to be worked on, and have it written, ``ahead`` pieces at once at most."""
        item, piece = self.working.popleft()
        done = piece.result()
        while len(self.writing) >= ahead:
            self.writing.popleft().result()
        self.writing.append(self.write(item, done))


def prefetched(items: Iterable[Item], ahead: int = 1) -> Iterator[Item]:
    """The items, produced in a thread of their own, at most ``ahead`` in advance. Their exception is raised here."""
    # A value of its own marks the end: StopIteration, raised by a future inside of this generator, would become a
    # RuntimeError.
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, "read") as reader:
        coming: deque[Future[Any]] = deque(reader.submit(next, source, end) for _ in range(ahead + 1))
        try:
            while (item := coming.popleft().result()) is not end:
                coming.append(reader.submit(next, source, end))
                yield item
        finally:
            for future in coming:
                future.cancel()
