"""Files, folders and globs that a user names, resolved into sources, each with the key of its report."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from specvae.errors import InputError, NothingFoundError, UsageError
from specvae.ingest.band_groups import band_groups
from specvae.ingest.decision import Decision
from specvae.ingest.formats.packed import container_of, is_virtual
from specvae.ingest.formats.references import dependencies, is_remote, parts_of
from specvae.ingest.formats.stac_items import items_among, listed_scenes
from specvae.ingest.passed_over import MASK_FOLDERS, beside_scenes, is_companion, is_of_a_system, own_results
from specvae.ingest.source import Source
from specvae.ingest.source_keys import clean_key, key_below, with_own_keys
from specvae.ingest.table.recognise import is_table

__all__ = ["find_sources"]

WILD = re.compile(r"[*?\[]")
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz")
"""Endings of archives, which in a folder are scenes only where they are products."""
DATASET_NAME = re.compile(r"^(NETCDF|HDF5|GTIFF_DIR|ZARR|HDF4_\w+):")
"""How GDAL names a dataset inside a file."""


def find_sources(patterns: Iterable[str | Path], may_be_empty: bool = False) -> list[Source]:
    """Sources behind files, folders and globs, sorted within each pattern, each once.

    ``may_be_empty``: a glob or a folder without a scene gives none, as an inbox does on a quiet night. Raises
    UsageError where nothing is named or two would report to one folder, InputError where a name finds nothing.
    """
    sources, found = dict[str, Source](), list[Source]()
    for pattern in patterns:
        try:
            found += _expand(str(pattern))
        except NothingFoundError:
            if not may_be_empty:
                raise
    for source in _bands_together(found):
        # One file under two names is one scene; links to what is not there are one each, to be named each.
        place = os.path.realpath(source.path)
        place = place if os.path.exists(place) else os.path.abspath(source.path)
        sources.setdefault("\0".join((place, source.part, *source.members)), source)
    if not sources and not may_be_empty:
        raise UsageError("no source is named; give files, folders or globs")
    return with_own_keys(list(sources.values()))


def _bands_together(sources: list[Source]) -> list[Source]:
    """The sources with single-band files of one scene, which were named one by one or by a glob, made one source."""
    single = {s.path: s for s in sources if not (s.is_table or s.members or s.part) and os.path.isfile(s.path)}
    if len(single) < 2:
        return sources
    together: list[Source] = []
    for folder in dict.fromkeys(os.path.dirname(path) for path in single):
        files = sorted(path for path in single if os.path.dirname(path) == folder)
        for group in band_groups(files):
            first = single[group.members[0]]
            key = clean_key(f"{os.path.dirname(first.key)}/{group.stem or 'bands'}")
            together.append(group.source(key, os.path.join(folder, group.stem or "bands")))
    taken = {path for source in together for path in source.members}
    return sorted([s for s in sources if s.path not in taken] + together) if together else sources


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
        # A scene of single-band files is named after what their names share, which is no file.
        if found := [s for s in _sets_of(os.path.dirname(pattern) or ".") if Path(s.path) == Path(pattern)]:
            return found
        raise InputError(f"{pattern} does not exist; expected a raster, a table, a folder or a glob")
    return _matched(pattern)


def _matched(pattern: str) -> list[Source]:
    """The sources behind a glob. Raises InputError where it matches none."""
    fixed = _fixed_part(pattern)
    hits = sorted(h for h in glob.glob(pattern, recursive=True) if not _hidden(h, fixed))
    hits = hits or _with_brackets_meant(pattern)
    by_folder: dict[str, list[str]] = {}
    for hit in hits:
        if not os.path.isdir(hit) and not _beside(hit):
            by_folder.setdefault(os.path.dirname(hit), []).append(hit)
    own = {p for folder, files in by_folder.items() for p in files if Path(p).name in own_results(folder or ".")}
    wanted, decisions = {hit for hit in hits if os.path.isdir(hit)}, list[Decision]()
    for files in by_folder.values():
        scenes, parts = _without_parts([path for path in files if path not in own])
        decisions += parts
        bands = {path for group in band_groups(scenes) for path in group.all_files}
        rest, passed_over = _scenes([path for path in scenes if path not in bands], bool(bands))
        wanted |= {*bands, *rest}
        decisions += passed_over
    sources = [s for hit in hits if hit in wanted for s in _below(hit, fixed, frozenset())]
    if not sources:
        only = "; it matches results of specvae alone, which are no scenes" if own else ""
        raise NothingFoundError(f"{pattern} matches no scene or table{only}")
    return _decided(sources, decisions)


def _with_brackets_meant(pattern: str) -> list[str]:
    """What a pattern matches whose brackets belong to the names of its folders: ``data[2020]/*.tif``."""
    if "[" not in pattern:
        return []
    literal = pattern.replace("[", "[[]")
    return sorted(h for h in glob.glob(literal, recursive=True) if not _hidden(h, _fixed_part(literal)))


def _scenes(files: list[str], others: bool) -> tuple[list[str], list[Decision]]:
    """The files of a folder that are scenes, and a decision for each reason why the rest only stand beside these.

    ``others``: whether there are other scenes in it, of several files.
    """
    beside = beside_scenes(files, others)
    by_reason: dict[str, list[str]] = {}
    for path, why in beside.items():
        by_reason.setdefault(why, []).append(Path(path).name)
    decisions = [
        Decision(
            "files", f"passed over {', '.join(names[:6])}{', ...' * (len(names) > 6)}", why, ("scenes",), guessed=True
        )
        for why, names in by_reason.items()
    ]
    return [f for f in files if f not in beside], decisions


def _decided(sources: list[Source], decisions: list[Decision]) -> list[Source]:
    """The sources, the first with these decisions: what was passed over belongs to no scene, and is said once."""
    if not (sources and decisions):
        return sources
    return [replace(sources[0], decisions=(*sources[0].decisions, *decisions)), *sources[1:]]


def _named(path: str) -> list[Source]:
    """Sources behind a name that exists: a file is always one, whatever its ending; a folder is looked into."""
    if not os.path.isdir(path):
        listed = [replace(source, key=clean_key(source.key)) for source in listed_scenes(path)]
        return listed or [_file(path, str(Path(path).parent))]
    absolute = os.path.abspath(path)
    if _is_product_folder(absolute):
        return _product(clean_key(Path(absolute).name), path)
    sources = _folder(path, path, frozenset())
    if not sources:
        raise NothingFoundError(f"{path} holds no scene or table")
    is_one_scene = len(sources) == 1 and sources[0].members and Path(sources[0].path) == Path(path)
    return [replace(sources[0], key=clean_key(Path(absolute).name))] if is_one_scene else sources


def _below(path: str, fixed: str, above: frozenset[str]) -> list[Source]:
    """Sources behind a path that a pattern or a folder gave; ``fixed`` is the folder to which keys are relative."""
    if not os.path.isdir(path):
        return [_file(path, fixed)]
    return _product(key_below(path, fixed), path) if _is_product_folder(path) else _folder(path, fixed, above)


def _is_product_folder(folder: str) -> bool:
    """Whether a folder as a whole is one scene of a known product."""
    from specvae.ingest.formats import registry  # brings GDAL, a quarter of a second that a list of files need not pay

    return registry.is_product_folder(folder)


def _folder(folder: str, fixed: str, above: frozenset[str]) -> list[Source]:
    """Everything in a folder: its files, products, sets of single-band files, and what its subfolders hold.

    ``above``: the folders that lead here, links resolved: a link to one of them would be followed for ever.
    """
    own, here = own_results(folder), above | {os.path.realpath(folder)}
    paths = [os.path.join(folder, n) for n in sorted(os.listdir(folder)) if not is_of_a_system(n) and n not in own]
    items = [replace(s, key=key_below(s.path, fixed)) for s in items_among(p for p in paths if os.path.isfile(p))]
    assets = {os.path.normpath(file) for item in items for file in item.files}
    files = [p for p in paths if os.path.isfile(p) and not _beside(p) and os.path.normpath(p) not in assets]
    files, decisions = _without_parts(files)
    sources, rest = _band_sets(folder, files, fixed)
    rest, beside = _scenes(rest, bool(sources or items))
    decisions += beside
    sources += items
    sources += [_file(p, fixed) for p in rest]
    folders = [path for path in paths if os.path.isdir(path) and os.path.realpath(path) not in here]
    masks = [path for path in folders if MASK_FOLDERS.match(Path(path).name)]
    for path in (path for path in folders if path not in masks):
        sources += _below(path, fixed, here)
    inside = [source for path in masks for source in _below(path, fixed, here)]
    if sources and inside:
        names = ", ".join(Path(path).name for path in masks)
        chosen, evidence = f"passed over the folder {names}", "its name, that of masks or labels beside scenes"
        decisions.append(Decision("files", chosen, evidence, ("scenes",), guessed=True))
    return _decided(sorted(sources or inside), decisions)


def _without_parts(files: list[str]) -> tuple[list[str], list[Decision]]:
    """The files without those that a mosaic or stack among them (.vrt, .til) is made of, which would count twice."""
    wholes = [path for path in files if path.casefold().endswith((".vrt", ".til"))]
    parts = {os.path.normpath(part) for whole in wholes for part in parts_of(whole)}
    taken = [path for path in files if os.path.normpath(path) in parts and path not in wholes]
    if not taken:
        return files, []
    names = ", ".join(Path(path).name for path in taken[:6]) + ", ..." * (len(taken) > 6)
    made = ", ".join(Path(path).name for path in wholes[:3])
    how = Decision("files", f"passed over {names}", f"{made}, which is made of them", ("scenes",), guessed=True)
    return [path for path in files if path not in taken], [how]


def _beside(path: str) -> bool:
    """Whether a file only stands beside scenes; an archive does unless it is one scene of a known product."""
    if path.casefold().endswith(ARCHIVES):
        from specvae.ingest.formats import registry  # as above

        return not registry.is_scene_archive(path)
    return is_companion(path)


def _sets_of(folder: str) -> list[Source]:
    """The scenes of single-band files that lie in a folder."""
    files = [os.path.join(folder, n) for n in sorted(os.listdir(folder))] if os.path.isdir(folder) else []
    return _band_sets(folder, [p for p in files if os.path.isfile(p) and not is_companion(p)], folder)[0]


def _band_sets(folder: str, files: list[str], fixed: str) -> tuple[list[Source], list[str]]:
    """Sets of single-band files that differ in their band's name alone, and the files that belong to none."""
    groups = band_groups(files)
    taken = {path for group in groups for path in group.all_files}
    # Where a folder holds one set of bands and nothing else, the folder is the scene and gives it its name.
    fill_folder = len(groups) == 1 and len(taken) == len(files)
    sources = []
    for group in groups:
        path = folder if fill_folder else os.path.join(folder, group.stem or "bands")
        sources.append(group.source(key_below(path, fixed), path))
    return sources, [path for path in files if path not in taken]


def _file(path: str, fixed: str) -> Source:
    """A file as a source, with the files beside it that bear on how it is read and, of a VRT, those it leads to."""
    files = (path, *dependencies(path))
    return Source(key_below(path, fixed), path, is_table(path), files)


def _product(key: str, folder: str) -> list[Source]:
    """A product folder as one source, or as one for each granule, made of the first 10,000 files in it."""
    from specvae.ingest.formats import registry  # as above

    granules = registry.granules_of(folder)
    if len(granules) > 1:
        return [Source(f"{key}/{clean_key(Path(g).name)}", g, False, _files_in(g)) for g in granules]
    return [Source(key, folder, False, _files_in(folder))]


def _files_in(folder: str) -> tuple[str, ...]:
    """The first 10,000 files in a folder: each is hashed later, and a folder may hold any number of files."""
    inside = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in sorted(names))
    return tuple(sorted(islice(inside, 10_000)))


def _subdataset(name: str) -> Source:
    """A variable of a container by GDAL's name, ``NETCDF:"file.nc":variable``, as one source."""
    inner = name.split(":", 1)[1]
    hit = re.match(r'"?(.+?)"?(?::[^:]*)?$', inner)
    files = (hit.group(1),) if hit and os.path.isfile(hit.group(1)) else ()
    return Source(clean_key(re.sub(r'[:/"\\]+', "_", inner).strip("_")), name, False, files)


def _fixed_part(pattern: str) -> str:
    """The folders of a pattern before its first part with a wild card."""
    parts = pattern.split("/")
    wild = next(at for at, part in enumerate(parts) if WILD.search(part))
    return "/".join(parts[:wild]) or ("/" if pattern.startswith("/") else ".")


def _hidden(path: str, fixed: str) -> bool:
    """Whether a part of a path below ``fixed`` is hidden or was left by a system."""
    return any(is_of_a_system(part) for part in Path(os.path.relpath(path, fixed)).parts if part not in (".", ".."))
