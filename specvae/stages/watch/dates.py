"""The scored dates of a place: its finished score folders in the order of their dates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from specvae.alerts.normal_scores import PValueCurve
from specvae.errors import InputError
from specvae.export.contents import ITEM, REPORT, SCORE
from specvae.files.json_files import read_json
from specvae.stages.acquisition import moment_of

__all__ = ["UNUSABLE", "ScoredDate", "scored_dates"]

UNUSABLE = "do-not-use"
"""Verdict of dates whose looks are left out. Those of dates that call for caution count: a fire over a part of the scene calls
for it too, and what a night does to all of its pixels is taken out."""


@dataclass(frozen=True)
class ScoredDate:
    """One finished score folder of a place."""

    folder: Path
    key: str
    moment: str
    """Date and, where known, time of the acquisition, ISO 8601: the order of the looks."""
    verdict: str | None
    model: str
    """SHA-256 of the model that scored."""

    @property
    def day(self) -> int:
        """Days since 1970-01-01."""
        return (date.fromisoformat(self.moment[:10]) - date(1970, 1, 1)).days

    @property
    def usable(self) -> bool:
        """Whether its looks count: its verdict is not do-not-use."""
        return self.verdict != UNUSABLE

    @property
    def scores(self) -> Path:
        """Its map of scores."""
        return self.folder / SCORE.name

    def curve(self) -> PValueCurve:
        """The p-value of its scores. Raises InputError where the folder was scored before reports held it."""
        report = read_json(self.folder / REPORT.name)
        try:
            return PValueCurve.of(report.get("p_values") or {})
        except (ValueError, TypeError, AttributeError):
            raise InputError(
                f"{self.folder}/{REPORT.name} has no p_values, which alerts rest on; score the date again with this version"
            ) from None

    def scene(self) -> str:
        """Path of the scene that was scored."""
        return str(read_json(self.folder / REPORT.name).get("scene", {}).get("path", ""))


def scored_dates(reports: Sequence[str], since: str | None) -> list[ScoredDate]:
    """The dates in folders of reports, by date and then by name.

    Raises InputError where there is none, or one states no date.
    """
    dates: dict[Path, ScoredDate] = {}
    for place in reports:
        if not Path(place).is_dir():
            raise InputError(f"{place} is no folder; give the folder that `specvae score --out` wrote")
        for folder in _finished(Path(place)):
            scored = _scored(folder)
            if scored is not None and (since is None or scored.moment[:10] >= since):
                dates[folder.resolve()] = scored
    if not dates:
        later = f" since {since}" if since else ""
        raise InputError(
            f"{', '.join(reports)}: no scored date{later} was found; score scenes into it with `specvae score`"
        )
    return sorted(dates.values(), key=lambda scored: (scored.moment, scored.key))


def _finished(place: Path) -> list[Path]:
    """Folders with an item below a place, without those that are being written."""
    folders = []
    for here, names, files in os.walk(place):
        names[:] = sorted(name for name in names if not name.startswith("."))
        if ITEM.name in files:
            folders.append(Path(here))
    return folders


def _scored(folder: Path) -> ScoredDate | None:
    """The date in a folder; None where it is no scored raster."""
    properties = read_json(folder / ITEM.name).get("properties", {})
    mark = properties.get("specvae:fingerprint")
    if not mark or not (folder / SCORE.name).is_file():
        return None
    key, moment = str(properties.get("specvae:key", folder.name)), moment_of(properties)
    if moment is None:
        raise InputError(
            f"{folder} has no date: neither its scene states one nor its name holds one as 20260714; rename the scene, or "
            "leave the folder out"
        )
    # That on drift alone: a rate that was never tested does not make a date's looks worthless.
    verdict = properties.get("specvae:drift_verdict", properties.get("specvae:verdict"))
    return ScoredDate(
        folder,
        key,
        moment,
        verdict,
        str(mark.get("model", "")),
    )
