"""``specvae score --jobs``: scenes scored by several processes, with the same outcomes as by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from specvae.export.contents import COLLECTION
from specvae.files.places import output_place, shown_place
from specvae.files.store import store_of
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
    """Score every scene, ``jobs`` at a time; the processes share the processors and ``max_memory`` equally.

    ``done`` is called with each outcome as it comes; the outcomes returned are in the order of the scenes. Raises the
    same errors as :func:`specvae.stages.score.run.score`.
    """
    sources = find_sources(scene)
    outcomes: dict[int, SceneOutcome] = {}
    store = store_of(request.out)
    if store is not None:
        store.pull_all()
    with LocalWorkers(min(jobs, len(sources))) as workers:
        share = str(parse_size(request.max_memory) // workers.capacity)
        parse_size(share)  # raises UsageError where the share of one process is too small to score in
        shared_request = replace(request, threads=workers.threads, max_memory=share)

        def ended(number: int, result: Result, attempts: int) -> None:
            outcomes[number] = _outcome(sources[number], result, request)
            if done:
                done(outcomes[number])

        tasks = [SceneTask(source, shared_request, "", record=False) for source in sources]
        carry_out_all(tasks, workers, 0, ended)
    # A collection of a single scene would say nothing that its item does not.
    if sum(outcome.status != "failed" for outcome in outcomes.values()) > 1:
        from specvae.export.stac import write_collection

        out = output_place(request.out)
        write_collection(out, out.name)
        if store is not None:
            store.put([COLLECTION])
    return ScoreRun(tuple(outcomes[number] for number in range(len(sources))), request.strict)


def _outcome(source: Source, result: Result, request: ScoreRequest) -> SceneOutcome:
    """The outcome that a score in this process would have returned, its report read from the scene's folder."""
    folder = output_place(request.out, source.key)
    good = result.status in ("done", "already")
    stored = stored_report(folder) if good else None
    return SceneOutcome(
        scene=source.path,
        key=source.key,
        status=result.status if good else "failed",
        folder=shown_place(request.out, source.key),
        message=result.message,
        report=stored["report"] if stored else None,
        exit_status=0 if good else 4,
    )
