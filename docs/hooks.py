"""What the site needs beyond its pages: the commands' help, and Sphinx's roles as code."""

from __future__ import annotations

import re
from typing import Any

import click

MARK = "<!-- commands -->"
ROLE = re.compile(r":(?:class|meth|func|mod|attr):<code>~?([^<]*)</code>")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The help of every command where the page asks for it."""
    return markdown.replace(MARK, _commands()) if MARK in markdown else markdown


def on_page_content(html: str, **_: Any) -> str:
    """Docstrings are written for `help()` too; on the site a role is code."""
    return ROLE.sub(r"<code>\1</code>", html)


def _commands() -> str:
    from specvae.cli.main import cli

    top = click.Context(cli, info_name="specvae")
    pieces = [_block("specvae", cli.get_help(top))]
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        if command is not None:
            pieces.append(
                _block(f"specvae {name}", command.get_help(click.Context(command, info_name=name, parent=top)))
            )
    return "\n\n".join(pieces)


def _block(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```"
