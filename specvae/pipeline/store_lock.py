"""The lock of a run on a folder in object storage, where there is no flock: a file that only one run can create.

A store that knows conditional writes refuses to create what exists. The run renews its file once a minute; one that was not renewed
for ten is that of a run that is gone, and is taken over. Whether the store knows them is tried on the lock itself: where a second
creation succeeds, any number of runs would believe that they were alone, and the run is refused.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime

from specvae.errors import OutputError
from specvae.files.store import Store

__all__ = ["StoreLock"]

NAME = ".specvae.lock"
RENEW_SECONDS = 60.0
STALE_SECONDS = 600.0
"""Age at which a lock is that of a run that is gone: ten renewals that did not come."""
SETTLE_SECONDS = 2.0
"""After a lock was taken over: another run may have done the same, and the one whose lock stands has it."""


class StoreLock:
    """A run's lock on a folder in a store. A context manager; raises OutputError where another run holds it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._content = json.dumps(
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "since": datetime.now(UTC).isoformat(timespec="seconds"),
                "token": uuid.uuid4().hex,
            }
        ).encode()
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> StoreLock:
        try:
            self._take()
        except NotImplementedError:
            raise self._unsupported() from None
        self._renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._renewing.join()
        # A lock that cannot be removed is stale in ten minutes; the run's result is what it is.
        with suppress(OutputError):
            if self._is_ours():
                self.store.remove(NAME)

    def _take(self) -> None:
        if not self.store.create(NAME, self._content):
            self._take_over()
        elif self.store.create(NAME, self._content):
            self.store.remove(NAME)
            raise NotImplementedError

    def _take_over(self) -> None:
        """Take the lock of a run that is gone. Raises OutputError where its run is at work."""
        there = self.store.read(NAME)
        if there is not None and there[1] < STALE_SECONDS:
            raise OutputError(f"another run is at work in {self.store.address} ({_holder(there[0])}); wait for its end")
        self.store.remove(NAME)
        created = self.store.create(NAME, self._content)
        time.sleep(SETTLE_SECONDS)
        if not created or not self._is_ours():
            raise OutputError(f"another run took over {self.store.address}; wait for its end")

    def _is_ours(self) -> bool:
        there = self.store.read(NAME)
        return there is not None and there[0] == self._content

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            # The network may be back in a minute; nine renewals more are due before the lock is stale.
            with suppress(OutputError):
                if self._is_ours():
                    self.store.write(NAME, self._content)

    def _unsupported(self) -> OutputError:
        return OutputError(
            f"{self.store.address} knows no conditional writes, so that two runs could work there at once; give --no-lock "
            "where no other run does"
        )


def _holder(content: bytes) -> str:
    """Whose lock it is, in words."""
    try:
        about = json.loads(content)
        return f"{about['host']}, process {about['pid']}, since {about['since']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unknown"
