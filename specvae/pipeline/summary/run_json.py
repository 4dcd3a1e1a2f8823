"""The content of ``run.json``: the types of its records, which the page and the metrics are made from too."""

from __future__ import annotations

from typing import Any, NotRequired, Required, TypedDict

from specvae.pipeline.summary.facts import SceneFacts, WatchFacts

__all__ = ["SCHEMA_VERSION", "AlertJson", "RunJson", "SceneJson", "StageJson"]

SCHEMA_VERSION = 1
"""Raised when a key of ``run.json`` changes its meaning or goes away."""


class SceneJson(SceneFacts, total=False):
    """One scene of a stage; the facts of :class:`SceneFacts` are there for a scene with a result."""

    key: Required[str]
    scene: Required[str]
    """Path or address of the scene."""
    folder: Required[str]
    status: Required[str]
    message: Required[str]
    seconds: Required[float]
    attempts: Required[int]


class StageJson(TypedDict):
    """One stage."""

    number: int
    run: str
    target: str
    status: str
    message: str
    seconds: float
    scenes: list[SceneJson]
    watched: NotRequired[WatchFacts]
    """Of a stage that watches."""


class AlertJson(TypedDict):
    """One scene that a person should look at."""

    key: str
    scene: str
    folder: str
    status: str
    objects: int | None
    """Number of objects, of new ones where a list of known ones was given; None where the scene has no result."""
    why: str
    date: NotRequired[str | None]
    leading: NotRequired[list[dict[str, Any]]]
    """The strongest objects, as the scene's ``report.json`` lists them."""


class RunJson(TypedDict):
    """The content of ``run.json``."""

    schema_version: int
    name: str
    pipeline: str
    started: str
    seconds: float
    version: str
    dry_run: bool
    exit_status: int
    counts: dict[str, int]
    """Scenes by status, and their ``total``."""
    alerts: list[AlertJson]
    stages: list[StageJson]
