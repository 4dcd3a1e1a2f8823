"""Records of scenes that cannot be used: not tried again until the scene, the model or a setting changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from specvae.export.contents import INVALID, result_folder
from specvae.files.fingerprint import Fingerprint
from specvae.files.json_files import read_json, write_json

__all__ = ["read_invalid", "record_invalid"]


def record_invalid(folder: Path, mark: Fingerprint, message: str) -> None:
    """Write ``invalid.json`` in the scene's folder, in place of whatever result stood there."""
    tree = {
        "message": message,
        "fingerprint": mark.to_json(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with result_folder(folder) as work:
        write_json(work.path / INVALID.name, tree)
        work.commit()


def read_invalid(folder: Path) -> dict[str, Any] | None:
    """``message`` and ``fingerprint`` of a record, or None."""
    tree = read_json(folder / INVALID.name)
    return tree if isinstance(tree.get("fingerprint"), dict) else None
