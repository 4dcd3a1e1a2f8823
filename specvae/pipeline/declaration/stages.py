"""The stages of a checked declaration: each with its request, all paths absolute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from specvae.benchmarks.settings import BENCHMARKS, Settings
from specvae.errors import UsageError
from specvae.option import Option, Range, option
from specvae.stages.requests import CalibrateRequest, FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.watch.request import WatchRequest

__all__ = [
    "BenchmarkStage",
    "CalibrateStage",
    "FitStage",
    "Pipeline",
    "ScoreStage",
    "Stage",
    "WatchStage",
    "WholeStage",
]


@dataclass(frozen=True)
class FitStage:
    """A stage that fits: ``run = "fit"``."""

    run: ClassVar[Literal["fit"]] = "fit"
    source: tuple[str, ...]
    """Files, folders and globs of normal data."""
    request: FitRequest

    @property
    def target(self) -> str:
        """The model file that the stage makes."""
        return self.request.model

    def check(self) -> None:
        """Raise UsageError for settings that no fit could start with."""
        self.request.configuration()


@dataclass(frozen=True)
class CalibrateStage:
    """A stage that calibrates: ``run = "calibrate"``."""

    run: ClassVar[Literal["calibrate"]] = "calibrate"
    source: tuple[str, ...]
    """Files, folders and globs of normal data."""
    request: CalibrateRequest

    @property
    def target(self) -> str:
        """The model file that the stage makes."""
        return self.request.target

    def check(self) -> None:
        """Check nothing: the request was checked when it was made."""


@dataclass(frozen=True)
class ScoreStage:
    """A stage that scores: ``run = "score"``."""

    run: ClassVar[Literal["score"]] = "score"
    scene: tuple[str, ...]
    """Files, folders and globs of scenes and tables."""
    request: ScoreRequest

    @property
    def target(self) -> str:
        """The folder that the stage fills."""
        return self.request.out

    def request_for(self, threads: int, max_memory: str | None) -> ScoreRequest:
        """The request of a worker with so many threads and so much memory; results made otherwise are renewed."""
        # A batch is run again after a change of its settings, so a result that was made otherwise is no mistake there.
        return replace(self.request, renew=True, threads=threads, max_memory=max_memory)

    def check(self) -> None:
        """Raise UsageError for settings that no score could start with."""
        from specvae.stages.score.memory import parse_size  # numpy comes with it, which a command's help can do without

        parse_size(self.request.max_memory)


@dataclass(frozen=True)
class BenchmarkStage:
    """A stage that runs a benchmark: ``run = "benchmark"``."""

    run: ClassVar[Literal["benchmark"]] = "benchmark"
    name: str
    """Name of the benchmark, one of BENCHMARKS."""
    settings: Settings

    @property
    def target(self) -> str:
        """The folder of the benchmark's report."""
        return str(self.settings.place(self.name))

    def check(self) -> None:
        """Raise UsageError for a benchmark that does not exist."""
        if self.name not in BENCHMARKS:
            raise UsageError(f"there is no benchmark {self.name!r}; known: {', '.join(BENCHMARKS)}")


@dataclass(frozen=True)
class WatchStage:
    """A stage that follows the scored dates of one place: ``run = "watch"``."""

    run: ClassVar[Literal["watch"]] = "watch"
    scene: tuple[str, ...]
    """Folders of reports, such as the ``out`` of a score above."""
    request: WatchRequest

    @property
    def target(self) -> str:
        """The folder of the alerts."""
        return str(self.request.place(self.scene[0]))

    def check(self) -> None:
        """Check nothing: the request was checked when it was made."""


WholeStage = FitStage | CalibrateStage | BenchmarkStage | WatchStage
"""A stage that is one task of one worker; a score has a task for each scene."""
Stage = WholeStage | ScoreStage


@dataclass(frozen=True)
class Pipeline:
    """A checked declaration. Its options are the keys at the top of the TOML, some of them options of ``specvae run``."""

    name: str = option(
        "", Option("Call the pipeline so in its reports. [default: the file's name]", on_command_line=False)
    )
    """What the summary is headed with; the TOML's file name by default."""
    root: str = option(
        "", Option("Start relative paths from this folder. [default: the TOML's]", on_command_line=False)
    )
    """Absolute; in the TOML relative to its folder, which it is by default."""
    out: str = option(
        "", Option("Write the run's own files to this folder. [default: the first score's]", on_command_line=False)
    )
    """Where run.json, index.html, the log and the metrics go: the first score's ``out`` by default."""
    jobs: int = option(
        1, Option("Work in so many processes. [default: the TOML's, else 1]", metavar="N", range=Range(1, 1024))
    )
    """Worker processes on this machine."""
    cluster: str | None = option(
        None,
        Option(
            "Work on the cluster of a Dask scheduler at tcp://host:8786; local:4 starts four workers here.",
            metavar="ADDRESS",
        ),
    )
    """Address of a scheduler whose workers do the stages; None: this machine's processes."""
    retries: int = option(2, Option("Try again so often what may pass. [default: 2]", metavar="N", range=Range(0, 100)))
    """How often a task that failed for a passing reason is tried again."""
    max_memory: str | None = option(
        None,
        Option(
            "Keep the working memory of all processes together below this size, such as 400M or 2G.", metavar="SIZE"
        ),
    )
    """Bound of the working buffers of all processes together; None: each stage's own."""
    fail_when_empty: bool = option(False, Option("Fail where a glob or folder of scenes is empty.", in_toml=True))
    """Whether a score without a scene fails; by default it is a quiet night, with a word."""
    heartbeat: str | None = option(
        None, Option("Touch this file once a second while work goes on.", metavar="FILE", is_path=True)
    )
    """A file whose time tells a scheduler that the run still looks after its workers; None: no such file."""
    max_seconds_per_scene: float | None = option(
        None, Option("Fail a scene that takes longer.", metavar="SECONDS", range=Range(0, low_open=True))
    )
    """Seconds that one scene may take, each shard of a giant one by itself; a scene over the limit is failed."""
    shard_rows: int | None = option(
        None, Option("Split scenes and watched places over the processes, N rows each.", metavar="N", range=Range(64))
    )
    """Rows of a shard: a scene that has more is scored in several. None: only files of a gigabyte and more on a cluster."""
    stage: tuple[Stage, ...] = ()
    """The stages, in the order in which they are carried out."""

    @property
    def scores(self) -> list[ScoreStage]:
        """The stages that score scenes, in their order."""
        return [stage for stage in self.stage if isinstance(stage, ScoreStage)]

    @property
    def filled(self) -> set[str]:
        """The folders that scores and watches fill: a watch writes into one beside its dates."""
        watched = {str(Path(stage.target).parent) for stage in self.stage if isinstance(stage, WatchStage)}
        return {stage.target for stage in self.scores} | watched
