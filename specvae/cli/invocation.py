"""The invocation: the words that the program was called with, and the form of what it says on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from specvae.cli.terminal import echo
from specvae.pipeline.summary.events import Value, event_line

__all__ = ["PROGRAM", "Invocation", "invocation"]

PROGRAM = "specvae"


@dataclass(frozen=True)
class Invocation:
    """The words after the program's name. It is made before they are parsed, for messages about words that are wrong."""

    words: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """All words of the command line, for the provenance of a model."""
        return (PROGRAM, *self.words)

    @property
    def debug(self) -> bool:
        """Whether tracebacks are shown."""
        # Anywhere among the words: an error in parsing them is shown with its traceback too.
        return "--debug" in self.words

    @property
    def log_as_json(self) -> bool:
        """Whether standard error takes a JSON object a line (``--log-format json``, before the command's name)."""
        # Read by hand, since click's own message about a wrong word must have the form as well. The first word that is
        # no option is the command's name, and what follows belongs to the command.
        words, form = list(self.words), "text"
        while words and words[0].startswith("-"):
            name, equals, value = words.pop(0).partition("=")
            if name == "--log-format":
                form = value if equals else words.pop(0) if words else ""
        return form == "json"

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar is shown: only for a person at a terminal."""
        return sys.stderr.isatty() and not self.log_as_json

    def say(self, message: str, event: str, level: str, **details: Value) -> None:
        """Say one line on standard error: as it is, or as an event with its level and its ``details``."""
        if self.log_as_json:
            message = event_line(event, level, message=message, **details)
        echo(message, err=True)

    def error(self, message: str, event: str = "error", **details: Value) -> None:
        """Say in one line what failed."""
        self.say(message if self.log_as_json else f"{PROGRAM}: {message}", event, "error", **details)

    def warn(self, message: str) -> None:
        """Say a warning in one line."""
        self.say(message if self.log_as_json else f"{PROGRAM}: warning: {message}", "warning", "warning")

    def note(self, message: str) -> None:
        """Say in one line how far a command is."""
        self.say(message, "progress", "info")

    @contextmanager
    def library_messages(self) -> Iterator[None]:
        """While it lasts, warnings and log records of other packages have the same form, where that is JSON."""
        if not self.log_as_json:
            yield
            return
        # On the root logger, and warnings through logging: rasterio, torch and dask each say things in their own way.
        handler = _JsonLines(self)
        logging.getLogger().addHandler(handler)
        logging.captureWarnings(True)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            logging.getLogger().removeHandler(handler)


class _JsonLines(logging.Handler):
    """A handler that writes log records as events."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__()
        self.invocation = invocation

    def emit(self, record: logging.LogRecord) -> None:
        self.invocation.say(record.getMessage(), "log", record.levelname.lower(), logger=record.name)


def invocation() -> Invocation:
    """The invocation that the running command belongs to; an empty one where a command is called without ``main``."""
    context = click.get_current_context(silent=True)
    return (context.find_object(Invocation) if context else None) or Invocation()
