"""The command line, run in the process of the tests."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

from specvae.cli.main import main


def run(*words: object) -> int:
    """The exit status of a command; what it prints goes where it always goes."""
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)
    raise AssertionError("the command line returned and did not exit")


def call(words: list[str]) -> tuple[int, str]:
    """The exit status of a command and everything that it prints; an error that escapes is status 1 and its text."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(words)
        except SystemExit as stop:
            return int(stop.code or 0) if isinstance(stop.code, int | None) else 1, printed.getvalue()
        except BaseException as error:
            return 1, printed.getvalue() + repr(error)
    return 0, printed.getvalue()
