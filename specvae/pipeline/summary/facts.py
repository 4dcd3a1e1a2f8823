"""Facts about a scored scene for the summary of a batch, read from the scene's STAC item alone.

The item is small and is there for every finished scene, so that a batch of thousands that is done already can be summarised
without opening a single report.
"""

from __future__ import annotations

from typing import Any, TypedDict

from specvae.stages.acquisition import date_of

__all__ = ["SceneFacts", "WatchFacts", "facts_of"]


class SceneFacts(TypedDict, total=False):
    """Facts about one scored scene, None where unknown; a scene that was not scored has none of the keys."""

    verdict: str | None
    """``ok``, ``caution`` or ``do-not-use``: drift, rate, contamination and extent together."""
    reasons: list[str] | None
    """What the verdict rests on, in words."""
    cut: float | None
    """Nats above which a pixel or row is anomalous."""
    cut_method: str | None
    """How the cut was taken: ``empirical``, ``pareto``, ``model-based``, ``maximum``, ``none`` or ``given``."""
    asked_rate: float | None
    """The false-alarm rate that was asked for; None where a cut was."""
    rate: float | None
    """The false-alarm rate that the cut stands for; None where none stands behind it."""
    rate_interval: list[float] | None
    """90 % interval of that rate."""
    expected: list[float] | None
    """False alarms that are expected if all is normal, and the ends of their 90 % interval where it is known."""
    contaminated: bool | None
    """Whether the normal data of the model hold anomalies themselves."""
    model_based: bool | None
    """Whether the cut rests on a law fitted to the bulk of the scores, and no rate was measured."""
    total: int | None
    """Pixels or rows."""
    invalid_by_reason: dict[str, int] | None
    """Pixels or rows that were not scored, by why."""
    valid: int | None
    """Valid pixels or rows."""
    anomalous: int | None
    """Valid pixels or rows above the threshold."""
    objects: int | None
    new_objects: int | None
    """Objects that a list of known ones does not hold; None where no list was given."""
    drift: float | None
    """Signed distance of the scores from those of the fit."""
    pixel_area_m2: float | None
    supported: bool | None
    """Whether the calibration supports the false-alarm rate."""
    date: str | None
    """``YYYY-MM-DD`` of the acquisition, or as the file name has it."""
    warnings: list[str] | None
    """What a reader must know, a sentence each."""
    files: dict[str, str] | None
    """The result's files, by the name of their asset in the item: ``report.html`` is ``report``."""


class WatchFacts(TypedDict):
    """Facts about a watched place."""

    place: str
    newest: str
    """The newest date, ISO 8601."""
    alerts: dict[str, int]
    """``open``, and ``new``, ``confirmed`` and ``closed`` since the date before."""
    untrusted: bool
    """Whether the newest date's verdict is do-not-use."""


def facts_of(item: dict[str, Any], folder: str = "") -> SceneFacts:
    """The facts that the STAC item of a scene's ``folder`` states; None for each that it does not."""
    properties = item.get("properties", {})
    return {
        "verdict": properties.get("specvae:verdict"),
        "reasons": properties.get("specvae:reasons"),
        "cut": properties.get("specvae:cut"),
        "cut_method": properties.get("specvae:cut_method"),
        "asked_rate": properties.get("specvae:asked_rate"),
        "rate": properties.get("specvae:rate"),
        "rate_interval": properties.get("specvae:rate_interval"),
        "expected": properties.get("specvae:expected"),
        "contaminated": properties.get("specvae:contaminated"),
        "model_based": properties.get("specvae:model_based"),
        "total": properties.get("specvae:total"),
        "invalid_by_reason": properties.get("specvae:invalid_by_reason"),
        "valid": properties.get("specvae:valid"),
        "anomalous": properties.get("specvae:anomalous"),
        "objects": properties.get("specvae:objects"),
        "new_objects": properties.get("specvae:new_objects"),
        "drift": properties.get("specvae:drift"),
        "pixel_area_m2": properties.get("specvae:pixel_area_m2"),
        "supported": properties.get("specvae:supported"),
        "date": date_of(properties),
        "warnings": properties.get("specvae:warnings"),
        "files": _files(item, folder),
    }


def _files(item: dict[str, Any], folder: str) -> dict[str, str] | None:
    """The paths of the item's assets, which lie in its folder."""
    assets = item.get("assets", {})
    at = f"{folder.rstrip('/')}/" if folder else ""
    return {key: at + asset["href"].removeprefix("./") for key, asset in assets.items()} if assets else None
