"""Reading, computing and writing at the same time: each in its own thread, a bounded number of pieces under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

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
    memory. The first exception of any of them ends the whole and is raised here.
    """
    queue = iter(items)
    reading: deque[tuple[Item, Future[Read]]] = deque()
    working: deque[tuple[Item, Future[Done]]] = deque()
    writing: deque[Future[None]] = deque()
    with (
        ThreadPoolExecutor(1, "read") as reader,
        ThreadPoolExecutor(at_once, "work") as worker,
        ThreadPoolExecutor(1, "write") as writer,
    ):

        def fetch() -> None:
            for item in queue:
                reading.append((item, reader.submit(read, item)))
                return

        try:
            for _ in range(ahead):
                fetch()
            while reading or working:
                if reading and len(working) < at_once:
                    item, read_piece = reading.popleft()
                    working.append((item, worker.submit(work, item, read_piece.result())))
                    del read_piece
                    fetch()
                    continue
                item, done = working.popleft()
                made = done.result()
                while len(writing) >= ahead:
                    writing.popleft().result()
                writing.append(writer.submit(write, item, made))
                del made, done
            while writing:
                writing.popleft().result()
        finally:
            under_way: list[Future[Any]] = [*(f for _, f in reading), *(f for _, f in working), *writing]
            for pending in under_way:
                pending.cancel()


def prefetched(items: Iterable[Item], ahead: int = 1) -> Iterator[Item]:
    """The same items, made in a thread of their own, at most ``ahead`` in advance. Their exception is raised here."""
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
