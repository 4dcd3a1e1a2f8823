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
            echo(f"{key}: " + (", ".join(f"{k} {_short(v)}" for k, v in value.items()) or "-"))
        else:
            echo(f"{key}: {_short(value)}")
    return 0


def _decisions(rows: object) -> str:
    """What the reader decided, a sentence a line."""
    assert isinstance(rows, list)
    sentences = (Decision(**{**row, "others": tuple(row["others"])}).sentence for row in rows)
    return "\n  ".join(("decisions:", *sentences)) if rows else "decisions: -"


def _short(value: object) -> str:
    """A value as a text of at most 300 characters: a provenance may hold thousands of files."""
    text = (
        f"{value:.6g}"
        if isinstance(value, float)
        else json.dumps(value)
        if isinstance(value, (dict, list))
        else str(value)
    )
    return text if len(text) < 300 else text[:297] + "..."
