"""Records of scenes in a run: as they were planned, and as their tasks ended."""

from __future__ import annotations

from dataclasses import replace

from specvae.files.places import shown_place
from specvae.pipeline.plan import Decision
from specvae.pipeline.summary.outcome import SceneRecord
from specvae.pipeline.workers.task import Result

__all__ = ["ended_record", "planned_record"]


def planned_record(decision: Decision, out: str) -> SceneRecord:
    source = decision.source
    return SceneRecord(
        source.key, source.path, shown_place(out, source.key), decision.status, decision.why, facts=decision.facts
    )


def ended_record(scene: SceneRecord, result: Result, attempts: int) -> SceneRecord:
    """The record of a planned scene once its task has ended."""
    return replace(
        scene,
        status=result.status,
        message=result.message,
        seconds=result.seconds,
        attempts=attempts,
        facts=result.facts,
    )
