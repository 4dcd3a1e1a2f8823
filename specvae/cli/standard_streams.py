"""Standard output and the names of files, whatever the terminal, the pipe and the locale make of them."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import BinaryIO, TextIO

__all__ = ["Output", "start_in_utf8"]


class Output:
    """Standard output that may be closed or full: what a command does goes on, and how it ended stays known.

    A context manager that stands in for ``sys.stdout`` while it lasts.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        """Why nothing more can be written; None while it can."""

    def __enter__(self) -> Output:
        # A name that the terminal's encoding lacks is shown by its codes; it must not end the command.
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="backslashreplace")
        sys.stdout = self
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        sys.stdout = self._stream
        if self.failure is not None:
            # The interpreter flushes the stream as it ends, which would fail again and change the exit status.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def write(self, text: str) -> int:
        """Write a text; after a failure it goes nowhere."""
        if self.failure is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self.failure = error
        return len(text)

    def flush(self) -> None:
        """Pass on what is written; after a failure do nothing."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self.failure = error

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the stream."""
        return self._stream.fileno()

    @property
    def buffer(self) -> BinaryIO:
        """The stream below, for bytes: click writes what a shell asks for in completing as such."""
        return self._stream.buffer

    @property
    def encoding(self) -> str:
        """The encoding of the stream."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:
        """What becomes of characters that the encoding lacks."""
        return self._stream.errors

    @property
    def is_cut(self) -> bool:
        """Whether what was written is lost for another reason than that its reader has seen enough (``| head``)."""
        return self.failure is not None and self.failure.errno != errno.EPIPE


def start_in_utf8() -> None:
    """Start the program again in UTF-8 where the locale has names of files in ASCII; close no descriptor's gap.

    In such a locale (cron, ``LC_ALL=C`` with UTF-8 mode switched off) a name such as ``scène.tif`` is no text to
    Python, and GDAL could not be asked for it. Descriptors 0 to 2 that are closed are opened on nothing: the first
    file that is opened would get their number, and what is printed would be written into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.getfilesystemencoding().casefold().replace("-", "") != "utf8" and not sys.flags.ignore_environment:
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
