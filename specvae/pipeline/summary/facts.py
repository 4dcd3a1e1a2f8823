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
    contaminated: bool | None
    """Whether the normal data of the model hold anomalies themselves."""
    model_based: bool | None
    """Whether the cut rests on a law fitted to the bulk of the scores, and no rate was measured."""
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


class WatchFacts(TypedDict):
    """Facts about a watched place."""

    place: str
    newest: str
    """The newest date, ISO 8601."""
    alerts: dict[str, int]
    """``open``, and ``new``, ``confirmed`` and ``closed`` since the date before."""
    untrusted: bool
    """Whether the newest date's verdict is do-not-use."""


def facts_of(item: dict[str, Any]) -> SceneFacts:
    """The facts that a STAC item states; None for each that it does not."""
    properties = item.get("properties", {})
    return {
        "verdict": properties.get("specvae:verdict"),
        "reasons": properties.get("specvae:reasons"),
        "contaminated": properties.get("specvae:contaminated"),
        "model_based": properties.get("specvae:model_based"),
        "valid": properties.get("specvae:valid"),
        "anomalous": properties.get("specvae:anomalous"),
        "objects": properties.get("specvae:objects"),
        "new_objects": properties.get("specvae:new_objects"),
        "drift": properties.get("specvae:drift"),
        "pixel_area_m2": properties.get("specvae:pixel_area_m2"),
        "supported": properties.get("specvae:supported"),
        "date": date_of(properties),
    }
