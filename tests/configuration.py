"""The tables of ``docs/reference/configuration.md``, made from the fields: ``python -m tests.configuration --write``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from specvae.ingest.options import IngestOptions
from specvae.model.config import ModelConfig
from specvae.model.units import Unit
from specvae.option import Declared, options_of
from specvae.pipeline.declaration.stages import Pipeline
from specvae.stages.requests import CalibrateRequest, FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.watch.request import WatchRequest

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"
BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
STAGES = {
    "fit": FitRequest,
    "calibrate": CalibrateRequest,
    "score": ScoreRequest,
    "watch": WatchRequest,
}


def tables() -> str:
    """All tables, as the page has them."""
    pieces = ["## Settings of a model", table("key", settings(ModelConfig))]
    pieces += ["## Keys of a pipeline", "At the top of the file:", table("key", options(Pipeline, ""))]
    reading = {declared.name for declared in options_of(IngestOptions)}
    pieces += [
        "In a stage, how its sources are read; which of them a stage has, `specvae STAGE --help` says:",
        table("key", options(IngestOptions, "")),
    ]
    for name, request in STAGES.items():
        own = (row for row in options(request, name) if row[0].strip("`") not in reading)
        pieces += [f'In a stage `run = "{name}"`:', table("key", own)]
    return "\n\n".join(pieces)


def table(first: str, rows: Iterator[tuple[str, str, str, str, str]]) -> str:
    """A table in Markdown."""
    head = f"| {first} | type | default | unit | meaning |\n|---|---|---|---|---|"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)])


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str, str, str]]:
    """A row for each setting, by its dotted key."""
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings(kind, f"{prefix}{name}.")
            continue
        assert info.description, f"{prefix}{name} has no description"
        unit = next(iter(units(kind)), None) or next((m for m in info.metadata if isinstance(m, Unit)), None)
        about = info.description.replace("|", "\\|") + bounds(info)
        yield (f"`{prefix}{name}`", words(kind), shown(info.default), unit.name if unit else "", about)


def units(kind: Any) -> Iterator[Unit]:
    """The unit in an annotation, wherever it stands."""
    for inner in (*getattr(kind, "__metadata__", ()), *get_args(kind)):
        if isinstance(inner, Unit):
            yield inner
        else:
            yield from units(inner)


def bounds(info: FieldInfo) -> str:
    """The smallest and largest value, in words; empty where there are none."""
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [
        f"{words} {getattr(m, sign):g}" for m in info.metadata for sign, words in signs.items() if hasattr(m, sign)
    ]
    return f" {', '.join(limits).capitalize()}." if limits else ""


def words(kind: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return words(inner[0])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin in (Union, UnionType):
        return " or ".join(words(one) for one in inner)
    if origin is tuple:
        return f"list of {words(inner[0])}" if inner[-1] is Ellipsis else f"{len(inner)} of {words(inner[0])}"
    return {"NoneType": "none", "str": "text", "int": "integer", "float": "number", "bool": "true or false"}[
        kind.__name__
    ]


def shown(default: Any) -> str:
    """A default as TOML has it; none where nothing is set."""
    if default in (None, (), ""):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return f"`{list(default) if isinstance(default, tuple) else default}`"


def options(request: Any, stage: str) -> Iterator[tuple[str, str, str, str, str]]:
    """A row for each key that a pipeline takes."""
    for declared in options_of(request, stage):
        if declared.option.in_toml:
            yield option_row(declared)


def option_row(declared: Declared) -> tuple[str, str, str, str, str]:
    """The row of one key; its unit stands in its metavar, as NATS or SECONDS."""
    about, kind = declared.option, words(declared.type)
    kind = ", ".join(f"`{choice}`" for choice in about.choices) if about.choices else kind
    kind = f"list of {kind}" if declared.several else kind
    unit = {"NATS": "nats", "SECONDS": "seconds", "SIZE": "bytes", "R": "share, 0 to 1", "SHARE": "share, 0 to 1"}
    limits = f" In {about.range}." if about.range else ""
    return (
        f"`{declared.name}`",
        kind,
        shown(declared.default),
        unit.get(about.metavar or "", ""),
        about.help.replace("|", "\\|") + limits,
    )


def page() -> str:
    """The page with its tables made anew."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(tables())
