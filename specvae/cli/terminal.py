"""What is printed: text without the control characters that names of files, bands and columns may hold."""

from __future__ import annotations

from typing import Protocol

import click

__all__ = ["BARS", "echo"]


class _Bar(Protocol):
    def hide(self) -> None: ...

    def show(self) -> None: ...


BARS: list[_Bar] = []
"""What stands on the last line of the terminal at this moment, and makes room for a line that is printed."""


def echo(text: str, err: bool = False) -> None:
    """Print text; characters that would repaint a terminal, or forge a line of a log, are replaced by blanks."""
    for bar in BARS:
        bar.hide()
    # Lines are ours to break: a name's own line ends were made blanks where it was read.
    click.echo("".join(c if c.isprintable() or c in "\n\t" else " " for c in text), err=err)
    for bar in BARS:
        bar.show()
