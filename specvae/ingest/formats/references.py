"""References inside a file (VRT, tile indexes), and the rule that they stay in the folder the user pointed at.

A VRT is text that names other files or addresses; one from elsewhere could have any file of this machine read, or
send a request to any server.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from specvae.errors import InputError

__all__ = ["check_references", "dependencies", "is_remote", "parts_of"]

REMOTE = re.compile(r"^(?:/vsi(?!zip/|tar/|gzip/|sparse/|subfile/|mem/)\w+|[a-z][a-z0-9+.-]{1,20}://)", re.I)
# A pattern rather than a parser of XML: GDAL reads more than a strict parser does, and what the parser refuses would go
# by unchecked.
SOURCE = re.compile(
    r"<(SourceFilename|SourceDataset|GDALWarpVRT|FileName|MaskFilename|ServerUrl|GDALDataset)\b[^>]*?"
    r"(?:relativeToVRT\s*=\s*[\"'](?P<rel>[01])[\"'])?[^>]*>(?P<ref>[^<]*)<",
    re.I,
)
"""An element that names a file, with whether the name is relative to the VRT."""
LARGEST_XML = 64 << 20
"""Bytes of a VRT that are read."""
DEEPEST = 8
"""Depth to which VRTs may refer to each other."""


def is_remote(path: str) -> bool:
    """Whether a path is an address elsewhere: a URL or one of GDAL's network file systems."""
    return bool(REMOTE.match(path))


def check_references(path: str, allow_remote: bool) -> None:
    """Refuse ``path`` where it, or a VRT it leads to, refers outside the folder it lies in. Raises InputError."""
    if allow_remote:
        return
    if is_remote(path):
        raise InputError(f"{path} is a remote address; allow it with --allow-remote")
    if os.path.isfile(path):
        _check(Path(path), Path(path).resolve().parent, 0)


RASTERS = (".tif", ".tiff", ".jp2", ".img", ".dat", ".vrt")
"""Endings of rasters that a VRT may be made of."""
LARGEST_LIST = 1 << 20
"""Bytes of a list of tiles that are read."""
OF_IMAGE = re.compile(r"-(?:METADATA\.xml|QL_QUALITY[\w-]*\.\w+)$", re.I)
"""Files beside a spectral image of EnMAP or DESIS that bear on how it is read."""


def dependencies(path: str) -> tuple[str, ...]:
    """The local files, beside ``path`` itself, that bear on how it is read, none twice.

    These are the files beside it that place it or say what its values are (header, mask, world file, statistics, the
    parts of a shapefile), and for a VRT the files that it names, with those that they depend on in turn.
    """
    found: dict[str, None] = {}
    queue = [(path, 0)]
    while queue:
        current, depth = queue.pop(0)
        named = _named_in(current) if depth < DEEPEST else ()
        for other in (*_beside(current), *named):
            if other not in found and other != path:
                found[other] = None
                queue += [(other, depth + 1)] if other in named else []
    return tuple(found)


def parts_of(path: str) -> tuple[str, ...]:
    """The rasters that a VRT, or a list of tiles (.til) of WorldView, is made of; none where it cannot be read."""
    if not path.casefold().endswith(".til"):
        return tuple(other for other in dependencies(path) if other.casefold().endswith(RASTERS))
    try:
        with open(path, "rb") as file:
            text = file.read(LARGEST_LIST).decode("latin-1")
    except OSError:
        return ()
    named = re.findall(r'filename\s*=\s*"([^"/\\]+)"', text, re.I)
    return tuple(os.path.join(os.path.dirname(path), name) for name in named)


def _beside(path: str) -> tuple[str, ...]:
    """The files beside a raster or vector file that belong to it, as far as they are there."""
    stem, end = os.path.splitext(path)
    parts = (".shx", ".dbf", ".prj", ".cpg") if end.casefold() == ".shp" else ()
    # A world file is called after the first and last letter of the ending (`.tfw`), or has a `w` behind it.
    letters = end.casefold().lstrip(".")
    world = (f".{letters[:1]}{letters[-1:]}w", f"{end}w", ".wld", ".prj") if letters else ()
    names = [path + more for more in (".msk", ".aux.xml", ".hdr", ".ovr.msk")]
    names += [stem + more for more in (".hdr", ".aux", ".rpb", "_RPC.TXT", "_rpc.txt", *world, *parts)]
    if (at := path.upper().rfind("-SPECTRAL_IMAGE")) >= 0:  # EnMAP's or DESIS's, with its metadata and quality layers
        folder, own = os.path.split(path[:at])
        names += [os.path.join(folder, n) for n in _listed(folder) if n.startswith(own) and OF_IMAGE.search(n)]
    upper = [stem + more.upper() for more in (".rpb", *world, *parts)]
    return tuple(dict.fromkeys(name for name in [*names, *upper] if name != path and os.path.isfile(name)))


def _listed(folder: str) -> list[str]:
    """The names in a folder, sorted; none where it cannot be listed."""
    try:
        return sorted(os.listdir(folder or "."))
    except OSError:
        return []


def _named_in(path: str) -> tuple[str, ...]:
    """The local files that a VRT names directly."""
    text = _xml(Path(path)) or ""
    targets = (_target(Path(path), _unescaped(h.group("ref")).strip(), h.group("rel")) for h in SOURCE.finditer(text))
    return tuple(dict.fromkeys(str(f) for f in targets if isinstance(f, Path) and "\0" not in str(f) and f.is_file()))


def _check(path: Path, folder: Path, depth: int) -> None:
    """Raise InputError where a file, or what it refers to in turn, refers outside ``folder`` or nowhere."""
    text = _xml(path)
    if text is None:
        return
    if depth >= DEEPEST:
        raise InputError(f"{path} refers to itself or nests more than {DEEPEST} files deep")
    for hit in SOURCE.finditer(text):
        target = _target(path, _unescaped(hit.group("ref")).strip(), hit.group("rel"))
        if target is None:
            continue
        if "\0" in str(target):
            raise InputError(f"{path} refers to a name with a null byte")
        # Resolved, so that neither `..` nor a link leads out of the folder.
        if isinstance(target, str) or not target.resolve().is_relative_to(folder):
            raise InputError(f"{path} refers to {target}, outside its own folder; allow it with --allow-remote")
        if not target.exists():
            raise InputError(f"{path} refers to {target}, which does not exist")
        _check(target, folder, depth + 1)


def _target(path: Path, reference: str, relative: str | None) -> Path | str | None:
    """The file that a reference names, as a path; the reference itself where it is no plain file; None where empty."""
    if not reference or reference.startswith("<"):
        return None
    # In the name of a variable, `NETCDF:"file.nc":reflectance`, the file is what has to stay in the folder.
    inner = re.match(r'^[A-Z][A-Za-z0-9_]+:"?([^":]+)"?(?::.*)?$', reference)
    plain = inner.group(1) if inner else reference
    if is_remote(plain) or plain.startswith("/vsi"):
        return reference
    return path.parent / plain if relative == "1" or not os.path.isabs(plain) else Path(plain)


def _unescaped(text: str) -> str:
    """A reference as GDAL will see it: entities of XML resolved, and percent codes of an address."""
    # The ampersand last: done first, `&amp;lt;` would become `<`, which GDAL does not see.
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(entity, char)
    return unquote(text) if "%" in text and "://" in text else text


def _xml(path: Path) -> str | None:
    """The text of a file that GDAL would take for XML or a reference, or None for any other."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
            # By its first bytes, as GDAL recognises it: the ending may be any.
            if b"<VRT" not in head and b"<GDAL" not in head and b"<WMS" not in head and b"<TileIndex" not in head:
                return None
            return (head + file.read(LARGEST_XML)).decode("utf-8", "replace")
    except OSError:
        return None
