"""Rasters inside zip, tar and gzip files, by GDAL's virtual paths; nothing is unpacked to disk."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from itertools import islice

from specvae.errors import InputError

__all__ = ["ENDINGS", "TARS", "container_of", "is_virtual", "of_the_archive", "packed_raster", "tar_names", "zip_names"]

VIRTUAL = re.compile(r"^/vsi(?:zip|gzip|tar)/", re.I)
"""GDAL's file systems of local archives."""
ENDINGS = (
    ".tif",
    ".tiff",
    ".jp2",
    ".img",
    ".png",
    ".jpg",
    ".jpeg",
    ".bil",
    ".bip",
    ".bsq",
    ".dat",
    ".asc",
    ".ntf",
    ".nc",
)
"""What is taken for a raster inside an archive."""
TARS = (".tar", ".tgz", ".tar.gz")
"""Endings of archives that are read as tar files."""
MEMBERS = 20_000
"""Members of an archive that are looked at: a damaged one may claim any number."""


def is_virtual(path: str) -> bool:
    """Whether a path is GDAL's name for something inside a local archive."""
    return bool(VIRTUAL.match(path))


def container_of(path: str) -> str | None:
    """The file on disk behind one of GDAL's virtual paths, or None where there is none."""
    inner = path
    # File systems nest: `/vsitar//vsigzip/a.tar.gz/b.tif`.
    while VIRTUAL.match(inner):
        inner = VIRTUAL.sub("", inner)
    if inner.startswith("{"):
        inner = inner[1:].split("}", 1)[0]
    parts = inner.split("/")
    # No ending tells where the archive's path stops, so the longest beginning that is a file is taken for it.
    ends = ("/".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((place for place in ends if place and os.path.isfile(place)), None)


def packed_raster(path: str) -> str:
    """GDAL's path to the one raster in an archive, or ``path`` itself where it is none.

    Raises InputError for an archive that is damaged, or holds no raster or several.
    """
    name = path.casefold()
    if is_virtual(path) or not os.path.isfile(path):
        return path
    if name.endswith(".zip"):
        return _only(path, zip_names(path), "vsizip")
    if name.endswith(TARS):
        return _only(path, tar_names(path), "vsitar")
    return f"/vsigzip/{os.path.abspath(path)}" if name.endswith(".gz") else path


def _only(path: str, names: list[str], system: str) -> str:
    """GDAL's path to the only raster among the members of an archive; members that point out of it do not count."""
    rasters = [n for n in names if n.casefold().endswith(ENDINGS)]
    # In braces, so that GDAL takes what is between them for the archive, whatever its ending.
    inside = [f"/{system}/{{{os.path.abspath(path)}}}/{name}" for name in sorted(rasters)]
    if not inside:
        advice = "; unpack it, and give a scene or table that is in it" if names else ""
        raise InputError(f"{path} holds no raster (it has {', '.join(names[:8]) or 'nothing'}){advice}")
    if len(inside) > 1:
        raise InputError(f"{path} holds {len(inside)} rasters; unpack it, or name one, such as {inside[0]}")
    return inside[0]


def of_the_archive(name: str) -> bool:
    """Whether a member lies in the archive and was put there by a person: no way out of it, nothing of a Mac's own.

    Examples
    --------
    >>> [of_the_archive(n) for n in ("in/scene.tif", "../scene.tif", "__MACOSX/in/._scene.tif")]
    [True, False, False]
    """
    parts = name.split("/")
    return not name.startswith("/") and ".." not in parts and "__MACOSX" not in parts and not parts[-1].startswith("._")


def zip_names(path: str) -> list[str]:
    """Names of the members of a zip file. Raises InputError for a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name for name in archive.namelist()[:MEMBERS] if of_the_archive(name)]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f"{path} cannot be read as a zip file: {error}") from error


def tar_names(path: str) -> list[str]:
    """Names of the files in a tar file, compressed or not. Raises InputError for a damaged one."""
    try:
        with tarfile.open(path) as archive:
            # A tar file has no table of contents: to list it is to read it from its beginning to its end.
            files = (member.name.removeprefix("./") for member in islice(archive, MEMBERS) if member.isfile())
            return [name for name in files if of_the_archive(name)]
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a tar file: {error}") from error
