"""An archive: a product in a folder or zip file alike, with its members' names, texts and GDAL's paths to them."""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from itertools import islice

from specvae.errors import InputError

__all__ = ["Archive", "read_member"]

MEMBERS = 20_000
"""Members that are looked at: a damaged archive may claim any number, and a folder may be the root of a disk."""
VSIZIP = "/vsizip/"
"""GDAL's file system of zip files."""


@dataclass(frozen=True)
class Archive:
    """A folder or a zip file."""

    path: str
    """Where it lies."""

    @property
    def zipped(self) -> bool:
        """Whether it is a zip file."""
        return os.path.isfile(self.path)

    def names(self) -> list[str]:
        """Paths of the members below it, with ``/``, sorted. Raises InputError for a damaged archive."""
        if not self.zipped:
            paths = (os.path.join(at, name) for at, _, names in os.walk(self.path) for name in names)
            return sorted(os.path.relpath(p, self.path) for p in islice(paths, MEMBERS))
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = sorted(archive.namelist()[:MEMBERS])
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise InputError(f"{self.path} cannot be read as a zip file: {error}") from error
        # Members that would lead out of the archive are dropped here, where names come in, so that nobody need ask
        # again.
        return [n for n in names if not n.startswith("/") and ".." not in n.split("/")]

    def gdal(self, name: str) -> str:
        """GDAL's path to a member."""
        if not self.zipped:
            return os.path.join(self.path, name)
        return f"{VSIZIP}{{{os.path.abspath(self.path)}}}/{name}"

    def files(self, names: list[str]) -> tuple[str, ...]:
        """The files on disk behind some members."""
        return (self.path,) if self.zipped else tuple(os.path.join(self.path, name) for name in names)


def read_member(path: str, limit: int) -> bytes:
    """At most ``limit`` bytes of a file, or of a member of a zip file by GDAL's path to it."""
    try:
        if path.startswith(VSIZIP + "{"):
            outer, inner = path[len(VSIZIP) + 1 :].split("}/", 1)
            with zipfile.ZipFile(outer) as archive, archive.open(inner) as file:
                # A member may unpack to a thousand times its size: no more than the limit is.
                return file.read(limit)
        with open(path, "rb") as plain:
            return plain.read(limit)
    except (
        OSError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        NotImplementedError,
        # An encrypted member.
        RuntimeError,
        EOFError,
    ) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
