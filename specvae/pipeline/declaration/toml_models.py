"""Models of a TOML's tables, made from the fields of the stages' requests; pydantic checks a tree against them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from specvae.option import Declared, Range, options_of
from specvae.pipeline.declaration.stages import Pipeline
from specvae.stages.requests import CalibrateRequest, FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.watch.request import WatchRequest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["PIPELINE", "STAGES", "StageTable"]


def _several(value: object) -> tuple[object, ...]:
    """A value as a tuple: one name or number alone is taken as a list of one."""
    # Numbers become text, as on the command line: `nodata = [0, 255]`. A truth value stays, for pydantic to refuse.
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(str(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for v in several)


def _text(value: object) -> object:
    """A number or a truth value as its text, as the command line has it; anything else unchanged."""
    return str(value) if isinstance(value, int | float) else value


Sources = Annotated[tuple[str, ...], BeforeValidator(_several), Field(min_length=1)]


class _Table(BaseModel):
    # A key that is not known is most often a misspelt one: ignored, it would leave a default in its place.
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageTable(_Table):
    """One ``[[stage]]``; each kind has a model of its own, with the keys that its request's options are."""

    run: str


class _BenchmarkTable(StageTable):
    run: Literal["benchmark"]
    name: str
    data: str | None = None
    out: str | None = None
    seeds: int | None = Field(default=None, ge=1, le=100)
    quick: bool = False
    presets: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    epochs: int | None = Field(default=None, ge=1)
    device: str = "auto"
    size: tuple[int, ...] = ()
    bands: int | None = Field(default=None, ge=1)
    dtype: str | None = None


def _keys(request: type[DataclassInstance], command: str) -> dict[str, Any]:
    """Annotation and constraints of each key, as ``create_model`` takes them."""
    chosen = [declared for declared in options_of(request, command) if declared.option.in_toml]
    return {declared.name: (_annotation(declared), _constraint(declared)) for declared in chosen}


def _annotation(declared: Declared) -> Any:
    # Annotations are made here, at run time, and a type checker sees none of them: hence Any.
    choices = declared.option.choices
    kind: Any = Literal.__getitem__(choices) if choices else declared.type
    if declared.several:
        return Annotated[tuple[kind, ...], BeforeValidator(_several)]
    kind = kind | None if declared.optional else kind
    return Annotated[kind, BeforeValidator(_text)] if declared.option.number_as_text else kind


def _constraint(declared: Declared) -> Any:
    limits = declared.option.range or Range()
    return Field(
        default=declared.default,
        gt=limits.low if limits.low_open else None,
        ge=None if limits.low_open else limits.low,
        lt=limits.high if limits.high_open else None,
        le=None if limits.high_open else limits.high,
    )


def _stage_table(kind: str, sources: str, request: type[DataclassInstance]) -> type[StageTable]:
    run: Any = Literal.__getitem__(kind)
    named: dict[str, Any] = {"run": (run, ...), sources: (Sources, ...)}
    return create_model(f"{kind.title()}Table", __base__=StageTable, **named, **_keys(request, kind))


STAGES: dict[str, type[StageTable]] = {
    "fit": _stage_table("fit", "source", FitRequest),
    "calibrate": _stage_table("calibrate", "source", CalibrateRequest),
    "score": _stage_table("score", "scene", ScoreRequest),
    "watch": _stage_table("watch", "scene", WatchRequest),
    "benchmark": _BenchmarkTable,
}
"""The model of each kind of stage."""


class _Top(_Table):
    if TYPE_CHECKING:  # its own annotation, a union of all kinds, is made below
        stage: tuple[StageTable, ...]


def _pipeline_table() -> type[_Top]:
    # Discriminated by `run`: a mistake is then one of its own kind of stage, not of all five.
    union: Any = Union.__getitem__(tuple(STAGES.values()))
    stages = tuple[Annotated[union, Field(discriminator="run")], ...]
    more: dict[str, Any] = {**_keys(Pipeline, "pipeline"), "stage": (stages, Field(min_length=1))}
    return create_model("PipelineTable", __base__=_Top, **more)


PIPELINE = _pipeline_table()
"""The model of the TOML, all of its stages included."""
