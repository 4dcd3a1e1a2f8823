"""What a worker does: one task, whatever goes wrong in it told in the result. The last model stays loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from specvae.errors import InputError, ModelError, SpecvaeError, UsageError
from specvae.ingest.formats.references import is_remote
from specvae.pipeline.invalid import record_invalid
from specvae.pipeline.locks import at_work
from specvae.pipeline.summary.facts import facts_of
from specvae.pipeline.workers.task import Result, SceneTask, ShardTask, StageTask, Task
from specvae.stages.score.request import ScoreRequest, fingerprint_of, stored_item

__all__ = ["carry_out", "get_ready"]


def carry_out(task: Task) -> Result:
    """Do a task. Never raises but to end the process: a scene's fault stays the scene's."""
    started = time.perf_counter()
    try:
        result = _do(task)
    except MemoryError:
        result = Result(
            "failed", f"{task.name}: out of memory; give fewer jobs or a smaller max_memory", transient=True
        )
    except SpecvaeError as error:
        result = Result("failed", str(error))
    except OSError as error:
        result = Result("failed", f"{task.name}: {error}", transient=True)
    except Exception as error:
        result = Result("failed", f"{task.name}: a bug: {type(error).__name__}: {error}; report it")
    return replace(result, seconds=time.perf_counter() - started)


def _do(task: Task) -> Result:
    if isinstance(task, SceneTask):
        return _scene(task)
    return _shard(task) if isinstance(task, ShardTask) else _stage(task)


def get_ready(request: ScoreRequest) -> None:
    """Load the model for the scenes to come. What goes wrong is told by the first scene."""
    from specvae.ingest.formats.gdal import configure

    configure(threads=request.threads)
    with suppress(SpecvaeError, OSError):
        _loaded(request.model, request.device, request.threads, _identity(request.model))


def _scene(task: SceneTask) -> Result:
    from specvae.stages.score.run import score_one  # torch comes with it

    request, source = task.request, task.source
    model = _loaded(request.model, request.device, request.threads, _identity(request.model))
    folder = Path(request.out) / source.key
    with at_work(task.lock) if task.record else nullcontext():
        outcome = score_one(source, model, request, shards=task.shards)
        if outcome.status != "failed":
            item = stored_item(folder) or {}
            return Result("done" if outcome.status == "done" else "already", outcome.message, facts=facts_of(item))
        fault = outcome.fault or SpecvaeError
        if not issubclass(fault, InputError | ModelError) or is_remote(source.path):
            return Result("failed", outcome.message, transient=not issubclass(fault, UsageError))
        if task.record:
            record_invalid(folder, fingerprint_of(source, model.sha256, request, None), outcome.message)
    return Result("invalid", outcome.message)


def _shard(task: ShardTask) -> Result:
    from specvae.stages.score.shards import count_shards, score_shard

    request = task.request
    model = _loaded(request.model, request.device, request.threads, _identity(request.model))
    if task.number is None:
        return Result("done", payload=count_shards(task.source, model, request, task.rows))
    with at_work(task.lock):
        return Result(
            "done", payload=score_shard(task.source, model, request, task.rows, task.number, Path(task.place))
        )


def _identity(path: str) -> tuple[int, int]:
    """Size and time: a model that was fitted anew is loaded anew."""
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise ModelError(f"the model {path} cannot be read: {error.strerror}; fit one with `specvae fit`") from None
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=1)
def _loaded(path: str, device: str, threads: int, identity: tuple[int, int]) -> Any:
    from specvae.model.device import pick_device
    from specvae.model_file import load_model

    return load_model(path, pick_device(device), threads)


def _stage(task: StageTask) -> Result:
    if task.kind == "benchmark":
        return _benchmark(dict(task.arguments))
    told = dict(task.arguments)
    source = told.pop("source")
    function = _learning(task.kind)
    outcome = function(source, renew=True, dry_run=task.dry_run, **told)
    if task.dry_run:
        return Result("already" if outcome.skipped else "done")
    warnings = "; ".join(outcome.warnings)
    message = f"{outcome.model}{f' (warning: {warnings})' if warnings else ''}"
    return Result("already" if outcome.skipped else "done", message, facts={"sha256": outcome.sha256})


def _learning(kind: str) -> Callable[..., Any]:
    if kind == "fit":
        from specvae.stages.fit import fit

        return fit
    from specvae.stages.calibrate import calibrate

    return calibrate


def _benchmark(told: dict[str, Any]) -> Result:
    from specvae.benchmarks.settings import Settings, run_benchmark

    name = told.pop("name")
    places = {key: Path(told[key]) for key in ("data", "out") if told[key]}
    folder = run_benchmark(name, Settings(**(told | places)))
    return Result("done", str(folder / "report.md"))
