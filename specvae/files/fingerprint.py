"""Fingerprints: whether an output was made from this very input, with this model and these settings."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specvae.files.names import printable

__all__ = ["FileIdentity", "Fingerprint", "identify", "same"]


@dataclass(frozen=True)
class FileIdentity:
    """What a file was when it was read."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Fingerprint:
    """What an output was made of."""

    inputs: tuple[FileIdentity, ...]
    model: str
    """SHA-256 of the model file, or an empty string in a fit."""
    settings: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"inputs": [vars(i) for i in self.inputs], "model": self.model, "settings": self.settings}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def identify(paths: Sequence[str | Path], known: dict[str, Any] | None = None) -> tuple[FileIdentity, ...]:
    """Identities of files; one is hashed only where its size or time differs from the ``known`` fingerprint's."""
    before = {i["path"]: i for i in (known or {}).get("inputs", [])}
    identities = []
    for path in sorted({str(p) for p in paths}):
        name = printable(path)
        if not Path(path).is_file():
            # A remote address, or a file that is gone: its name still belongs to what the output was made of.
            identities.append(FileIdentity(name, -1, -1, ""))
            continue
        stat = Path(path).stat()
        old = before.get(name)
        # Hashing takes seconds a gigabyte, a stat nothing: equal size and time in nanoseconds stand for equal bytes.
        unchanged = old and (old["size"], old["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
        digest = old["sha256"] if old and unchanged else sha256_of(Path(path))
        identities.append(FileIdentity(name, stat.st_size, stat.st_mtime_ns, digest))
    return tuple(identities)


def same(fresh: Fingerprint, stored: dict[str, Any] | None) -> bool:
    """Whether a stored fingerprint is of the same inputs' bytes, the same model and the same settings."""
    if not stored:
        return False
    # Through JSON and back, since the stored one came that way: tuples have become lists, and keys text.
    current = json.loads(json.dumps(fresh.to_json()))

    def essence(tree: dict[str, Any]) -> tuple[Any, ...]:
        # The time is not compared: a file that was copied or touched has the same bytes.
        # `./a.tif` and `a.tif` are one name: a folder and a glob find the same file under both.
        files = sorted((os.path.normpath(i["path"]), i["size"], i["sha256"]) for i in tree.get("inputs", []))
        return files, tree.get("model"), tree.get("settings")

    return essence(current) == essence(stored)
