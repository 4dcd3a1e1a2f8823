"""Which files make which source: files, folders and globs become rasters and tables with keys."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from specvae.errors import InputError

__all__ = ["Source", "find_sources"]

TABLES = {".csv", ".tsv", ".txt", ".parquet", ".pq"}
RASTERS = {
    ".tif", ".tiff", ".vrt", ".jp2", ".img", ".dat", ".bil", ".bip", ".bsq", ".nc", ".h5", ".hdf", ".mat", ".npz",
    ".npy", ".png", ".jpg", ".jpeg",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One scene or table."""

    path: str
    key: str
    """Its path below the fixed part of the glob or folder it came from, without the ending."""
    is_table: bool = False
    files: tuple[str, ...] = ()
    """The files whose bytes it is made of."""

    @property
    def stem(self) -> str:
        """What ``{stem}`` stands for in the paths of masks and truths."""
        return Path(self.key).name


def find_sources(patterns: Sequence[str]) -> list[Source]:
    """The sources that files, folders and globs name, in sorted order. Raises InputError where one names nothing."""
    found: dict[str, Source] = {}
    for pattern in patterns:
        for source in _expand(pattern):
            found.setdefault(source.path, source)
    keys = [s.key for s in found.values()]
    for path, source in list(found.items()):
        if keys.count(source.key) > 1:
            # Two sources of one name: the ending tells them apart.
            found[path] = Source(
                source.path, source.key + Path(path).suffix.replace(".", "_"), source.is_table, source.files
            )
    return list(found.values())


def _expand(pattern: str) -> list[Source]:
    path = Path(pattern)
    if path.is_file():
        return [_source(path, path.parent)]
    if path.is_dir():
        inside = [p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in TABLES | RASTERS]
        if not inside:
            raise InputError(
                f"the folder {pattern} holds no raster or table; expected GeoTIFF, ENVI, CSV, Parquet, ..."
            )
        return [_source(p, path) for p in inside]
    if glob.has_magic(pattern):
        files = [Path(p) for p in sorted(glob.glob(pattern, recursive=True)) if Path(p).is_file()]
        if not files:
            raise InputError(f"the pattern {pattern!r} matches no file; check the path and quote the pattern")
        return [_source(p, _fixed_part(pattern)) for p in files]
    if "://" in pattern or pattern.startswith("/vsi"):
        return [Source(pattern, Path(pattern).stem)]
    raise InputError(f"there is no file {pattern}; expected a raster, a folder, a glob or a table")


def _fixed_part(pattern: str) -> Path:
    fixed = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed) if fixed else Path()


def _source(path: Path, below: Path) -> Source:
    try:
        relative = path.relative_to(below)
    except ValueError:
        relative = Path(path.name)
    return Source(str(path), str(relative.with_suffix("")), path.suffix.lower() in TABLES, (str(path),))
