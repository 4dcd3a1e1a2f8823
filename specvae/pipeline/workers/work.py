"""The work of a worker: one task is carried out, and whatever goes wrong in it becomes its result.

This is the border that contains faults. Below it, code raises exceptions; above it, the schedule sees results only, so that
one broken scene among thousands never ends a batch. The model of the last scene stays loaded, since the next scene nearly
always needs the same one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from specvae.benchmarks.settings import run_benchmark
from specvae.errors import InputError, ModelError, SpecvaeError, UsageError
from specvae.files.places import output_place
from specvae.files.store import store_of
from specvae.ingest.formats.references import is_remote
from specvae.pipeline.declaration.stages import BenchmarkStage, CalibrateStage, FitStage, WatchStage
from specvae.pipeline.invalid import record_invalid
from specvae.pipeline.locks import at_work
from specvae.pipeline.summary.facts import WatchFacts, facts_of
from specvae.pipeline.workers.task import (
    NightTask,
    Result,
    SceneTask,
    ShardTask,
    StageTask,
    Status,
    Task,
    TaskProgress,
    over_limit,
)
from specvae.stages.score.request import ScoreRequest, fingerprint_of, stored_item

if TYPE_CHECKING:
    from specvae.model_file import StoredModel
    from specvae.stages.fit_outcome import FitOutcome
    from specvae.stages.watch.shards import SharedRows

__all__ = ["carry_out", "get_ready"]


Tell: TypeAlias = Callable[[TaskProgress], None]


def carry_out(task: Task, tell: Tell = lambda progress: None) -> Result:
    """Carry out a task, and ``tell`` how far it is. Raises nothing but what ends the process: a scene's fault stays its own."""
    started = time.perf_counter()
    try:
        result = _do(task, tell)
    except MemoryError:
        result = Result(
            "failed", f"{task.name}: out of memory; give fewer jobs or a smaller max_memory", transient=True
        )
    except SpecvaeError as error:
        result = Result("failed", str(error))
    except OSError as error:  # a disk or a network may be back a moment later
        result = Result("failed", f"{task.name}: {error}", transient=True)
    except Exception as error:
        result = Result("failed", f"{task.name}: a bug: {type(error).__name__}: {error}; report it")
    return replace(result, seconds=time.perf_counter() - started)


def _do(task: Task, tell: Tell) -> Result:
    if isinstance(task, SceneTask):
        return _score_scene(task, tell)
    if isinstance(task, NightTask):
        from specvae.stages.watch.shards import compute_shard

        return Result("done", night=compute_shard(task.shard))
    return _score_shard(task) if isinstance(task, ShardTask) else _do_stage(task, tell)


def get_ready(request: ScoreRequest) -> None:
    """Set GDAL up and load the model before the first scene. A model that cannot be loaded is that scene's failure."""
    from specvae.ingest.formats.gdal import configure

    configure(threads=request.threads)
    with suppress(SpecvaeError, OSError):
        _model_of(request)


def _score_scene(task: SceneTask, tell: Tell) -> Result:
    from specvae.stages.score.run import score_one  # torch comes with it

    request, source = task.request, task.source
    model = _model_of(request)
    folder = output_place(request.out, source.key)
    with at_work(task.lock) if task.record else nullcontext():
        outcome = score_one(source, model, request, _watch(task.seconds, tell), task.shards)
        if outcome.status != "failed":
            item = stored_item(folder) or {}
            return Result(
                "done" if outcome.status == "done" else "already", outcome.message, facts=facts_of(item, outcome.folder)
            )
        fault = outcome.fault or SpecvaeError
        # Only the scene itself or its mismatch with the model makes it invalid. A remote scene that cannot be read may be
        # there tomorrow, unchanged, so that a record of it would never be looked at again.
        if not issubclass(fault, InputError | ModelError) or is_remote(source.path):
            given_up = task.seconds is not None and outcome.message == over_limit(task.seconds)
            return Result("failed", outcome.message, transient=not given_up and not issubclass(fault, UsageError))
        if task.record:
            record_invalid(folder, fingerprint_of(source, model.sha256, request, None), outcome.message)
            store = store_of(request.out)
            if store is not None:
                store.push(source.key)
    return Result("invalid", outcome.message)


def _watch(seconds: float | None, tell: Tell) -> Callable[[str, float], None]:
    """What tells how far a scene is, and ends it between two windows once its time is over, where it has a limit.

    The run ends a process of its own that is over the limit, but no worker of a cluster, which gives itself up here.
    """
    deadline = math.inf if seconds is None else time.monotonic() + seconds

    def progress(key: str, share: float) -> None:
        if time.monotonic() > deadline:
            raise SpecvaeError(over_limit(seconds))
        tell(TaskProgress("scored", share))

    return progress


def _score_shard(task: ShardTask) -> Result:
    from specvae.stages.score.shards import count_shards, score_shard

    model = _model_of(task.request)
    if task.number is None:
        return Result("done", shard_count=count_shards(task.source, model, task.request, task.rows))
    with at_work(task.lock):
        shard = score_shard(task.source, model, task.request, task.rows, task.number, Path(task.place))
    return Result("done", shard=shard)


def _model_of(request: ScoreRequest) -> StoredModel:
    """The model that a request names, loaded again only if the file changed."""
    return _loaded(request.model, request.device, request.threads, _identity(request.model))


def _identity(path: str) -> tuple[int, int]:
    """Size and modification time of a model file: a stage of the same batch may have fitted it anew."""
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read: {error.strerror}; fit one with `specvae fit`") from None
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=1)
def _loaded(path: str, device: str, threads: int, identity: tuple[int, int]) -> StoredModel:
    from specvae.model.device import pick_device
    from specvae.model_file import load_model

    return load_model(path, pick_device(device), threads)


def _do_stage(task: StageTask, tell: Tell) -> Result:
    stage = task.stage
    if isinstance(stage, BenchmarkStage):
        return Result("done", str(run_benchmark(stage.name, stage.settings) / "report.md"))
    if isinstance(stage, WatchStage):
        return _follow(stage, task.dry_run, task.shared)
    outcome = _learn(stage, task.dry_run, tell)
    status: Status = "already" if outcome.skipped else "done"
    if task.dry_run:
        return Result(status)
    warnings = "; ".join(outcome.warnings)
    return Result(status, f"{outcome.model}{f' (warning: {warnings})' if warnings else ''}")


def _follow(stage: WatchStage, dry_run: bool, shared: SharedRows | None) -> Result:
    """Follow a place, its rows shared out where that is given; alerts of other settings are replaced."""
    from specvae.stages.watch.run import watch

    outcome = watch(stage.scene, replace(stage.request, renew=True, dry_run=dry_run), shared=shared)
    status: Status = "already" if outcome.status == "already" else "done"
    if dry_run:
        return Result(status)
    warnings = "; ".join(outcome.warnings)
    watched = WatchFacts(
        place=outcome.alerts["place"],
        newest=outcome.alerts["dates"]["newest"],
        alerts=outcome.alerts["counts"],
        untrusted=outcome.untrusted,
    )
    return Result(status, f"{outcome.line}{f' (warning: {warnings})' if warnings else ''}", watched=watched)


def _learn(stage: FitStage | CalibrateStage, dry_run: bool, tell: Tell) -> FitOutcome:
    """Fit or calibrate a model; one that was made otherwise is replaced."""
    if isinstance(stage, FitStage):
        from specvae.stages.fit import fit
        from specvae.training.course import Course

        course = Course(lambda phase: tell(TaskProgress(phase.name, phase.share)))
        return fit(stage.source, replace(stage.request, renew=True, dry_run=dry_run), course)
    from specvae.stages.calibrate import calibrate

    return calibrate(stage.source, replace(stage.request, renew=True, dry_run=dry_run))
