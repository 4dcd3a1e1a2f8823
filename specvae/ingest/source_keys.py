"""Keys of sources: the names of their reports below the output folder, each its own and none leading out of it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from specvae.errors import UsageError
from specvae.files.names import printable
from specvae.ingest.source import Source

__all__ = ["clean_key", "key_below", "with_own_keys"]


def key_below(path: str, fixed: str) -> str:
    """The path below ``fixed`` without its ending; never absolute, never leading upwards."""
    relative = os.path.relpath(path, fixed or ".")
    if relative == ".":
        relative = Path(os.path.abspath(path)).name
    # A folder may have a dot in its name (`site.v2`) that begins no ending; of folders, only SAFE and Zarr have one.
    end = (
        ""
        if os.path.isdir(path) and not relative.upper().endswith((".SAFE", ".ZARR"))
        else os.path.splitext(relative)[1]
    )
    return clean_key(relative.removesuffix(end) if end else relative)


def clean_key(key: str) -> str:
    """A key without parts that would lead out of the output folder; ``scene`` where nothing remains."""
    parts = [
        part for part in printable(key).replace("\\", "_").replace("\0", "").split("/") if part not in ("", ".", "..")
    ]
    return "/".join(parts) or "scene"


def with_own_keys(sources: list[Source]) -> list[Source]:
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
