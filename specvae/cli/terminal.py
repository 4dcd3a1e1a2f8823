"""What is printed: text without the control characters that names of files, bands and columns may hold."""

from __future__ import annotations

import click

__all__ = ["echo"]


def echo(text: str, err: bool = False) -> None:
    """Print text; characters that would repaint a terminal, or forge a line of a log, are replaced by blanks."""
    # Lines are ours to break: a name's own line ends were made blanks where it was read.
    click.echo("".join(c if c.isprintable() or c in "\n\t" else " " for c in text), err=err)
