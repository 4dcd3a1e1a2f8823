"""The time of a cube of an HDF5 or NetCDF file, by a coordinate of one step in the units of CF, such as ``days since``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from specvae.ingest.formats.arrays.tree import Tree

__all__ = ["time_of", "time_since"]

SINCE = re.compile(
    r"^\s*(day|hour|hr|minute|min|second|sec|s|d|h)s?\s+since\s+(\d{1,4}-\d{1,2}-\d{1,2})(?:[T\s]+([\d:]+))?", re.I
)
"""A unit of time with its epoch."""
SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
"""Seconds in a unit, by its first letter."""
CALENDARS = ("", "gregorian", "standard", "proleptic_gregorian")
"""Calendars whose days are those of today."""


def time_of(tree: Tree) -> str | None:
    """The time of the only step of a file's time axis, ISO 8601; None where there is none or where it has several."""
    for node in tree.arrays.values():
        values = tree.small.get(node.name)
        if values is not None and values.size == 1 and node.real and SINCE.match(str(node.attrs.get("units", ""))):
            return time_since(float(values.reshape(-1)[0]), node.attrs)
    return None


def time_since(value: float, attributes: Mapping[str, object]) -> str | None:
    """A number in the unit and calendar that the attributes state, ISO 8601; None where they state no usual one.

    Examples
    --------
    >>> time_since(19553.5, {"units": "days since 1970-01-01"})
    '2023-07-15T12:00:00Z'
    """
    hit = SINCE.match(str(attributes.get("units", "")))
    if hit is None or str(attributes.get("calendar", "")).casefold() not in CALENDARS:
        return None
    year, month, day = (int(part) for part in hit.group(2).split("-"))
    hour, minute, second, *_ = [*(int(part) for part in (hit.group(3) or "0").split(":") if part), 0, 0, 0]
    try:
        epoch = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        time = epoch + timedelta(seconds=value * SECONDS[hit.group(1)[0].casefold()])
    except (ValueError, OverflowError):
        return None
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
