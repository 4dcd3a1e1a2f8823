"""The stage ``watch``: score folders of one place in, its alerts over nights out, everything whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specvae.errors import InputError, OutputError
from specvae.export.contents import COLLECTION
from specvae.export.watch.alert_rows import alert_rows, write_alerts
from specvae.export.watch.alerts_json import AlertsJson, WatchedDates, alerts_json
from specvae.export.watch.contents import ALERTS, ITEM, PAGE, watch_folder
from specvae.export.watch.item import watch_item
from specvae.export.watch.maps import write_maps
from specvae.export.watch.page import render_watch_page
from specvae.files.json_files import finite, read_json, write_json
from specvae.files.replacement import Replacement, replacement
from specvae.files.store import is_unsent, store_of
from specvae.files.store_address import refuse_store
from specvae.ingest.aligned_rows import grid_of
from specvae.stages.watch.dates import ScoredDate, scored_dates
from specvae.stages.watch.page import watch_page
from specvae.stages.watch.request import WatchRequest
from specvae.stages.watch.series import STATE_VERSION, DateRecord, Series, records_of, walk
from specvae.stages.watch.shards import SharedRows

__all__ = ["WatchOutcome", "watch"]

Progress = Callable[[int, int], None]
"""Called with the number of dates that are done, and of all."""
THREADS = 2
"""Threads that compress the maps."""


@dataclass(frozen=True)
class WatchOutcome:
    """What became of a place."""

    folder: Path
    status: str
    """``done``, or ``already``: the same dates and settings, nothing touched."""
    alerts: AlertsJson | dict[str, Any]
    """The content of ``alerts.json``."""
    untrusted: bool
    """Whether the newest date's verdict is do-not-use."""
    strict: bool = False
    computed: int = 0
    """Dates that were computed."""
    warnings: tuple[str, ...] = field(default=())

    @property
    def exit_status(self) -> int:
        """0, or 5 with ``strict`` where the newest date is not to be used."""
        return 5 if self.strict and self.untrusted else 0

    @property
    def line(self) -> str:
        """The one line that says what changed."""
        return line_of(self.alerts)


def line_of(alerts: Mapping[str, Any]) -> str:
    """The one line that says what changed at a place, of the content of its alerts.json."""
    counts, before = alerts["counts"], alerts["dates"]["before"]
    since = f"since {before[:10]}" if before else f"on {alerts['dates']['newest'][:10]}, the first date"
    changes = f"{counts['new']} new, {counts['confirmed']} confirmed, {counts['closed']} closed"
    return f"{alerts['place']}: {changes} {since}; {counts['open']} open"


def watch(
    reports: Sequence[str],
    request: WatchRequest,
    progress: Progress | None = None,
    shared: SharedRows | None = None,
) -> WatchOutcome:
    """Read the scored dates of one place in their order and write its alerts.

    ``shared``: how rows are shared out among processes that see the same files; None: all are computed here.

    Raises InputError where there is no date or one cannot be used, and OutputError where a result of other settings stands
    there and neither ``overwrite`` nor ``renew`` is given. Dates that came, changed or went away since are no other settings:
    they are taken in.
    """
    for path in reports:
        refuse_store(Path(path))
    dates, folder = scored_dates(reports, request.since), request.place(reports[0])
    store = store_of(request.out) if request.out else None
    if store is not None:
        store.pull_whole()
    records, item = records_of(dates), read_json(folder / ITEM.name)
    stored: dict[str, Any] = item.get("properties", {})
    todo = _todo(request, folder, stored, records)
    if store is not None and not todo and not request.dry_run and is_unsent(store.address, folder):
        store.push(".", empty=False)
    if not todo or request.dry_run:
        return _outcome(folder, "done" if todo else "already", read_json(folder / ALERTS.name), dates, request)
    grid = grid_of(dates[0].scores)
    with watch_folder(folder) as work:
        series = walk(dates, grid, request, folder, stored, records, work.path, progress, shared)
        alerts = _write(work.path, series, Path(reports[0]).resolve().name, request, records)
        work.commit()
    if store is not None:
        store.push(".", empty=False)
    _list_in_collection(Path(reports[0]))
    return _outcome(folder, "done", dict(alerts), dates, request, series)


def _todo(request: WatchRequest, folder: Path, stored: dict[str, Any], records: list[DateRecord]) -> bool:
    """Whether there is something to compute. Raises OutputError where other settings made what stands there."""
    settings = stored.get("specvae:settings")

    def unchanged() -> bool:
        alike = settings == request.settings() and stored.get("specvae:state_version") == STATE_VERSION
        return alike and stored.get("specvae:dates") == records

    # Another date is news and no other result: only other settings ask for a word of the user.
    renew = request.renew or settings == request.settings()
    what = replacement(bool(stored), unchanged, overwrite=request.overwrite, renew=renew)
    if what is Replacement.REFUSE:
        raise OutputError(f"{folder} holds alerts of other settings ({settings}); give --overwrite or another --out")
    return what is Replacement.MAKE


def _write(work: Path, series: Series, name: str, request: WatchRequest, records: list[DateRecord]) -> AlertsJson:
    """Write everything beside the checkpoints; the content of alerts.json."""
    place, grid, dates = series.place, series.grid, series.dates
    bands = write_maps(work, grid, place, THREADS)
    rows = alert_rows(place, grid)
    write_alerts(work, rows, dates[-1].moment[:10])
    about: WatchedDates = {
        "newest": dates[-1].moment,
        "before": dates[-2].moment if len(dates) > 1 else None,
        "count": len(dates),
        "left_out": [scored.key for scored in dates if not scored.usable],
        "warped": list(series.warped),
    }
    alerts = finite(alerts_json(name, place, rows, about, request.settings(), series.needed))
    write_json(work / ALERTS.name, alerts)
    (work / PAGE.name).write_text(render_watch_page(alerts, watch_page(series), line_of(alerts)), encoding="utf-8")
    more = {
        "specvae:state_version": STATE_VERSION,
        "specvae:settings": request.settings(),
        "specvae:dates": records,
        "specvae:warped": list(series.warped),
        "specvae:fingerprint": {"inputs": [], "model": dates[-1].model, "settings": request.settings()},
    }
    write_json(work / ITEM.name, watch_item(work, alerts, grid, bands, more))
    return alerts


def _outcome(
    folder: Path,
    status: str,
    alerts: dict[str, Any],
    dates: Sequence[ScoredDate],
    request: WatchRequest,
    series: Series | None = None,
) -> WatchOutcome:
    if not alerts and not request.dry_run:
        raise InputError(f"{folder}/{ALERTS.name} is missing or damaged; run again with --overwrite")
    newest, warped = dates[-1], series.warped if series else ()
    warnings = [f"{newest.key}: its verdict is do-not-use, so that its looks are left out of the evidence"]
    warnings = warnings if not newest.usable else []
    warnings += [
        f"{key}: its grid is no whole-pixel shift of the first date's, so that it was warped" for key in warped
    ]
    computed = series.computed if series else 0
    return WatchOutcome(folder, status, alerts, not newest.usable, request.strict, computed, tuple(warnings))


def _list_in_collection(reports: Path) -> None:
    """Name the alerts in the STAC collection of the dates, where there is one."""
    from specvae.export.stac import write_collection

    if (reports / COLLECTION).is_file():
        write_collection(reports, reports.resolve().name)
