"""``specvae score --jobs``: scenes scored by several processes, with the same outcomes as by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from specvae.ingest.source import Source
from specvae.ingest.sources import find_sources
from specvae.pipeline.workers.local import LocalWorkers
from specvae.pipeline.workers.schedule import carry_out_all
from specvae.pipeline.workers.task import Result, SceneTask
from specvae.stages.outcome import SceneOutcome, ScoreRun
from specvae.stages.score.memory import parse_size
from specvae.stages.score.request import ScoreRequest, stored_report

__all__ = ["score_in_processes"]


def score_in_processes(
    scene: Sequence[str], request: ScoreRequest, jobs: int, done: Callable[[SceneOutcome], None] | None = None
) -> ScoreRun:
    """Score every scene, ``jobs`` at a time, the processors and ``max_memory`` shared out. Raises as ``score`` does."""
    sources = find_sources(scene)
    outcomes: dict[int, SceneOutcome] = {}
    with LocalWorkers(min(jobs, len(sources))) as workers:
        share = str(parse_size(request.max_memory) // workers.capacity)
        parse_size(share)
        asked = replace(request, threads=workers.threads, max_memory=share)

        def ended(number: int, result: Result, attempts: int) -> None:
            outcomes[number] = _outcome(sources[number], result, request)
            if done:
                done(outcomes[number])

        tasks = [SceneTask(source, asked, "", record=False) for source in sources]
        carry_out_all(tasks, workers, 0, ended)
    if sum(outcome.status != "failed" for outcome in outcomes.values()) > 1:
        from specvae.export.stac import write_collection

        write_collection(Path(request.out), Path(request.out).name)
    return ScoreRun(tuple(outcomes[number] for number in range(len(sources))), request.strict)


def _outcome(source: Source, result: Result, request: ScoreRequest) -> SceneOutcome:
    folder = Path(request.out) / source.key
    good = result.status in ("done", "already")
    stored = stored_report(folder) if good else None
    return SceneOutcome(
        source.path, source.key, result.status if good else "failed", str(folder), result.message,
        stored["report"] if stored else None, 0 if good else 4,
    )  # fmt: skip
