"""The declaration of a pipeline: its TOML checked in full, before anything starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from specvae.benchmarks.settings import Settings
from specvae.errors import UsageError
from specvae.ingest.formats.references import is_remote
from specvae.model.config_file import read_toml
from specvae.option import build, options_of
from specvae.pipeline.declaration.mistakes import explain
from specvae.pipeline.declaration.settings import apply_settings
from specvae.pipeline.declaration.stages import (
    BenchmarkStage,
    CalibrateStage,
    FitStage,
    Pipeline,
    ScoreStage,
    Stage,
    WatchStage,
)
from specvae.pipeline.declaration.toml_models import PIPELINE, STAGES
from specvae.stages.requests import CalibrateRequest, FitRequest
from specvae.stages.score.memory import parse_size
from specvae.stages.score.request import ScoreRequest
from specvae.stages.watch.request import WatchRequest

__all__ = ["PATHS", "load_pipeline"]

PATHS = frozenset({"source", "scene", "data"}).union(
    declared.name
    for request in (FitRequest, CalibrateRequest, ScoreRequest, WatchRequest)
    for declared in options_of(request)
    if declared.option.is_path
)
"""Keys that name files: relative ones are meant from the pipeline's root."""


def load_pipeline(path: str | Path, settings: tuple[str, ...] = (), **overrides: object) -> Pipeline:
    """The checked declaration, all paths absolute. ``overrides`` that are None change nothing.

    Raises UsageError naming the file, the line where a search finds it, the key and the nearest known one.
    """
    path = Path(path)
    tree = read_toml(path)
    apply_settings(tree, settings)
    # The command line has the last word, after --set and the file.
    tree |= {key: value for key, value in overrides.items() if value is not None}
    try:
        table = PIPELINE.model_validate(tree)
    except ValidationError as error:
        raise UsageError(explain(error, path, tree, {**STAGES, "": PIPELINE})) from None
    top = table.model_dump(exclude={"stage"})
    root = os.path.abspath(os.path.join(path.parent, os.path.expanduser(top["root"])))
    stages = _stages([_absolute(stage.model_dump(), root) for stage in table.stage], path)
    parse_size(top["max_memory"])  # for its UsageError: a size is wrong now, and not at the first score an hour later
    _refuse_shared_targets(stages, path)
    scores = [stage.target for stage in stages if isinstance(stage, ScoreStage)]
    out = _join(root, top["out"]) if top["out"] else next(iter(scores), os.path.join(root, "reports", path.stem))
    if top["heartbeat"]:
        top["heartbeat"] = _join(root, top["heartbeat"])
    return Pipeline(**top | {"name": top["name"] or path.stem, "root": root, "out": out, "stage": stages})


def _absolute(keys: Mapping[str, Any], root: str) -> dict[str, Any]:
    """The keys of a stage with absolute paths; an ``out`` that is made by default is placed below the root as well."""
    placed = dict(keys)
    if placed["run"] == "benchmark" and placed["out"] is None:
        placed["out"] = str(Settings().place(placed["name"]))
    if placed["run"] == "calibrate" and placed["out"] is None:
        placed["out"] = CalibrateRequest(model=placed["model"]).target
    for key in PATHS & placed.keys():
        value = placed[key]
        if isinstance(value, tuple):
            placed[key] = tuple(_join(root, v) for v in value)
        elif isinstance(value, str) and not (key == "truth" and _column(root, value)):
            placed[key] = _join(root, value)
    return placed


def _join(root: str, path: str) -> str:
    # GDAL's own names are no paths to join: URLs, /vsi..., and prefixes such as NETCDF: or HDF5:. A drive letter is one
    # capital with a colon too, and os.path.join would leave such a path as it is anyway.
    driver, colon, _ = path.partition(":")
    if is_remote(path) or path.startswith("/vsi") or (colon and driver.isupper()):
        return path
    return os.path.normpath(os.path.join(root, os.path.expanduser(path)))


def _column(root: str, truth: str) -> bool:
    """Whether a truth is a column's name rather than a file's."""
    # `truth` is either; only a name without ending, folder and {stem} that no file has can be a column.
    plain = not os.path.splitext(truth)[1] and "/" not in truth and "{" not in truth
    return plain and not os.path.exists(os.path.join(root, truth))


def _stages(tables: list[dict[str, Any]], path: Path) -> tuple[Stage, ...]:
    """The stages with their requests. Raises UsageError that names the stage whose settings nothing could start with."""
    stages = []
    for number, keys in enumerate(tables, start=1):
        kind = str(keys.pop("run"))
        try:
            stage = _stage(kind, keys)
            stage.check()
        except UsageError as error:
            raise UsageError(f"{path}: stage {number} ({kind}): {error}") from None
        stages.append(stage)
    return tuple(stages)


def _stage(kind: str, keys: dict[str, Any]) -> Stage:
    if kind == "fit":
        return FitStage(keys.pop("source"), build(FitRequest, keys))
    if kind == "calibrate":
        return CalibrateStage(keys.pop("source"), build(CalibrateRequest, keys))
    if kind == "score":
        return ScoreStage(keys.pop("scene"), build(ScoreRequest, keys))
    if kind == "watch":
        return WatchStage(keys.pop("scene"), build(WatchRequest, keys))
    name, sizes = keys.pop("name"), keys.pop("size")
    places = {key: Path(keys.pop(key)) for key in ("data", "out") if keys[key]}
    return BenchmarkStage(name, Settings(**keys | places, sizes=sizes))


def _refuse_shared_targets(stages: tuple[Stage, ...], path: Path) -> None:
    # A stage takes what another one has written there for its own, made otherwise: the two would renew it in turns.
    places = [stage.target for stage in stages]
    for place in places:
        if places.count(place) > 1:
            both = [str(i) for i, other in enumerate(places, start=1) if other == place]
            raise UsageError(f"{path}: stages {' and '.join(both)} all write {place}; give each its own")
