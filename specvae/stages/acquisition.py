"""When a scene was acquired, by the STAC item of its result: light to import, for those who only summarise."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["date_of", "moment_of"]

DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?!\d)")
"""A calendar date in a file name, as in ``S2_20240131`` or ``2024-01-31``; longer digit runs are no dates."""


def date_of(properties: dict[str, Any]) -> str | None:
    """The date ``YYYY-MM-DD`` that a STAC item's scene states, else one in its key; the time of scoring is no date of a scene."""
    moment = moment_of(properties)
    return moment[:10] if moment else None


def moment_of(properties: dict[str, Any]) -> str | None:
    """Date and, where its scene states it, time of the acquisition, ISO 8601; None where neither scene nor key has a date."""
    if properties.get("specvae:datetime_from") == "scene" and properties.get("datetime"):
        return str(properties["datetime"])
    match = DATE.search(str(properties.get("specvae:key", "")))
    return "-".join(match.groups()) if match else None
