"""What the site needs beyond its pages: the commands' help, and Sphinx's roles as code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import click

MARK = "<!-- commands -->"
SCHEMA_MARK = "<!-- schemas -->"
SCHEMAS = (
    ("specvae.stages", "fit.schema.json"),
    ("specvae.pipeline.summary", "score.schema.json"),
    ("specvae.pipeline.summary", "run.schema.json"),
    ("specvae.export.report", "report.schema.json"),
)
"""Packages, and the schemas in them."""
ROLE = re.compile(r":(?:class|meth|func|mod|attr):<code>~?([^<]*)</code>")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The help of every command, and the fields of every schema, where the page asks for them."""
    for mark, text in ((MARK, _commands), (SCHEMA_MARK, _schemas)):
        markdown = markdown.replace(mark, text()) if mark in markdown else markdown
    return markdown


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


def _schemas() -> str:
    pieces = []
    for package, name in SCHEMAS:
        schema = json.loads(files(package).joinpath(name).read_text(encoding="utf-8"))
        rows = "\n".join(_rows(schema, schema.get("$defs", {})))
        pieces.append(
            f"## {schema['title']}\n\n`{name}` in `{package}`.\n\n| field | type | meaning |\n|---|---|---|\n{rows}"
        )
    return "\n\n".join(pieces)


def _rows(schema: dict[str, Any], known: dict[str, Any], above: str = "") -> Iterator[str]:
    """A line of a table for each field, and those of the records in it behind it."""
    schema = known[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        yield from _rows(schema["items"], known, f"{above}[]." if above else "")
    for name, field in schema.get("properties", {}).items():
        about = str(field.get("description", "")).replace("``", "`").replace("\n", " ").replace("|", "\\|")
        yield f"| `{above}{name}` | {_type(field)} | {about} |"
        yield from _rows(field, known, f"{above}{name}" + ("" if field.get("type") == "array" else "."))


def _type(field: dict[str, Any]) -> str:
    """The type of a field in words."""
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    kinds = field.get("type", "object")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


def _block(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text}\n```"
