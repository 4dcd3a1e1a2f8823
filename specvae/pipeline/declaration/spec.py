"""The declaration of a pipeline: its TOML checked whole, before anything starts."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from specvae.benchmarks.settings import BENCHMARKS
from specvae.errors import UsageError
from specvae.ingest.formats.references import is_remote
from specvae.ingest.options import IngestOptions
from specvae.model.config_file import load_config, read_toml
from specvae.pipeline.declaration.mistakes import explain
from specvae.pipeline.declaration.settings import apply_settings
from specvae.spectra import CELL
from specvae.stages.score.memory import parse_size
from specvae.stages.score.request import ScoreRequest

__all__ = [
    "STAGES",
    "BenchmarkStage",
    "CalibrateStage",
    "FitStage",
    "Pipeline",
    "ScoreStage",
    "Stage",
    "load_pipeline",
]


def _several(value: Any) -> Any:
    """One name or number stands for a list of one."""
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(str(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for v in several)


def _text(value: Any) -> Any:
    """A number or a truth value stands for its text, as it would on the command line."""
    return str(value) if isinstance(value, int | float) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]
Sources = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]
Text = Annotated[str | None, BeforeValidator(_text)]
PATHS = ("source", "scene", "model", "out", "normal", "mask", "aoi", "truth", "known", "config", "data")
"""Keys that name files: relative ones are meant from the pipeline's root."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Stage(_Frozen):
    mask: str | None = None
    mask_values: Texts = ()
    aoi: str | None = None
    nodata: Text = None
    bands: Text = None
    allow_remote: bool = False
    allow_huge: bool = False
    grid: Text = None
    layout: Literal["auto", "bands-first", "bands-last"] = "auto"
    array: str | None = None


class _Learning(_Stage):
    """What a fit and a calibration share."""

    source: Sources
    model: str = "model.specvae"
    normal: str | None = None
    label_column: str | None = None
    normal_value: Text = None

    def arguments(self) -> dict[str, Any]:
        """Keywords of the stage's function."""
        return self.model_dump(exclude={"run"})


class FitStage(_Learning):
    """``run = "fit"``."""

    run: Literal["fit"]
    preset: str | None = None
    patch: int | None = None
    context: Literal["none", "ring", "auto"] | None = None
    trim: float | None = None
    config: str | None = None
    set: Texts = ()
    device: str = "auto"
    seed: int | None = None
    max_pixels: int | None = None

    @property
    def target(self) -> str:
        """What the stage makes."""
        return self.model

    def check(self) -> None:
        """Raise UsageError for settings that no fit could start with."""
        told = {
            "context.kind": self.context, "training.trim": self.trim, "seed": self.seed, "patch": self.patch,
            "sampling.max_pixels": self.max_pixels,
        }  # fmt: skip
        load_config(self.preset, self.config, self.set, told)
        IngestOptions(mask=self.mask, mask_values=self.mask_values, nodata=self.nodata)


class CalibrateStage(_Learning):
    """``run = "calibrate"``."""

    run: Literal["calibrate"]
    out: str | None = None

    @property
    def target(self) -> str:
        """What the stage makes."""
        return self.out or str(Path(self.model).with_suffix(".calibrated.specvae"))

    def check(self) -> None:
        """Raise UsageError for settings that no calibration could start with."""
        IngestOptions(mask=self.mask, mask_values=self.mask_values, nodata=self.nodata)


class ScoreStage(_Stage):
    """``run = "score"``."""

    run: Literal["score"]
    scene: Sources
    model: str = "model.specvae"
    out: str = "reports"
    false_alarm_rate: float | None = Field(default=None, gt=0.0, lt=1.0)
    threshold: float | None = None
    truth: str | None = None
    parts: bool = False
    pool: bool = False
    fdr: float | None = Field(default=None, gt=0.0, le=1.0)
    explain: int = Field(default=10, ge=0)
    known: str | None = None
    objects: Annotated[tuple[Literal["gpkg", "geojson", "parquet"], ...], BeforeValidator(_several)] = ("gpkg",)
    strict: bool = False
    device: str = "auto"
    max_memory: str | None = None

    @property
    def target(self) -> str:
        """What the stage fills."""
        return self.out

    def request(self, threads: int = 1, max_memory: str | None = None) -> ScoreRequest:
        """What each scene is asked; results made otherwise are renewed."""
        reading = {f.name for f in fields(IngestOptions)} & set(type(self).model_fields)
        told = self.model_dump(exclude={"run", "scene", "max_memory", *reading})
        ingest = IngestOptions(**{name: getattr(self, name) for name in reading})
        return ScoreRequest(ingest=ingest, renew=True, threads=threads, max_memory=max_memory, **told)

    def check(self) -> None:
        """Raise UsageError for settings that no score could start with."""
        if self.threshold is not None and self.false_alarm_rate is not None:
            raise UsageError("threshold and false_alarm_rate exclude each other; give one")
        parse_size(self.max_memory)
        self.request()


class BenchmarkStage(_Frozen):
    """``run = "benchmark"``."""

    run: Literal["benchmark"]
    name: str
    data: str | None = None
    out: str | None = None
    seeds: int | None = Field(default=None, ge=1, le=100)
    quick: bool = False
    presets: Texts = ()
    epochs: int | None = Field(default=None, ge=1)
    device: str = "auto"
    size: tuple[int, ...] = ()
    bands: int | None = Field(default=None, ge=1)
    dtype: str | None = None

    @property
    def target(self) -> str:
        """What the stage makes."""
        return self.out or os.path.join("reports", "benchmarks", self.name)

    def arguments(self) -> dict[str, Any]:
        """Keywords of the benchmark's settings, and its name."""
        return self.model_dump(exclude={"run", "size"}) | {"sizes": self.size}

    def check(self) -> None:
        """Raise UsageError for a benchmark that there is not."""
        if self.name not in BENCHMARKS:
            raise UsageError(f"there is no benchmark {self.name!r}; known: {', '.join(BENCHMARKS)}")


Stage = FitStage | CalibrateStage | ScoreStage | BenchmarkStage
STAGES: dict[str, type[Stage]] = {
    "fit": FitStage,
    "calibrate": CalibrateStage,
    "score": ScoreStage,
    "benchmark": BenchmarkStage,
}


class Pipeline(_Frozen):
    """The whole declaration."""

    name: str = ""
    root: str = ""
    """What relative paths start from; itself relative to the TOML's folder, which it is by default."""
    out: str = ""
    """Where run.json, index.html, the log and the metrics go: the first score's ``out`` by default."""
    jobs: int = Field(default=1, ge=1, le=1024)
    cluster: str | None = None
    retries: int = Field(default=2, ge=0, le=100)
    max_memory: str | None = None
    shard_rows: int | None = Field(default=None, ge=CELL)
    """A scene of more rows is scored in shards of so many; by default files of a gigabyte and more on a cluster are."""
    stage: tuple[Annotated[Stage, Field(discriminator="run")], ...] = Field(min_length=1)

    @property
    def scores(self) -> list[ScoreStage]:
        """The stages that score."""
        return [stage for stage in self.stage if isinstance(stage, ScoreStage)]


def load_pipeline(path: str | Path, settings: tuple[str, ...] = (), **overrides: Any) -> Pipeline:
    """The checked declaration, all paths absolute. ``overrides`` that are None change nothing.

    Raises UsageError naming the file, the line where a search finds it, the key and the nearest known one.
    """
    path = Path(path)
    tree = read_toml(path)
    apply_settings(tree, settings)
    tree |= {key: value for key, value in overrides.items() if value is not None}
    try:
        spec = Pipeline.model_validate(tree)
    except ValidationError as error:
        raise UsageError(explain(error, path, tree, {**STAGES, "": Pipeline})) from None
    spec = _placed(spec, path)
    _check(spec, path)
    return spec


def _placed(spec: Pipeline, path: Path) -> Pipeline:
    """The same with absolute paths, a name and a folder for the run's own files."""
    root = os.path.abspath(os.path.join(path.parent, os.path.expanduser(spec.root)))
    stages = tuple(_absolute(stage, root) for stage in spec.stage)
    name = spec.name or path.stem
    scores = [stage.out for stage in stages if isinstance(stage, ScoreStage)]
    out = _join(root, spec.out) if spec.out else next(iter(scores), os.path.join(root, "reports", path.stem))
    return spec.model_copy(update={"name": name, "root": root, "out": out, "stage": stages})


def _absolute(stage: Stage, root: str) -> Stage:
    told: dict[str, Any] = {}
    for key in PATHS:
        value = getattr(stage, key, None)
        if isinstance(value, tuple):
            told[key] = tuple(_join(root, v) for v in value)
        elif isinstance(value, str) and not (key == "truth" and _column(root, value)):
            told[key] = _join(root, value)
    if isinstance(stage, BenchmarkStage | CalibrateStage) and stage.out is None:
        told["out"] = _join(root, stage.target)
    return stage.model_copy(update=told)


def _join(root: str, path: str) -> str:
    driver, colon, _ = path.partition(":")
    if is_remote(path) or path.startswith("/vsi") or (colon and driver.isupper()):
        return path
    return os.path.normpath(os.path.join(root, os.path.expanduser(path)))


def _column(root: str, truth: str) -> bool:
    """Whether a truth is a column's name rather than a file's."""
    plain = not os.path.splitext(truth)[1] and "/" not in truth and "{" not in truth
    return plain and not os.path.exists(os.path.join(root, truth))


def _check(spec: Pipeline, path: Path) -> None:
    for number, stage in enumerate(spec.stage, start=1):
        try:
            stage.check()
        except UsageError as error:
            raise UsageError(f"{path}: stage {number} ({stage.run}): {error}") from None
    parse_size(spec.max_memory)
    places = [stage.target for stage in spec.stage]
    for place in places:
        if places.count(place) > 1:
            both = [str(i) for i, other in enumerate(places, start=1) if other == place]
            raise UsageError(f"{path}: stages {' and '.join(both)} all write {place}; give each its own")
