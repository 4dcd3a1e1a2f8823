"""When a scene was taken: by the tags that say so, else a date in its name, else the date of its file."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from specvae.ingest.decision import Decision

__all__ = ["acquired", "time_decision"]

ACQUISITION_KEYS = (
    "ACQUISITION_DATETIME",
    "ACQUISITIONDATETIME",
    "SENSING_TIME",
    "DATE_ACQUIRED",
    "ACQUISITION_DATE",
    "ACQUISITION_TIME",
    "ISODATE",
    "START_TIME",
    "PRODUCT_START_TIME",
    "TIME_COVERAGE_START",
    "NC_GLOBAL#TIME_COVERAGE_START",
)
"""Tags that hold the time of acquisition, the most trusted first."""
FILE_KEYS = ("TIFFTAG_DATETIME", "DATETIME", "DATE")
"""Tags that hold the time of acquisition or that of writing, which programs set without a word on which it is."""
STAMP = re.compile(
    r"(?<!\d)((?:19[7-9]|20\d)\d)[-:_/]?(0[1-9]|1[0-2])[-:_/]?(0[1-9]|[12]\d|3[01])"
    r"(?:[T\s_]?([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d))?)?(?!\d)"
)
"""A date from 1970 on, with or without separators and a time, that is no part of a longer number."""
DAY_OF_YEAR = re.compile(
    r"(?:(?<=[._A])|(?<=[._]doy)|(?<=L[COTEM]\d\d{6}))((?:19[7-9]|20\d)\d)(00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])"
    r"(?:T([01]\d|2[0-3])([0-5]\d)([0-5]\d))?(?=[._A-Z])"
)
"""A year and the day in it, with or without a time, as HLS, MODIS and Landsat before its collections have them."""
OLD_SAFE = re.compile(r"_V(\d{8}T\d{6})_")
"""The start of the acquisition in a Sentinel-2 name of before 2016, which begins with the time of writing."""


def acquired(tags: dict[str, str], path: str) -> str | None:
    """When a scene was taken, ISO 8601: from its tags, else from a date in its name, else None."""
    return _acquired(tags, path)[0]


def time_decision(tags: dict[str, str], path: str) -> Decision | None:
    """What decided the time of a scene, where its tags and its name differ or only the file's date is known."""
    time, by = _acquired(tags, path)
    other = next((t for key in FILE_KEYS if (t := _stamp(_upper(tags).get(key, "")))), None)
    if time is None or other is None or other[:10] == time[:10]:
        guess = Decision("time", time or "", f"its tag {by}, which may be that of writing", guessed=True)
        return guess if time and by in FILE_KEYS[1:] else None
    return Decision("time", time, by, (f"{other}, the date in its file, which is that of writing",))


def _acquired(tags: dict[str, str], path: str) -> tuple[str | None, str]:
    """The time, and what states it in words or as the name of a tag."""
    upper, name = _upper(tags), Path(path).name
    for key in ACQUISITION_KEYS:
        if time := _stamp(upper.get(key, "")):
            return time, f"its tag {key}"
    if time := _in_name(name):
        return time, "the date in its name"
    for key in FILE_KEYS:
        if time := _stamp(upper.get(key, "")):
            return time, key
    return None, ""


def _upper(tags: dict[str, str]) -> dict[str, str]:
    """The tags by their names in capitals."""
    return {key.upper(): value for key, value in tags.items()}


def _in_name(name: str) -> str | None:
    """The time of acquisition in a file's name, ISO 8601, or None."""
    if hit := OLD_SAFE.search(name):
        return _stamp(hit.group(1))
    if time := _stamp(name):
        return time
    if hit := DAY_OF_YEAR.search(name):
        day = date(int(hit.group(1)), 1, 1) + timedelta(days=int(hit.group(2)) - 1)
        return f"{day.isoformat()}T{hit.group(3) or '00'}:{hit.group(4) or '00'}:{hit.group(5) or '00'}Z"
    return None


def _stamp(text: str) -> str | None:
    """The first date in a text that the calendar has and that is not to come, ISO 8601, or None."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for hit in STAMP.finditer(text):
        year, month, day, hour, minute, second = hit.groups()
        time = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}Z"
        try:
            if datetime.fromisoformat(time) <= tomorrow:
                return time
        except ValueError:  # 31 February
            continue
    return None
