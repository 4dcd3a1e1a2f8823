"""The log of a run: one JSON object a line, to ``log.jsonl`` and, where asked, to standard error."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO

__all__ = ["EventLog", "Value", "event_line"]

Value = str | int | float | None
"""What a detail of an event can be."""
LARGEST = 20 * 2**20
"""Bytes at which a new log is begun. The one before is renamed ``log.jsonl.1``, so that nightly runs never fill a disk."""


def event_line(event: str, level: str = "info", **details: Value) -> str:
    """A JSON object on one line: the time, the level, the event's name and its details, floats to three decimals."""
    return json.dumps(
        {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event}
        | {name: round(value, 3) if isinstance(value, float) else value for name, value in details.items()}
    )


class EventLog:
    """Writes events, each a call. A context manager.

    A log that cannot be written, on a full disk for instance, is given up: it must not prevent a scene from being scored.
    """

    def __init__(self, path: Path | None, on_stderr: bool = False) -> None:
        self.path, self.on_stderr = path, on_stderr
        self._file: IO[str] | None = None

    def __enter__(self) -> EventLog:
        if self.path is not None:
            try:
                if self.path.is_file() and self.path.stat().st_size > LARGEST:
                    self.path.replace(self.path.with_name(self.path.name + ".1"))
                # Appended to: the runs of all nights share one log.
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

    def __call__(self, event: str, level: str = "info", **details: Value) -> None:
        """Write one line."""
        line = event_line(event, level, **details)
        if self.on_stderr:
            print(line, file=sys.stderr, flush=True)
        if self._file is not None:
            try:
                self._file.write(line + "\n")
                self._file.flush()  # a run that is killed leaves every event up to its end
            except (OSError, ValueError):
                self._file = None
