"""``specvae inspect``: parse, inspect, print."""

from __future__ import annotations

import json

import click

from specvae.cli.derived_options import HeadedCommand, json_option, reading_options
from specvae.cli.terminal import echo
from specvae.ingest.decision import Decision
from specvae.ingest.options import IngestOptions
from specvae.option import build

__all__ = ["command"]


@click.command("inspect", cls=HeadedCommand)
@click.argument("path")
@reading_options("inspect")
@json_option
def command(path: str, as_json: bool, **options: object) -> int:
    """Tell what a model is (bands, sizes, thresholds, provenance), or how a scene or table will be read.

    \b
    specvae inspect model.specvae
    specvae inspect scene.tif --json
    """
    from specvae.files.json_files import finite
    from specvae.stages.inspect import inspect

    # JSON knows no NaN: strict readers refuse it.
    about = finite(inspect(path, build(IngestOptions, options)))
    if as_json:
        echo(json.dumps(about, indent=1))
        return 0
    for key, value in about.items():
        if key == "decisions":
            echo(_decisions(value))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            echo(f"{key}:")
            for row in value:
                echo("  " + "  ".join(f"{k} {_short(v)}" for k, v in row.items() if v not in (None, "", [])))
        elif isinstance(value, dict):
            echo(f"{key}: " + (", ".join(f"{k} {_cut(_nested(v))}" for k, v in value.items()) or "-"))
        else:
            echo(f"{key}: {_short(value)}")
    return 0


def _decisions(rows: object) -> str:
    """What the reader decided, a sentence a line."""
    assert isinstance(rows, list)
    sentences = (Decision(**{**row, "others": tuple(row["others"])}).sentence for row in rows)
    return "\n  ".join(("decisions:", *sentences)) if rows else "decisions: -"


def _short(value: object) -> str:
    """A value in words, cut where it is long.

    Examples
    --------
    >>> _short(None), _short([]), _short(True), _short([1.5, "a"]), _short({"rows": 3, "sizes": [1, 2]})
    ('-', '-', 'yes', '1.5, a', 'rows 3, sizes (1, 2)')
    """
    return _cut(_words(value))


def _cut(text: str) -> str:
    """At most 300 characters of a text: a provenance may hold thousands of files."""
    return text if len(text) < 300 else text[:297] + "..."


def _words(value: object) -> str:
    """A value without the signs of JSON or Python; ``-`` where there is none."""
    if value is None or value in ("", [], {}, ()):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_nested(each)}" for name, each in value.items())
    return ", ".join(map(_nested, value)) if isinstance(value, (list, tuple)) else str(value)


def _nested(value: object) -> str:
    """A value inside another one: in brackets where it is itself several."""
    several = isinstance(value, (dict, list, tuple)) and len(value) > 1
    return f"({_words(value)})" if several else _words(value)
