"""The log of a run: one JSON object a line, to a file and, where asked, to standard error."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any

__all__ = ["EventLog"]

LARGEST = 20 * 2**20
"""Bytes at which a new log is begun; the one before is kept as ``log.jsonl.1``."""


class EventLog:
    """Writes events. A log that cannot be written, on a full disk say, keeps no scene from being done."""

    def __init__(self, path: Path | None, on_stderr: bool = False) -> None:
        self.path, self.on_stderr = path, on_stderr
        self._file: IO[str] | None = None

    def __enter__(self) -> EventLog:
        if self.path is not None:
            try:
                if self.path.is_file() and self.path.stat().st_size > LARGEST:
                    self.path.replace(self.path.with_name(self.path.name + ".1"))
                self._file = self.path.open("a", encoding="utf-8")
            except OSError:
                self._file = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                return

    def __call__(self, event: str, level: str = "info", **more: Any) -> None:
        """One line: time, level, event, and what else is told."""
        told = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event}
        line = json.dumps(told | {k: round(v, 3) if isinstance(v, float) else v for k, v in more.items()})
        if self.on_stderr:
            print(line, file=sys.stderr, flush=True)
        if self._file is not None:
            try:
                self._file.write(line + "\n")
                self._file.flush()
            except (OSError, ValueError):
                self._file = None
