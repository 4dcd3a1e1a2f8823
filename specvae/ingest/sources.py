"""Files, folders and globs that a user names, resolved into sources, each with the key of its report."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from specvae.errors import InputError, UsageError
from specvae.ingest.formats.band_sets import band_token, same_scene
from specvae.ingest.formats.packed import container_of, is_virtual
from specvae.ingest.formats.references import is_remote, referenced
from specvae.ingest.source import Source
from specvae.ingest.table.recognise import is_table

__all__ = ["find_sources"]

COMPANIONS = (
    *(".hdr", ".xml", ".msk", ".ovr", ".prj", ".tfw", ".tifw", ".aux", ".rrd", ".eww", ".jgw", ".wld", ".met"),
    *(".cpg", ".dbf", ".shx", ".shp", ".sbn", ".sbx", ".qix", ".qpj", ".qml", ".gpkg", ".geojson", ".gml", ".kml"),
    *(".md", ".json", ".html", ".pdf", ".log", ".txt", ".ini", ".toml", ".yml", ".yaml", ".py", ".specvae", ".safe"),
    *(".lock", ".tmp", ".part", ".sha256", ".md5", ".dir", ".pag", ".gz", ".bz2", ".xz", ".7z"),
)
"""Endings that a folder or glob passes over: what stands beside scenes and tables rather than being one."""
WILD = re.compile(r"[*?\[]")
"""The characters that make a name a pattern."""
DATASET_NAME = re.compile(r"^(NETCDF|HDF5|GTIFF_DIR|ZARR|HDF4_\w+):")
"""How GDAL names a dataset inside a file."""


def find_sources(patterns: Iterable[str | Path]) -> list[Source]:
    """Sources behind files, folders and globs, sorted within each pattern, each once.

    Raises UsageError where nothing is named or two would report to one folder, InputError where a name finds nothing.
    """
    sources: dict[str, Source] = {}
    for pattern in patterns:
        for source in _expand(str(pattern)):
            # One file under two names is one scene; links to what is not there are one each, to be named each.
            place = os.path.realpath(source.path)
            place = place if os.path.exists(place) else os.path.abspath(source.path)
            sources.setdefault("\0".join((place, *source.members)), source)
    if not sources:
        raise UsageError("no source is named; give files, folders or globs")
    return _with_keys_of_their_own(list(sources.values()))


def _expand(pattern: str) -> list[Source]:
    """The sources behind one name or pattern. Raises InputError where it finds nothing."""
    # The name as it stands comes before the pattern: `a[1].tif` is both. A link to nowhere counts as there (lexists),
    # so that the error names the link rather than a pattern without a match.
    if is_remote(pattern) or os.path.lexists(pattern):
        return _named(pattern)
    if is_virtual(pattern) and (archive := container_of(pattern)):
        return [replace(_file(pattern, str(Path(pattern).parent)), files=(archive,))]
    if not WILD.search(pattern):
        if DATASET_NAME.match(pattern):
            return [_subdataset(pattern)]
        raise InputError(f"{pattern} does not exist; expected a raster, a table, a folder or a glob")
    fixed = _fixed_part(pattern)
    hits = sorted(h for h in glob.glob(pattern, recursive=True) if not _hidden(h, fixed))
    sources = [s for hit in hits if not _companion(hit) for s in _below(hit, fixed)]
    if not sources:
        raise InputError(f"{pattern} matches no scene or table")
    return sources


def _named(path: str) -> list[Source]:
    """Sources behind a name that exists: a file is always one, whatever its ending; a folder is looked into."""
    if not os.path.isdir(path):
        return [_file(path, str(Path(path).parent))]
    absolute = os.path.abspath(path)
    if _is_product_folder(absolute):
        return [_product(_clean(Path(absolute).name), path)]
    sources = _folder(path, path)
    if not sources:
        raise InputError(f"{path} holds no scene or table")
    is_one_scene = len(sources) == 1 and sources[0].members and Path(sources[0].path) == Path(path)
    return [replace(sources[0], key=_clean(Path(absolute).name))] if is_one_scene else sources


def _below(path: str, fixed: str) -> list[Source]:
    """Sources behind a path that a pattern or a folder gave; ``fixed`` is the folder to which keys are relative."""
    if not os.path.isdir(path):
        return [_file(path, fixed)]
    return [_product(_key(path, fixed), path)] if _is_product_folder(path) else _folder(path, fixed)


def _is_product_folder(folder: str) -> bool:
    """Whether a folder as a whole is one scene of a known product."""
    from specvae.ingest.formats import registry  # brings GDAL, a quarter of a second that a list of files need not pay

    return registry.is_product_folder(folder)


def _is_product_archive(path: str) -> bool:
    """Whether a zip file as a whole is one scene of a known product."""
    from specvae.ingest.formats import registry  # as above

    return registry.is_product_archive(path)


def _folder(folder: str, fixed: str) -> list[Source]:
    """Everything in a folder: its files, products, sets of single-band files, and what its subfolders hold."""
    entries = sorted(os.listdir(folder))
    paths = [os.path.join(folder, name) for name in entries if not name.startswith(".")]
    files = [p for p in paths if os.path.isfile(p) and not _companion(p)]
    sources, rest = _band_sets(folder, files, fixed)
    sources += [_file(p, fixed) for p in rest]
    for path in paths:
        # Links to folders are not followed: one to a folder above would be followed for ever.
        if os.path.isdir(path) and not os.path.islink(path):
            sources += _below(path, fixed)
    return sorted(sources)


def _band_sets(folder: str, files: list[str], fixed: str) -> tuple[list[Source], list[str]]:
    """Sets of single-band files that differ in their band's name alone, and the files that belong to none."""
    groups: dict[str, list[str]] = {}
    for path in files:
        token = band_token(Path(path).name)
        if token:
            groups.setdefault(token[0], []).append(path)
    sets = {stem: members for stem, members in groups.items() if same_scene(members)}
    taken = {path for members in sets.values() for path in members}
    # Where a folder holds one set of bands and nothing else, the folder is the scene and gives it its name.
    fill_folder = len(sets) == 1 and len(taken) == len(files)
    sources = []
    for stem, members in sets.items():
        path = folder if fill_folder else os.path.join(folder, stem or "bands")
        sources.append(Source(_key(path, fixed), path, files=tuple(members), members=tuple(members)))
    return sources, [path for path in files if path not in taken]


def _file(path: str, fixed: str) -> Source:
    """A file as a source, with the files beside it that bear on how it is read and, of a VRT, those it names."""
    beside = [path + end for end in (".msk", ".aux.xml", ".hdr")] + [os.path.splitext(path)[0] + ".hdr"]
    named = referenced(path) if path.casefold().endswith(".vrt") else ()
    files = dict.fromkeys([path, *(p for p in beside if os.path.isfile(p)), *named])
    return Source(_key(path, fixed), path, is_table(path), tuple(files))


def _product(key: str, folder: str) -> Source:
    """A product folder as one source, made of the first 10,000 files in it."""
    # Each of these is hashed later; a folder mistaken for a product may hold any number of files.
    inside = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in sorted(names))
    return Source(key, folder, False, tuple(sorted(islice(inside, 10_000))))


def _subdataset(name: str) -> Source:
    """A variable of a container by GDAL's name, ``NETCDF:"file.nc":variable``, as one source."""
    inner = name.split(":", 1)[1]
    hit = re.match(r'"?(.+?)"?(?::[^:]*)?$', inner)
    files = (hit.group(1),) if hit and os.path.isfile(hit.group(1)) else ()
    return Source(_clean(re.sub(r'[:/"\\]+', "_", inner).strip("_")), name, False, files)


def _key(path: str, fixed: str) -> str:
    """The path below ``fixed`` without its ending; never absolute, never leading upwards."""
    relative = os.path.relpath(path, fixed or ".")
    if relative == ".":
        relative = Path(os.path.abspath(path)).name
    # A folder may have a dot in its name (`site.v2`) that begins no ending; of folders, only SAFE has one.
    end = "" if os.path.isdir(path) and not relative.upper().endswith(".SAFE") else os.path.splitext(relative)[1]
    return _clean(relative.removesuffix(end) if end else relative)


def _clean(key: str) -> str:
    """A key without parts that would lead out of the output folder; ``scene`` where nothing remains."""
    parts = [part for part in key.replace("\\", "_").replace("\0", "").split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "scene"


def _fixed_part(pattern: str) -> str:
    """The folders of a pattern before its first part with a wild card."""
    parts = pattern.split("/")
    wild = next(at for at, part in enumerate(parts) if WILD.search(part))
    return "/".join(parts[:wild]) or ("/" if pattern.startswith("/") else ".")


def _companion(path: str) -> bool:
    """Whether a file only stands beside scenes."""
    name = Path(path).name.casefold()
    # A .txt that is named is a table; in a folder it is more often a readme or Landsat's MTL.
    if is_table(path) and not name.endswith((".txt", ".txt.gz")):
        return False
    if os.path.isfile(path) and name.endswith(".zip"):
        return not _is_product_archive(path)
    return os.path.isfile(path) and name.endswith(COMPANIONS)


def _hidden(path: str, fixed: str) -> bool:
    """Whether a part of a path below ``fixed`` begins with a dot."""
    return any(part.startswith(".") for part in Path(os.path.relpath(path, fixed)).parts if part not in (".", ".."))


def _with_keys_of_their_own(sources: list[Source]) -> list[Source]:
    """Sources of one key distinguished by their endings (``a.tif``, ``a.csv`` -> ``a_tif``, ``a_csv``), else refused."""
    counts = Counter(source.key for source in sources)
    named = []
    for s in sources:
        end = os.path.splitext(s.path)[1].replace(".", "_") if counts[s.key] > 1 else ""
        named.append(replace(s, key=s.key + end))
    seen: dict[str, Source] = {}
    for source in named:
        other = seen.setdefault(source.key, source)
        if other is not source:
            raise UsageError(
                f"{other.path} and {source.path} would both report to {source.key!r}; "
                "run them apart, or name the folder above them"
            )
    return named
