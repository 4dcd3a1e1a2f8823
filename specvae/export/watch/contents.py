"""The registry of the files of a watched place, in the terms of :mod:`specvae.export.contents`.

``python -m specvae.export.watch.contents`` prints the table of the documentation.
"""

from __future__ import annotations

from pathlib import Path

from specvae.export.contents import COG, JSON, ResultFile, Role, When
from specvae.files.atomic import OutputFolder

__all__ = [
    "ALERTS",
    "ALERTS_GEOPACKAGE",
    "CONTENTS",
    "FRAMES",
    "ITEM",
    "MOST_OLDER",
    "PAGE",
    "STATE",
    "STATUS",
    "STATUS_STYLE",
    "checkpoint_names",
    "watch_folder",
    "watch_table",
]

BINARY = "application/octet-stream"


def _file(name: str, media_type: str, role: Role | None, title: str, holds: str) -> ResultFile:
    return ResultFile(name, None, media_type, role, title, When.ALWAYS, holds)


STATUS = _file(
    "status.tif",
    COG,
    Role.DATA,
    "0 nothing, 1 first, 2 provisional, 3 confirmed, 4 closed, 255 never seen",
    "the status of each pixel's alert: 0 nothing, 1 first, 2 provisional, 3 confirmed, 4 closed, 255 never seen",
)
STATUS_STYLE = _file("status.qml", "text/xml", None, "Style of status.tif", "style of `status.tif` for QGIS")
STATE = _file(
    "state.tif",
    COG,
    Role.DATA,
    "Evidence in nats, looks, anomalous looks, first, last and confirmed day since 1970-01-01",
    "float32: evidence in nats, clear looks, anomalous looks, first, last and confirmed day as days since 1970-01-01",
)
ALERTS_GEOPACKAGE = _file(
    "alerts.gpkg",
    "application/geopackage+sqlite3",
    Role.DATA,
    "Alerts",
    "a polygon an alert, with an `id` that lasts from night to night, its status, dates, evidence and false-alert rate",
)
ALERTS = _file(
    "alerts.json",
    JSON,
    Role.METADATA,
    "Alerts for machines",
    "the same for programs, with its schema in the package, and what is new, confirmed and closed since the date before",
)
PAGE = _file(
    "index.html",
    "text/html",
    Role.OVERVIEW,
    "Alerts to read",
    "one self-contained page: what changed, a map with a slider over dates, the alerts and the history of each",
)
FRAMES = _file("frames.npz", BINARY, None, "Small maps of each date", "small maps of each date, for the page's slider")
PAST = _file("past.bin", BINARY, None, "Checkpoint", "checkpoint: each pixel's own past after the newest date")
PIXELS = _file("pixels.npz", BINARY, None, "Checkpoint", "checkpoint: pixels of alerts after the newest date")
PAST_BEFORE = _file(
    "past_before.bin", BINARY, None, "Checkpoint", "the same after the date before, should the newest change"
)
PIXELS_BEFORE = _file("pixels_before.npz", BINARY, None, "Checkpoint", "the same after the date before")
MOST_OLDER = 6
"""Checkpoints beside those of the newest date and the one before."""
OLDER = tuple(
    _file(
        f"{name}_older_{number}.{kind}",
        BINARY,
        None,
        "Checkpoint",
        "the same after earlier dates, should one come late",
    )
    for number in range(1, MOST_OLDER + 1)
    for name, kind in (("past", "bin"), ("pixels", "npz"))
)
ITEM = _file(
    "watch.json",
    "application/geo+json",
    None,
    "STAC item",
    "a STAC item, written last: where it stands, the folder is whole; the dates, what was left out, the checked assumption",
)
CONTENTS = (
    STATUS,
    STATUS_STYLE,
    STATE,
    ALERTS_GEOPACKAGE,
    ALERTS,
    PAGE,
    FRAMES,
    PAST,
    PIXELS,
    PAST_BEFORE,
    PIXELS_BEFORE,
    *OLDER,
    ITEM,
)
"""All files, in the order of the documentation's table, which names the first of the older checkpoints alone."""
HEADER = ("file", "what it holds")


def checkpoint_names(number: int) -> tuple[str, str]:
    """The two files of a checkpoint: 0 is that after the newest date, 1 after the one before, then older ones, the newest first."""
    files = (PAST, PIXELS, PAST_BEFORE, PIXELS_BEFORE, *OLDER)
    return files[2 * number].name, files[2 * number + 1].name


def watch_folder(place: Path) -> OutputFolder:
    """The folder on its way: ``watch.json`` is moved last, and older files of this list are swept away."""
    return OutputFolder(place, ITEM.name, frozenset(file.name for file in CONTENTS))


def watch_table() -> str:
    """The table of the documentation, in Markdown."""
    shown = [file for file in CONTENTS if file not in OLDER[2:]]
    rows = [HEADER, ("---",) * len(HEADER), *((f"`{file.name}`", file.holds) for file in shown)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    print(watch_table())
