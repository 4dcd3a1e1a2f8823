"""The past of a place as a file, which streams through memory: a night reads one such file and writes the next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.past import past_type
from specvae.errors import InputError, OutputError

__all__ = ["PastFile"]

Bytes = NDArray[np.uint8]
AT_ONCE = 512
"""Pieces that one call of the system takes; it allows 1024."""


class PastFile:
    """The past of a place as a file, read and written in pieces of rows, so that memory stays bounded.

    First the records of all rows without their looks, then the looks of all rows, which maps need alone. A context manager where
    it is written: what was written is on the disk at its end, and what was read or written leaves the system's cache, which a
    file of gigabytes that is read once a night would fill with pages that cost more time than the disk does.
    """

    def __init__(self, path: Path, rows: int, cols: int, fresh: bool = False) -> None:
        """``fresh``: make the file anew, of ground that was never seen. Raises InputError where it has another size."""
        self.path, self.shape, self._type = path, (rows, cols), past_type(cols)
        self._looks, self._rest = 2 * cols, self._type.itemsize - 2 * cols
        size = rows * self._type.itemsize
        self._pool: ThreadPoolExecutor | None = None
        self._settling: Future[None] | None = None
        self._lock = Lock()
        if fresh:
            with path.open("wb") as file:
                file.truncate(size)
        elif path.stat().st_size != size:
            raise InputError(f"{path} is no checkpoint of {rows} x {cols} pixels; run again with --overwrite")

    def read(self, first: int, stop: int, into: NDArray[np.void] | None = None) -> NDArray[np.void]:
        """Records of some rows, in ``into`` where it is given."""
        records = np.empty(stop - first, self._type) if into is None else into
        raw = _bytes_of(records)
        self._get(self._place(first), raw[:, self._looks :])
        self._get(self._place_of_looks(first), raw[:, : self._looks])
        return records

    def looks(self, first: int, stop: int) -> NDArray[np.uint16]:
        """Clear looks of some rows, the only part of them that is read."""
        looks = np.empty((stop - first, self.shape[1]), np.uint16)
        self._get(self._place_of_looks(first), looks.view(np.uint8))
        return looks

    def write(self, first: int, records: NDArray[np.void]) -> None:
        """Put some rows. Raises OutputError where the disk is full."""
        raw = _bytes_of(np.ascontiguousarray(records))
        # A row of odd length ends in a byte that is no field's, and would hold what memory held: the same past is the same file.
        raw[:, sum(self._type[name].itemsize for name in self._type.names or ()) :] = 0
        places = (self._place(first), raw[:, self._looks :]), (self._place_of_looks(first), raw[:, : self._looks])
        try:
            for place, part in places:
                self._put(place, part)
            self._settle([(place, part.size) for place, part in places])
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}; is the disk full?") from None

    def __enter__(self) -> PastFile:
        self._pool = ThreadPoolExecutor(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        settling, self._pool, self._settling = self._settling, None, None
        if settling is not None and error is None:
            settling.result()

    def _place(self, row: int) -> int:
        return row * self._rest

    def _place_of_looks(self, row: int) -> int:
        return self.shape[0] * self._rest + row * self._looks

    def _get(self, place: int, rows: Bytes) -> None:
        """Fill rows of bytes, which lie apart in memory, from one piece of the file."""
        with self.path.open("rb", buffering=0) as file:
            begin = place
            for some in _portions(rows):
                got = os.preadv(file.fileno(), [row.data for row in some], begin)
                if got != some.size:
                    raise InputError(f"{self.path} ends too early; run again with --overwrite")
                begin += got
            _forget(file.fileno(), place, rows.size)

    def _put(self, place: int, rows: Bytes) -> None:
        with self.path.open("r+b", buffering=0) as file:
            for some in _portions(rows):
                put = os.pwritev(file.fileno(), [row.data for row in some], place)
                if put != some.size:
                    raise OutputError(f"{self.path} cannot be written; is the disk full?")
                place += put

    def _settle(self, pieces: Sequence[tuple[int, int]]) -> None:
        """Have written pieces brought to the disk while others are computed; one at a time, so that few wait for it."""
        with self._lock:
            if self._pool is None:
                return
            if self._settling is not None:
                self._settling.result()
            self._settling = self._pool.submit(_settled, self.path, pieces)


def _settled(path: Path, pieces: Sequence[tuple[int, int]]) -> None:
    with path.open("r+b", buffering=0) as file:
        os.fdatasync(file.fileno())
        for place, size in pieces:
            _forget(file.fileno(), place, size)


def _forget(descriptor: int, place: int, size: int) -> None:
    """Let the system's cache drop a piece of a file, where the system can."""
    forget: Any = getattr(os, "posix_fadvise", None)
    if forget is not None:
        forget(descriptor, place, size, os.POSIX_FADV_DONTNEED)


def _bytes_of(records: NDArray[np.void]) -> Bytes:
    """Records as ``(rows, bytes)``."""
    return records.view(np.uint8).reshape(len(records), -1)


def _portions(rows: Bytes) -> list[Bytes]:
    return [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)]
