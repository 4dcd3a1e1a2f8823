"""One run of a batch, from its TOML file to ``run.json``.

1. The TOML becomes a checked :class:`Pipeline`: a list of stages (fit, calibrate, score, watch, benchmark).
2. The run locks every folder that it will fill, so that no second run writes there, and removes what a killed one left.
3. The stages follow each other. A fit, a calibration or a benchmark is one task. A score is planned first
   (:mod:`~specvae.pipeline.plan`): scenes that are done already or are known to be invalid need nothing; each other scene is
   one task, and a giant one may become several shards.
4. Workers, processes here or a Dask cluster's, carry out the tasks. A fault stays the fault of its scene: it becomes a
   :class:`Result`, and the other scenes go on.
5. Each result becomes a :class:`SceneRecord` in its :class:`StageRecord`, in the :class:`Batch`, and a line of ``log.jsonl``.
6. ``collection.json``, ``index.html`` and ``metrics.prom`` are written from the batch, and ``run.json`` last.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from specvae.errors import OutputError, SpecvaeError
from specvae.export.contents import COLLECTION
from specvae.files.places import output_place
from specvae.files.store import Store
from specvae.files.store_address import is_store
from specvae.ingest.sources import find_sources
from specvae.pipeline.declaration.spec import load_pipeline
from specvae.pipeline.declaration.stages import (
    BenchmarkStage,
    CalibrateStage,
    Pipeline,
    ScoreStage,
    Stage,
    WatchStage,
    WholeStage,
)
from specvae.pipeline.locks import WORKERS, alone, sweep
from specvae.pipeline.plan import decide, model_hash
from specvae.pipeline.run_options import OVERRIDES, Options
from specvae.pipeline.scene_records import ended_record, planned_record
from specvae.pipeline.store_lock import StoreLock
from specvae.pipeline.summary.events import EventLog
from specvae.pipeline.summary.outcome import Batch, StageRecord
from specvae.pipeline.summary.summary import write_summary
from specvae.pipeline.workers.heartbeat import BeatingWorkers, Heartbeat
from specvae.pipeline.workers.local import LocalWorkers
from specvae.pipeline.workers.night_sharding import follow_in_shards
from specvae.pipeline.workers.schedule import Workers, carry_out_all
from specvae.pipeline.workers.sharding import in_shards
from specvae.pipeline.workers.task import Result, SceneTask, StageTask, TaskProgress
from specvae.stages.score.memory import parse_size

__all__ = ["run"]


def run(pipeline: str | Path, options: Options | None = None) -> Batch:
    """Carry out the batch that a TOML file declares, or with ``dry_run`` say what there is to do.

    Raises UsageError for a declaration that is wrong, OutputError where another run is at work in the same folders.
    Whatever goes wrong later is part of the batch that is returned.
    """
    options = options or Options()
    overrides: dict[str, object] = {name: getattr(options, name) for name in OVERRIDES}
    # A flag can only be set on the command line: where it is not, the TOML decides.
    overrides["fail_when_empty"] = options.fail_when_empty or None
    if options.heartbeat is not None:
        # What the command line names starts where the command was called, and not at the pipeline's root.
        overrides["heartbeat"] = os.path.abspath(options.heartbeat)
    spec = load_pipeline(pipeline, options.set, **overrides)
    batch = Batch(spec.name, str(pipeline), spec.out, datetime.now(UTC), options.dry_run)
    places = {spec.out, *spec.filled}
    stores = [Store(place) for place in sorted(places) if is_store(place)]
    for store in stores:
        store.pull_all()  # what is done there is known from there, whichever machine did it
    with ExitStack() as locks:
        if not options.dry_run:
            locks.enter_context(alone(map(output_place, places)))
        if not (options.dry_run or options.no_lock):
            for store in stores:
                locks.enter_context(StoreLock(store))
        log_path = None if options.dry_run else output_place(spec.out, "log.jsonl")
        with EventLog(log_path, options.log_on_stderr) as log:
            _Run(spec, options, batch, log).carry_out({output_place(place) for place in places})
        if not options.dry_run and batch.complaint == "":
            _upload(batch, stores)
    return batch


def _upload(batch: Batch, stores: Sequence[Store]) -> None:
    """Upload the run's own files to the stores, ``run.json`` last; where it fails, the batch says so."""
    try:
        for store in stores:
            store.put([COLLECTION, "index.html", "metrics.prom", "log.jsonl", "run.json"])
    except OutputError as error:
        batch.complaint = str(error)


@dataclass
class _Run:
    """A run under way: its stages are carried out in their order, and the batch fills with their records."""

    spec: Pipeline
    options: Options
    batch: Batch
    log: EventLog
    unmade: dict[str, str] = field(default_factory=dict)
    """Path of a model that a stage failed to make, or in a dry run would make -> why it cannot be used."""

    def carry_out(self, places: set[Path]) -> None:
        """Carry out all stages and write the summary; ``places`` are the folders that the run fills."""
        started = time.perf_counter()
        self.log("run-start", name=self.spec.name, jobs=self.spec.jobs, stages=len(self.spec.stage))
        self._sweep(places)
        beats = None if self.options.dry_run else self.spec.heartbeat
        try:
            with _workers(self.spec) as started_workers:
                workers = BeatingWorkers(started_workers, Heartbeat(beats)) if beats else started_workers
                for number, stage in enumerate(self.spec.stage, start=1):
                    self._stage(number, stage, workers)
        # An interrupt from the keyboard too: the log must say where a run ended, whatever ended it.
        except BaseException as error:
            self.log("run-interrupted", "warning", reason=type(error).__name__)
            raise
        self._sweep(places)  # again: workers of this run that died leave unfinished folders too
        self.batch.seconds = time.perf_counter() - started
        if not self.options.dry_run:
            try:
                write_summary(self.batch, self.spec.filled)
            except OutputError as error:
                self.batch.complaint = str(error)
        status = self.batch.exit_status
        level = "info" if status == 0 else "warning"
        self.log("run-end", level, seconds=self.batch.seconds, exit_status=status, **self.batch.counts)

    def _sweep(self, places: set[Path]) -> None:
        removed = 0 if self.options.dry_run else sum(sweep(place) for place in places)
        if removed:
            self.log("swept", pieces=removed)

    def _stage(self, number: int, stage: Stage, workers: Workers) -> None:
        """Carry out one stage; a fault fails the stage, and stages that need its model are skipped."""
        started = time.perf_counter()
        strict = isinstance(stage, ScoreStage | WatchStage) and stage.request.strict
        record = StageRecord(number, stage.run, stage.target, strict=strict)
        self.batch.stages.append(record)
        needed = stage.request.model if isinstance(stage, ScoreStage | CalibrateStage) else ""
        try:
            if needed in self.unmade and not self.options.dry_run:
                record.status, record.message = "skipped", f"{needed} was not made: {self.unmade[needed]}"
            elif isinstance(stage, ScoreStage):
                self._score(stage, record, workers)
            else:
                self._single_task(stage, record, workers)
        except SpecvaeError as error:
            record.status, record.message = "failed", str(error)
        record.seconds = time.perf_counter() - started
        lost = record.status in ("failed", "skipped")
        # In a dry run a model that is yet to be made is missing as well:
        # the stages that need it are planned without it.
        if (lost or (self.options.dry_run and record.status == "todo")) and not isinstance(stage, ScoreStage):
            self.unmade[stage.target] = record.message
        self.log(
            "stage-end",
            "error" if lost else "info",
            stage=number,
            run=stage.run,
            status=record.status,
            seconds=record.seconds,
            message=record.message,
        )
        self.options.tell(record, None)

    def _single_task(self, stage: WholeStage, record: StageRecord, workers: Workers) -> None:
        """Carry out a fit, a calibration or a benchmark, which is one task of one worker."""
        if self.options.dry_run and self._unknown(stage):
            return
        task = StageTask(stage, self.options.dry_run)
        results: list[Result] = []
        phases: set[str] = set()
        if isinstance(stage, WatchStage) and not self.options.dry_run:
            results += follow_in_shards(stage, workers, self.spec, self.log)
        # By a worker and not in this process: a crash in native code then fails the stage and not the run.
        carry_out_all(
            [] if results else [task],
            workers,
            self.spec.retries,
            lambda number, result, attempts: results.append(result),
            advanced=lambda number, progress: self._advanced(f"stage {record.number}, {stage.run}", progress, phases),
        )
        record.status, record.message, record.watched = results[0].status, results[0].message, results[0].watched
        if self.options.dry_run and record.status == "done":
            record.status = "todo"

    def _advanced(self, task: str, progress: TaskProgress, phases: set[str]) -> None:
        """Pass on how far a stage is; each of its ``phases`` is an event of the log, once."""
        self.options.progress(task, progress.text, progress.share)
        if progress.text not in phases:
            phases.add(progress.text)
            self.log("stage-progress", stage=task, message=progress.text)

    def _unknown(self, stage: WholeStage) -> bool:
        """Whether a dry run cannot know what the stage has to do: a benchmark, or what rests on a stage that is still to do."""
        if isinstance(stage, BenchmarkStage):
            return True
        if isinstance(stage, WatchStage):
            return any(record.status == "todo" and record.run == "score" for record in self.batch.stages[:-1])
        return stage.request.model in self.unmade

    def _score(self, stage: ScoreStage, record: StageRecord, workers: Workers) -> None:
        """Plan a scoring stage, then score the scenes that have something to do."""
        sources = find_sources(stage.scene, may_be_empty=not self.spec.fail_when_empty)
        if not sources:
            record.status, record.message = "already", f"nothing came in: no scene in {', '.join(stage.scene)}"
            return
        model = stage.request.model
        sha = None if model in self.unmade else model_hash(model)
        if sha is None and model not in self.unmade:
            raise SpecvaeError(f"there is no model {model}; fit one first, in a stage above or by `specvae fit`")
        request = stage.request_for(workers.threads, self._memory(stage))
        decisions = decide(sources, request, sha)
        record.scenes = [planned_record(decision, request.out) for decision in decisions]
        if self.options.dry_run:
            record.status = "todo" if any(d.status == "todo" for d in decisions) else "already"
            return
        todo = [at for at, decision in enumerate(decisions) if decision.status == "todo"]
        self.log("stage-start", stage=record.number, run="score", scenes=len(sources), todo=len(todo))
        if todo:
            workers.prepare(request)
        lock = str(output_place(stage.target, WORKERS))
        limit = self.spec.max_seconds_per_scene
        tasks = [SceneTask(decisions[at].source, request, lock, seconds=limit) for at in todo]
        self._score_scenes(in_shards(tasks, workers, self.spec, self.log), todo, record, workers)
        record.status = "done" if tasks else "already"

    def _score_scenes(
        self, tasks: Sequence[SceneTask], positions: Sequence[int], record: StageRecord, workers: Workers
    ) -> None:
        """Score the scenes at these ``positions`` of the stage's record, which is filled in as they end."""

        def ended(number: int, result: Result, attempts: int) -> None:
            scene = ended_record(record.scenes[positions[number]], result, attempts)
            record.scenes[positions[number]] = scene
            level = "warning" if result.status in ("invalid", "failed") else "info"
            self.log(
                f"scene-{result.status}",
                level,
                scene=scene.key,
                seconds=result.seconds,
                attempts=attempts,
                message=result.message,
            )
            self.options.tell(record, scene)

        def again(number: int, result: Result, pause: float) -> None:
            scene = record.scenes[positions[number]].key
            self.log("scene-retry", "warning", scene=scene, seconds=result.seconds, pause=pause, message=result.message)

        def advanced(number: int, progress: TaskProgress) -> None:
            self.options.progress(record.scenes[positions[number]].key, progress.text, progress.share)

        carry_out_all(tasks, workers, self.spec.retries, ended, again, advanced)
        for task in tasks:
            if task.shards is not None:
                shutil.rmtree(task.shards.place, ignore_errors=True)

    def _memory(self, stage: ScoreStage) -> str | None:
        """Each process's share of the working memory, in bytes; None where one process may take the default."""
        limit = self.spec.max_memory or stage.request.max_memory
        # The workers of a cluster are on other machines, each with a memory of its own.
        jobs = self.spec.jobs if self.spec.cluster is None else 1
        if limit is None and jobs == 1:
            return None
        share = f"{parse_size(limit) // jobs}"
        parse_size(share)  # raises UsageError where the share is too small to score in
        return share


@contextmanager
def _workers(spec: Pipeline) -> Iterator[Workers]:
    """The workers that the declaration asks for; they end with the context."""
    if spec.cluster is None:
        with LocalWorkers(spec.jobs) as local:
            yield local
        return
    from specvae.pipeline.workers.cluster import ClusterWorkers

    with ClusterWorkers(spec.cluster) as cluster:
        yield cluster
