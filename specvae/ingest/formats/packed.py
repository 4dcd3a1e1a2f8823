"""Rasters inside zip, tar and gzip files, by GDAL's virtual paths; nothing is unpacked to disk."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from itertools import islice

from specvae.errors import InputError

__all__ = ["container_of", "is_virtual", "packed_raster"]

VIRTUAL = re.compile(r"^/vsi(?:zip|gzip|tar)/", re.I)
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
MEMBERS = 20_000


def is_virtual(path: str) -> bool:
    """Whether a path is GDAL's name for something inside a local archive."""
    return bool(VIRTUAL.match(path))


def container_of(path: str) -> str | None:
    """The file on disk behind one of GDAL's virtual paths, or None where there is none."""
    inner = path
    while VIRTUAL.match(inner):
        inner = VIRTUAL.sub("", inner)
    if inner.startswith("{"):
        inner = inner[1:].split("}", 1)[0]
    parts = inner.split("/")
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
        return _only(path, _zip_names(path), "vsizip")
    if name.endswith(TARS):
        return _only(path, _tar_names(path), "vsitar")
    return f"/vsigzip/{os.path.abspath(path)}" if name.endswith(".gz") else path


def _only(path: str, names: list[str], system: str) -> str:
    rasters = [
        n for n in names if n.casefold().endswith(ENDINGS) and not n.startswith("/") and ".." not in n.split("/")
    ]
    found = [f"/{system}/{{{os.path.abspath(path)}}}/{name}" for name in sorted(rasters)]
    if not found:
        raise InputError(f"{path} holds no raster (it has {', '.join(names[:8]) or 'nothing'})")
    if len(found) > 1:
        raise InputError(f"{path} holds {len(found)} rasters; unpack it, or name one, such as {found[0]}")
    return found[0]


def _zip_names(path: str) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()[:MEMBERS]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f"{path} cannot be read as a zip file: {error}") from error


def _tar_names(path: str) -> list[str]:
    try:
        with tarfile.open(path) as archive:
            return [member.name for member in islice(archive, MEMBERS) if member.isfile()]
    except (OSError, tarfile.TarError, EOFError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a tar file: {error}") from error
