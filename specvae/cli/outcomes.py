"""How what became of each source is told: a line each, or JSON, and the exit status."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["finish", "tell"]


def tell(outcome: Any) -> None:
    """One line."""
    if outcome.status == "failed":
        click.echo(f"specvae: {outcome.message}", err=True)
    else:
        click.echo(f"{outcome.key}: {outcome.message} -> {outcome.folder}")


def finish(run: Any, as_json: bool) -> int:
    """The exit status; with ``as_json`` all outcomes are printed."""
    if as_json:
        told = [
            {"source": o.scene, "status": o.status, "folder": o.folder, "message": o.message, "summary": o.report}
            for o in run.outcomes
        ]
        click.echo(json.dumps(told))
    return int(run.exit_status)
