"""Whether a file is a table: by its ending, and where that may be of a raster too, by what it holds."""

from __future__ import annotations

import gzip
import os
import re
import zlib

from specvae.ingest.table.endings import CONTENT_ENDINGS, TABLE_ENDINGS

__all__ = ["is_table"]

LOOKED_AT = 1 << 14
"""Bytes that are looked at."""
GRID = re.compile(rb"^\s*(?:ncols|nrows|cols|rows|north)\b", re.I)
"""The first line of a raster in text, by ESRI or GRASS."""
LIBRARY = re.compile(rb"^\s*file\s*type\s*=\s*ENVI\s+Spectral\s+Library", re.I | re.M)
"""The line that makes an ENVI header one of a spectral library."""


def is_table(path: str) -> bool:
    """Whether a file is read as a table of spectra, a spectrum a row."""
    name = path.casefold()
    if name.endswith(TABLE_ENDINGS):
        return True
    if name.endswith(".hdr"):
        return bool(LIBRARY.search(_head(path)))
    return name.endswith(CONTENT_ENDINGS) and _is_text_of_columns(path)


def _is_text_of_columns(path: str) -> bool:
    """Whether a file is text with several cells a line, and no raster in text or with a header of ENVI beside it."""
    stem = os.path.splitext(path)[0]
    if any(os.path.isfile(beside) for beside in (f"{path}.hdr", f"{stem}.hdr", f"{stem}.HDR")):
        return False
    head = _head(path)
    if not head.strip() or b"\0" in head or GRID.match(head):
        return False
    try:
        text = head[: head.rfind(b"\n") + 1 or len(head)].decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
        if sum(not c.isprintable() and c not in "\r\n\t" for c in text) > 0:
            return False
    last = text.strip().splitlines()[-1]
    return len(re.split(r"[,;\t| ]+", last.strip())) > 1


def _head(path: str) -> bytes:
    """The first bytes, unpacked where they are compressed by gzip; empty where there are none."""
    try:
        with open(path, "rb") as file:
            head = file.read(LOOKED_AT)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path, "rb") as packed:
                return packed.read(LOOKED_AT)
    except (OSError, EOFError, zlib.error):
        return b""
    return head
