"""The codecs of a Zarr array, of which only those that do nothing but unpack numbers are run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["strange_codecs"]

CODECS = frozenset(
    (
        *("blosc", "zlib", "gzip", "zstd", "lz4", "lzma", "bz2", "shuffle", "delta", "fixedscaleoffset", "packbits"),
        *("bitround", "quantize", "astype", "crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3", "pcodec"),
        *("zfpy", "bytes", "transpose", "sharding_indexed", "endian"),
    )
)
"""Codecs that do nothing but unpack numbers; others (``pickle``) may run code that the store brings."""


def strange_codecs(array: Any) -> list[str]:
    """Names of an array's codecs that are not known to be harmless, sorted."""
    return sorted(_codecs(array) - CODECS)


def _codecs(array: Any) -> set[str]:
    """Names of the codecs that an array's chunks go through, those inside shards included."""
    names: set[str] = set()

    def walk(part: object) -> None:
        if isinstance(part, Mapping):
            said = part.get("name") or part.get("id")
            if isinstance(said, str):
                names.add(said.removeprefix("numcodecs.").casefold())
            for key in ("codecs", "index_codecs", "configuration"):
                walk(part.get(key))
        elif isinstance(part, list | tuple):
            for inner in part:
                walk(inner)

    tree = array.metadata.to_dict()
    for key in ("codecs", "compressor", "filters"):
        parts = tree.get(key)
        for part in parts if isinstance(parts, list | tuple) else [parts]:
            # Version 2 holds codecs as objects of numcodecs, version 3 as names with their settings.
            walk(part.get_config() if hasattr(part, "get_config") else part)
    return names
