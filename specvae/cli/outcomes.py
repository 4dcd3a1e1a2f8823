"""Outcomes of the sources of a command: a line for each, or JSON, and the exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from specvae.cli.invocation import invocation
from specvae.cli.terminal import echo

if TYPE_CHECKING:
    from specvae.stages.outcome import SceneOutcome, ScoreRun

__all__ = ["finish", "print_outcome"]


def print_outcome(outcome: SceneOutcome, page: str = "", said: set[str] | None = None) -> None:
    """One line: on standard output, or on standard error where the source failed or has warnings.

    ``page``: the file in its folder that a person opens first. ``said``: the warnings said before, which are not said
    again: what a model warns of is the same of every scene. Those of this source are added to it.
    """
    if outcome.status == "failed":
        invocation().error(outcome.message, "scene-failed", scene=outcome.key)
        return
    said = set() if said is None else said
    for warning in (outcome.report or {}).get("warnings", []):
        if warning not in said:
            invocation().warn(f"{outcome.key}: {warning}")
        said.add(warning)
    echo(f"{outcome.key}: {outcome.message} -> {outcome.folder}{page}")


def finish(run: ScoreRun, as_json: bool) -> int:
    """Return the exit status of a command; with ``as_json``, print all outcomes first."""
    if as_json:
        # At the end and as one document, so that what reads it needs no parser of streams.
        rows = [
            {"source": o.scene, "status": o.status, "folder": o.folder, "message": o.message, "summary": o.report}
            for o in run.outcomes
        ]
        echo(json.dumps(rows))
    return run.exit_status
