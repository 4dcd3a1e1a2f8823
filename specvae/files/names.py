"""Names of files as text that can be written, since a name on disk is bytes that need not be text."""

from __future__ import annotations

import os

__all__ = ["lines_of", "printable"]

WINDOWS = "cp1252"
"""The encoding of names that are no UTF-8: most come from zip files that were packed on Windows."""


def printable(name: str) -> str:
    """A path with each part as text: UTF-8 where its bytes are, else as Windows of western Europe wrote it.

    Examples
    --------
    >>> printable(b"in/caf\\xe9.tif".decode("utf-8", "surrogateescape"))
    'in/café.tif'
    """
    return "/".join(_text(part) for part in name.split("/"))


def _text(part: str) -> str:
    """A part of a path without the stand-ins that Python has for bytes that are no text."""
    raw = part.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(WINDOWS, "replace")


def lines_of(data: bytes) -> list[str]:
    """The lines of a list of names, not empty and no comments, in UTF-8, UTF-16 or the encoding of Windows.

    A name that is no UTF-8 is taken as its bytes where a file of these bytes is there, else as Windows meant them.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", "replace")
    elif b"\0" in data[:4]:
        text = data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", "replace")
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines = (line.strip() for line in text.splitlines())
    return [line if os.path.lexists(line) else printable(line) for line in lines if line and not line.startswith("#")]
