"""A batch: stages in their order, each scene's fault contained, and a summary written last."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from specvae.errors import OutputError, SpecvaeError
from specvae.ingest.sources import find_sources
from specvae.pipeline.declaration.spec import BenchmarkStage, CalibrateStage, Pipeline, ScoreStage, Stage, load_pipeline
from specvae.pipeline.locks import WORKERS, alone, sweep
from specvae.pipeline.plan import Decision, decide, model_hash
from specvae.pipeline.summary.events import EventLog
from specvae.pipeline.summary.outcome import Batch, SceneRecord, StageRecord
from specvae.pipeline.summary.summary import write_summary
from specvae.pipeline.workers.local import LocalWorkers
from specvae.pipeline.workers.schedule import Workers, carry_out_all
from specvae.pipeline.workers.sharding import in_shards
from specvae.pipeline.workers.task import Result, SceneTask, StageTask
from specvae.stages.score.memory import parse_size

__all__ = ["Options", "run"]


@dataclass(frozen=True)
class Options:
    """What the command line says; None: as the TOML says."""

    jobs: int | None = None
    cluster: str | None = None
    retries: int | None = None
    max_memory: str | None = None
    shard_rows: int | None = None
    set: tuple[str, ...] = ()
    dry_run: bool = False
    log_on_stderr: bool = False
    tell: Callable[[StageRecord, SceneRecord | None], None] = lambda stage, scene: None
    """Is given each stage that ended (None), and each scene that a worker was at."""


def run(pipeline: str | Path, options: Options | None = None) -> Batch:
    """Carry out what a TOML declares, or with ``dry_run`` tell what there is to do.

    Raises UsageError for a declaration that is wrong, OutputError where another run is at work in the same folders.
    """
    options = options or Options()
    told = {name: getattr(options, name) for name in ("jobs", "cluster", "retries", "max_memory", "shard_rows")}
    spec = load_pipeline(pipeline, options.set, **told)
    batch = Batch(spec.name, str(pipeline), spec.out, datetime.now(UTC), options.dry_run)
    places = {spec.out, *(stage.out for stage in spec.scores)}
    with nullcontext() if options.dry_run else alone(places):
        log_path = None if options.dry_run else Path(spec.out) / "log.jsonl"
        with EventLog(log_path, options.log_on_stderr) as log:
            _Run(spec, options, batch, log).carry_out(places)
    return batch


@dataclass
class _Run:
    spec: Pipeline
    options: Options
    batch: Batch
    log: EventLog
    unmade: dict[str, str] = field(default_factory=dict)
    """Models that a stage could not make, or in a dry run would make: why they are not to be used."""

    def carry_out(self, places: set[str]) -> None:
        started = time.perf_counter()
        self.log("run-start", name=self.spec.name, jobs=self.spec.jobs, stages=len(self.spec.stage))
        self._sweep(places)
        try:
            with _workers(self.spec) as workers:
                for number, stage in enumerate(self.spec.stage, start=1):
                    self._stage(number, stage, workers)
        except BaseException as error:
            self.log("run-interrupted", "warning", reason=type(error).__name__)
            raise
        self._sweep(places)  # of workers that died
        self.batch.seconds = time.perf_counter() - started
        if not self.options.dry_run:
            try:
                write_summary(self.batch, {stage.out for stage in self.spec.scores})
            except OutputError as error:
                self.batch.complaint = str(error)
        status = self.batch.exit_status
        level = "info" if status == 0 else "warning"
        self.log("run-end", level, seconds=self.batch.seconds, exit_status=status, **self.batch.counts)

    def _sweep(self, places: set[str]) -> None:
        swept = 0 if self.options.dry_run else sum(sweep(place) for place in places)
        if swept:
            self.log("swept", pieces=swept)

    def _stage(self, number: int, stage: Stage, workers: Workers) -> None:
        started = time.perf_counter()
        record = StageRecord(number, stage.run, stage.target, strict=getattr(stage, "strict", False))
        self.batch.stages.append(record)
        needed = stage.model if isinstance(stage, ScoreStage | CalibrateStage) else ""
        try:
            if needed in self.unmade and not self.options.dry_run:
                record.status, record.message = "skipped", f"{needed} was not made: {self.unmade[needed]}"
            elif isinstance(stage, ScoreStage):
                self._score(stage, record, workers)
            else:
                self._whole(stage, record, workers)
        except SpecvaeError as error:
            record.status, record.message = "failed", str(error)
        record.seconds = time.perf_counter() - started
        lost = record.status in ("failed", "skipped")
        if (lost or (self.options.dry_run and record.status == "todo")) and not isinstance(stage, ScoreStage):
            self.unmade[stage.target] = record.message
        self.log(
            "stage-end", "error" if lost else "info", stage=number, run=stage.run, status=record.status,
            seconds=record.seconds, message=record.message,
        )  # fmt: skip
        self.options.tell(record, None)

    def _whole(self, stage: Stage, record: StageRecord, workers: Workers) -> None:
        """A fit, a calibration or a benchmark."""
        assert not isinstance(stage, ScoreStage)
        if self.options.dry_run and (isinstance(stage, BenchmarkStage) or stage.model in self.unmade):
            return
        task = StageTask(stage.run, stage.arguments(), self.options.dry_run)
        ended: list[Result] = []
        carry_out_all([task], workers, self.spec.retries, lambda number, result, attempts: ended.append(result))
        told = ended[0]
        record.status, record.message = told.status, told.message
        if self.options.dry_run and told.status == "done":
            record.status = "todo"

    def _score(self, stage: ScoreStage, record: StageRecord, workers: Workers) -> None:
        sources = find_sources(stage.scene)
        sha = None if stage.model in self.unmade else model_hash(stage.model)
        if sha is None and stage.model not in self.unmade:
            raise SpecvaeError(f"there is no model {stage.model}; fit one first, in a stage above or by `specvae fit`")
        request = stage.request(workers.threads, self._memory(stage))
        decisions = decide(sources, request, sha)
        record.scenes = [_planned(decision, request.out) for decision in decisions]
        if self.options.dry_run:
            record.status = "todo" if any(d.status == "todo" for d in decisions) else "already"
            return
        todo = [at for at, decision in enumerate(decisions) if decision.status == "todo"]
        lock = str(Path(stage.out) / WORKERS)
        self.log("stage-start", stage=record.number, run="score", scenes=len(sources), todo=len(todo))
        if todo:
            workers.prepare(request)
        tasks = in_shards([SceneTask(decisions[at].source, request, lock) for at in todo], workers, self.spec, self.log)

        def ended(number: int, result: Result, attempts: int) -> None:
            at = todo[number]
            scene = replace(
                record.scenes[at], status=result.status, message=result.message, seconds=result.seconds,
                attempts=attempts, facts=result.facts,
            )  # fmt: skip
            record.scenes[at] = scene
            bad = result.status in ("invalid", "failed")
            self.log(
                f"scene-{result.status}", "warning" if bad else "info", scene=scene.key, seconds=result.seconds,
                attempts=attempts, message=result.message,
            )  # fmt: skip
            self.options.tell(record, scene)

        def again(number: int, result: Result, pause: float) -> None:
            scene = record.scenes[todo[number]].key
            self.log("scene-retry", "warning", scene=scene, seconds=result.seconds, pause=pause, message=result.message)

        carry_out_all(tasks, workers, self.spec.retries, ended, again)
        for task in tasks:
            if task.shards is not None:
                shutil.rmtree(task.shards.place, ignore_errors=True)
        record.status = "done" if tasks else "already"

    def _memory(self, stage: ScoreStage) -> str | None:
        """Each process's share of the working memory, in bytes."""
        told = self.spec.max_memory or stage.max_memory
        jobs = self.spec.jobs if self.spec.cluster is None else 1
        if told is None and jobs == 1:
            return None
        share = f"{parse_size(told) // jobs}"
        parse_size(share)
        return share


@contextmanager
def _workers(spec: Pipeline) -> Iterator[Any]:
    if spec.cluster is None:
        with LocalWorkers(spec.jobs) as local:
            yield local
        return
    from specvae.pipeline.workers.cluster import ClusterWorkers

    with ClusterWorkers(spec.cluster) as cluster:
        yield cluster


def _planned(decision: Decision, out: str) -> SceneRecord:
    source = decision.source
    folder = str(Path(out) / source.key)
    return SceneRecord(source.key, source.path, folder, decision.status, decision.why, facts=decision.facts)
