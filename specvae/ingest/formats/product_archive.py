"""An archive: a product in a folder, zip or tar file alike, with its members' names, texts and GDAL's paths to them."""

from __future__ import annotations

import os
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from itertools import islice

from specvae.errors import InputError
from specvae.ingest.formats.packed import TARS, of_the_archive, tar_names, zip_names

__all__ = ["Archive", "read_member"]

MEMBERS = 20_000
"""Members that are looked at: a damaged archive may claim any number, and a folder may be the root of a disk."""
VSIZIP, VSITAR = "/vsizip/", "/vsitar/"
"""GDAL's file systems of zip and tar files."""


@dataclass(frozen=True)
class Archive:
    """A folder, a zip file or a tar file."""

    path: str
    """Where it lies."""

    @property
    def packed(self) -> bool:
        """Whether it is a file rather than a folder."""
        return os.path.isfile(self.path)

    def names(self) -> list[str]:
        """Paths of the members below it, with ``/``, sorted. Raises InputError for a damaged archive."""
        if self.packed:
            return sorted(tar_names(self.path) if self._is_tar else zip_names(self.path))
        paths = (os.path.join(at, name) for at, _, names in os.walk(self.path) for name in names)
        relative = (os.path.relpath(path, self.path) for path in islice(paths, MEMBERS))
        return sorted(name for name in relative if of_the_archive(name))

    @property
    def _is_tar(self) -> bool:
        """Whether it is a tar file."""
        return self.path.casefold().endswith(TARS)

    def gdal(self, name: str) -> str:
        """GDAL's path to a member."""
        if not self.packed:
            return os.path.join(self.path, name)
        return f"{VSITAR if self._is_tar else VSIZIP}{{{os.path.abspath(self.path)}}}/{name}"

    def files(self, names: list[str]) -> tuple[str, ...]:
        """The files on disk behind some members."""
        return (self.path,) if self.packed else tuple(os.path.join(self.path, name) for name in names)


def read_member(path: str, limit: int) -> bytes:
    """At most ``limit`` bytes of a file, or of a member of a zip or tar file by GDAL's path to it."""
    try:
        if path.startswith(VSIZIP + "{"):
            outer, inner = path[len(VSIZIP) + 1 :].split("}/", 1)
            with zipfile.ZipFile(outer) as archive, archive.open(inner) as file:
                # A member may unpack to a thousand times its size: no more than the limit is.
                return file.read(limit)
        if path.startswith(VSITAR + "{"):
            outer, inner = path[len(VSITAR) + 1 :].split("}/", 1)
            return _tar_member(outer, inner, limit)
        with open(path, "rb") as plain:
            return plain.read(limit)
    except (
        OSError,
        KeyError,
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        ValueError,
        NotImplementedError,
        # An encrypted member.
        RuntimeError,
        EOFError,
    ) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _tar_member(archive: str, name: str, limit: int) -> bytes:
    """At most ``limit`` bytes of a member of a tar file. Raises KeyError where it has none of this name."""
    with tarfile.open(archive) as tar:
        # Some programs write `./name`, which GDAL takes for `name`.
        member = next((m for m in tar if m.name.removeprefix("./") == name), None)
        file = tar.extractfile(member) if member else None
        if file is None:
            raise KeyError(f"{name} is no file")
        return file.read(limit)
