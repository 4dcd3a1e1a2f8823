"""Locks of a run, made with ``flock``: the kernel drops them when the process ends, so that none is ever stale.

Two lock files lie in each folder that a run fills. ``.specvae.lock`` belongs to the run: while one run holds it, another
one is refused. ``.specvae.scoring.threads`` is shared by the workers that are writing into the folder: a run that was killed
may leave workers behind for a moment, and the next run waits until the last of them has let it go.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from specvae.errors import OutputError

__all__ = ["WORKERS", "alone", "at_work", "sweep"]

RUN, WORKERS = ".specvae.lock", ".specvae.scoring.threads"
"""File names of the run's own lock and of the one that its workers share."""
PART = re.compile(r"^\..*\.part-")
"""Name of a file or folder that is being written beside its place, to be renamed into it."""
ABANDONED_SECONDS = 3600.0
"""Age at which an unfinished file is taken for abandoned. A file, unlike a folder, carries no lock of its writer, and no
single file takes an hour to write."""
ORPHAN_SECONDS = 30.0
"""How long a run waits for workers of a killed one; they notice the death of their parent at once."""


@contextmanager
def _locked(path: Path, operation: int) -> Iterator[None]:
    """Hold a flock on a file, made where absent. Raises BlockingIOError with ``LOCK_NB`` where another holds it.

    The file is never removed: a process that waits on a removed file would lock one that nobody else can see. Closing
    the descriptor drops the lock; O_CLOEXEC prevents a child process from inheriting it and holding it longer.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, operation)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(folders: Iterable[str | Path], patience: float = ORPHAN_SECONDS) -> Iterator[None]:
    """Hold the folders, made where absent, for one run. Raises OutputError where another run holds one.

    Waits up to ``patience`` seconds for the workers of a run that was killed.
    """
    with ExitStack() as locks:
        # In sorted order, so that two runs over the same folders meet at the same one and neither holds half of them.
        for folder in sorted({Path(f) for f in folders}):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                locks.enter_context(_locked(folder / RUN, fcntl.LOCK_EX | fcntl.LOCK_NB))
                _wait_for_orphans(folder, patience)
            except BlockingIOError:
                raise OutputError(
                    f"another run is at work in {folder}; wait for its end, or give this one another out"
                ) from None
            except OSError as error:
                raise OutputError(f"{folder} cannot be locked for a run: {_reason(error)}") from None
        yield


def _reason(error: OSError) -> str | None:
    if error.errno == errno.ENOLCK:
        return "its file system has no locks: choose another out"
    return error.strerror


def _wait_for_orphans(folder: Path, patience: float) -> None:
    """Return once no worker is at work in the folder. Raises BlockingIOError after ``patience`` seconds.

    The exclusive lock succeeds only when no worker holds its shared one. It is dropped at once, so that the workers of
    this run can share it; the run's own lock prevents others from starting in between.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with _locked(folder / WORKERS, fcntl.LOCK_EX | fcntl.LOCK_NB):
                return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def at_work(path: str | Path) -> Iterator[None]:
    """Share the lock file ``path``, a folder's ``.specvae.scoring.threads``, while a worker writes into that folder."""
    # On a cluster the mirror of a store may be this machine's first.
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with _locked(Path(path), fcntl.LOCK_SH):
        yield


def sweep(folder: str | Path) -> int:
    """Remove the unfinished files and folders that killed processes left below ``folder``, and return their number.

    Call it while holding the folder with :func:`alone`.
    """
    removed = 0
    for place, names, files in os.walk(folder):
        for name in [n for n in names if PART.match(n)]:
            names.remove(name)  # os.walk then does not descend into it
            removed += _remove_abandoned(Path(place) / name)
        for name in files:
            path = Path(place) / name
            # lstat, since a link is judged by its own age: what it points at may be gone, or belong to others.
            if PART.match(name) and time.time() - path.lstat().st_mtime > ABANDONED_SECONDS:
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _remove_abandoned(folder: Path) -> bool:
    """Remove an unfinished folder unless somebody is writing it: a writer holds a lock on the folder itself."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
