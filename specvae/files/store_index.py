"""The index of an uploaded folder: sizes and digests of its files, by which a file that says that it is done is known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

__all__ = ["INDEX", "agrees", "entry_of"]

INDEX = "files.json"
"""Sizes and SHA-256 of a folder's files, uploaded before the last one: what there is, for whoever copies it on."""


def agrees(index: bytes | None, name: str, content: bytes) -> bool:
    """Whether a file that says that a result is done is the one that its index names."""
    try:
        entry = json.loads(index or b"")["files"][name]
        return bool(entry["sha256"] == hashlib.sha256(content).hexdigest())
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def entry_of(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
