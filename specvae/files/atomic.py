"""Files and folders that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from specvae.errors import OutputError
from specvae.files.store_address import refuse_store

__all__ = ["OutputFolder", "atomic_file"]


def _explained(path: Path, error: OSError) -> OutputError:
    advice = {
        errno.ENOSPC: "the disk is full: free some space",
        errno.EDQUOT: "the disk quota is used up: free some space",
        errno.EACCES: "permission is denied: choose another place",
        errno.EROFS: "the file system is read-only: choose another place",
        errno.ENOTDIR: "a part of the path is a file: choose another place",
        errno.EISDIR: "it is a folder: choose another name",
        errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    }
    return OutputError(f"{path} cannot be written: {advice.get(error.errno or 0, error.strerror or error)}")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed into place at the end, removed on any failure.

    Raises OutputError where the place cannot be written or is a symbolic link.
    """
    path = Path(path)
    refuse_store(path)
    # Renaming would put a file in the link's place, and what it points to would silently stay as it was.
    if path.is_symlink():
        raise OutputError(
            f"{path} is a symbolic link; outputs are not written through links: remove it or choose another place"
        )
    # Beside its place, for a rename is atomic only within one file system. The name is cut, since 255 bytes is the
    # usual limit; process and random bytes keep two writers of one output apart; the ending stays, for writers choose
    # the format by it.
    beside = path.parent / f".{path.name[:80]}.part-{os.getpid()}-{os.urandom(4).hex()}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        # Without this, a power cut soon after the rename could leave an empty file under the final name.
        _sync(beside)
        os.replace(beside, path)
    except OSError as error:
        raise _explained(path, error) from None
    finally:
        beside.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class OutputFolder:
    """A folder of outputs made beside its place. A context manager: what is not committed is removed.

    A folder that exists already loses its ``last`` file first and gains the new one last, so that at any moment a
    folder with that file is complete.
    """

    def __init__(self, place: Path, last: str, swept: Collection[str] = ()) -> None:
        """``swept``: names of files that an earlier result may have left and that this one replaces or removes."""
        self.place, self.last, self.swept = Path(place), last, frozenset(swept)
        self.path = Path()
        self._held: int | None = None

    def __enter__(self) -> OutputFolder:
        refuse_store(self.place)
        if self.place.is_symlink() or (self.place.exists() and not self.place.is_dir()):
            raise OutputError(
                f"{self.place} is not a folder of its own; outputs need one: remove it or choose another --out"
            )
        try:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            _sweep_beside(self.place)
            self.path = Path(tempfile.mkdtemp(prefix=f".{self.place.name[:80]}.part-", dir=self.place.parent))
            # mkdtemp lets only its owner in, whereas a result is often read by others.
            self.path.chmod(0o755)
            self._held = _hold(self.path)
        except OSError as error:
            raise _explained(self.place, error) from None
        return self

    def __exit__(self, *_: object) -> None:
        # After a commit there is nothing here, or an empty folder; after a failure, everything written so far.
        shutil.rmtree(self.path, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)

    def commit(self) -> Path:
        """Move everything into place, the ``last`` file last."""
        names = sorted((p.name for p in self.path.iterdir()), key=lambda name: name == self.last)
        try:
            for name in names:
                _sync(self.path / name)
            if not self.place.exists():
                # A single rename: nobody ever sees a folder that is half there.
                os.rename(self.path, self.place)
                return self.place
            # From here on the folder is neither the old result nor the new one, and must not pass for a complete one.
            (self.place / self.last).unlink(missing_ok=True)
            for old in self.swept - set(names):  # a file of any other name is somebody else's, and stays
                (self.place / old).unlink(missing_ok=True)
            for name in names:
                os.replace(self.path / name, self.place / name)
        except OSError as error:
            raise _explained(self.place, error) from None
        return self.place


def _sweep_beside(place: Path) -> None:
    """Remove unfinished folders of this place whose writer is gone: one that is at work holds a lock on its own."""
    # Eight characters are what mkdtemp adds; a folder of shards has a name of its own, and no lock.
    for folder in place.parent.glob(f".{glob.escape(place.name[:80])}.part-????????"):
        held = _hold(folder) if folder.is_dir() and not folder.is_symlink() else None
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _hold(folder: Path) -> int | None:
    """A lock on a folder being written, unlike one that a killed process abandoned; None where there are no locks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
