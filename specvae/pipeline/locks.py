"""Locks of a run, by flock: the kernel drops them with the process, so that none is ever stale.

Two files lie in each folder that a run fills. ``.specvae.lock`` belongs to the run itself; another one is refused.
``.specvae.scoring.threads`` is shared by those at work on a scene: a run waits for orphans of one that was killed.
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
PART = re.compile(r"^\..*\.part-")
OLD_SECONDS = 3600.0


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(folders: Iterable[str | Path], patience: float = 30.0) -> Iterator[None]:
    """Hold the folders, made where absent, for one run. Raises OutputError where another run holds one.

    Waits up to ``patience`` seconds for workers of a run that was killed.
    """
    with ExitStack() as held:
        for folder in sorted({Path(f) for f in folders}):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(_locked(folder / RUN, fcntl.LOCK_EX | fcntl.LOCK_NB))
                _wait_for_orphans(folder, patience)
            except BlockingIOError:
                raise OutputError(
                    f"another run is at work in {folder}; wait for its end, or give this one another out"
                ) from None
            except OSError as error:
                told = (
                    "its file system has no locks: choose another out"
                    if error.errno == errno.ENOLCK
                    else error.strerror
                )
                raise OutputError(f"{folder} cannot be locked for a run: {told}") from None
        yield


def _wait_for_orphans(folder: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            with _locked(folder / WORKERS, fcntl.LOCK_EX | fcntl.LOCK_NB):
                return
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@contextmanager
def at_work(path: str | Path) -> Iterator[None]:
    """Held by whoever works on a scene of the folder that ``path``, its ``.specvae.scoring.threads``, lies in."""
    with _locked(Path(path), fcntl.LOCK_SH):
        yield


def sweep(folder: str | Path) -> int:
    """Remove what killed processes left half-written below ``folder``; how many pieces. Call it alone in the folder."""
    swept = 0
    for place, names, files in os.walk(folder):
        for name in [n for n in names if PART.match(n)]:
            names.remove(name)
            swept += _remove(Path(place) / name)
        for name in files:
            path = Path(place) / name
            if PART.match(name) and time.time() - path.lstat().st_mtime > OLD_SECONDS:
                path.unlink(missing_ok=True)
                swept += 1
    return swept


def _remove(part: Path) -> bool:
    """Remove a folder that nobody is writing (who writes one holds a lock on it)."""
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(part, ignore_errors=True)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
