"""What ``specvae score --json`` says of each scene: the same facts as ``run.json``; ``score.schema.json`` is its schema."""

from __future__ import annotations

from typing import Required

from specvae.files.places import output_place
from specvae.pipeline.summary.facts import SceneFacts, facts_of
from specvae.stages.outcome import SceneOutcome
from specvae.stages.score.request import stored_item

__all__ = ["ScoreJson", "score_json"]


class ScoreJson(SceneFacts, total=False):
    """One scene; the facts of :class:`SceneFacts` are there for a scene with a result."""

    key: Required[str]
    """The scene's name, and its folder below ``--out``."""
    scene: Required[str]
    folder: Required[str]
    status: Required[str]
    """``done``, ``already`` (done before, nothing touched) or ``failed``."""
    message: Required[str]
    """One line for people: the claim, or what failed."""
    exit_status: Required[int]
    """The status that a command with this scene alone ends with, but for ``--strict``."""


def score_json(outcome: SceneOutcome) -> ScoreJson:
    """One scene of a score; a scene that failed has no facts."""
    item = None if outcome.status == "failed" else stored_item(output_place(outcome.folder))
    facts: SceneFacts = facts_of(item, outcome.folder) if item else {}
    return {
        "key": outcome.key,
        "scene": outcome.scene,
        "folder": outcome.folder,
        "status": outcome.status,
        "message": outcome.message,
        "exit_status": outcome.exit_status,
        **facts,
    }
