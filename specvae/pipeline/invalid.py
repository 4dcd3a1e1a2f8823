"""Records of scenes that cannot be used: such a scene is not tried again until it, the model or a setting changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, cast

from specvae.export.contents import INVALID
from specvae.export.result_folders import result_folder
from specvae.files.fingerprint import Fingerprint
from specvae.files.json_files import read_json, write_json

__all__ = ["InvalidRecord", "read_invalid", "record_invalid"]


class InvalidRecord(TypedDict):
    """The content of ``invalid.json``."""

    message: str
    """Why the scene cannot be used, in one line."""
    fingerprint: dict[str, Any]
    """The files, model and settings that were tried, as :meth:`Fingerprint.to_json` writes them."""
    created: str
    """ISO 8601 time, UTC."""


def record_invalid(folder: Path, mark: Fingerprint, message: str) -> None:
    """Write ``invalid.json`` into the scene's folder; it replaces an earlier result there."""
    record: InvalidRecord = {
        "message": message,
        "fingerprint": mark.to_json(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with result_folder(folder) as work:
        write_json(work.path / INVALID.name, record)
        work.commit()


def read_invalid(folder: Path) -> InvalidRecord | None:
    """The record in a scene's folder, or None where there is none or it cannot be read."""
    record = read_json(folder / INVALID.name)
    return cast(InvalidRecord, record) if isinstance(record.get("fingerprint"), dict) else None
