"""What the page of a watched place shows: frames, and of the strongest alerts where they lie, their history and their spectra."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from specvae.alerts.pixels import shown
from specvae.alerts.place import Place
from specvae.export.contents import PAGE
from specvae.export.watch.page import MOST_ALERTS, AlertDetail, PageDate, WatchPage
from specvae.export.watch.report_page import axis_of, lessened, spectra_of
from specvae.ingest.aligned_rows import AlignedRows
from specvae.stages.watch.dates import ScoredDate
from specvae.stages.watch.frames import Frames
from specvae.stages.watch.series import Series

__all__ = ["watch_page"]

MOST_HISTORIES = 60
"""Alerts whose score at every date is read, the strongest first; the others have a row and a place."""
THREADS = 2
"""Threads that decode the blocks of scores that histories lie in."""
MOST_SPECTRA = 25
"""Alerts whose spectra are looked for in the dates' pages."""
COLOUR_BYTES = 1_600_000
"""Bytes of all colour pictures together, which leaves more than five megabytes of eight to the other maps."""


def watch_page(series: Series) -> WatchPage:
    """The page of a series; what the dates' report pages do not hold is missing on it too."""
    ids = _strongest(series.place)
    boxes = _boxes(series.place, ids)
    peaks = {alert.id: (alert.row, alert.col) for alert in series.place.registry.alerts}
    histories = _histories(series, [peaks[number] for number in ids[:MOST_HISTORIES]])
    spectra = _spectra(series, ids[:MOST_SPECTRA], peaks)
    details = {}
    for at, number in enumerate(ids):
        p, scores = histories[at] if at < len(histories) else ((), ())
        details[number] = AlertDetail(boxes[number], p, scores, spectra.get(number, ()))
    small = series.frames.for_page()
    dates = [_date(series, small, number) for number in range(len(series.dates))]
    # Spectra of all dates have the bands of the model, so that any page with spectra says them.
    pages = (scored.folder / PAGE.name for scored in reversed(series.dates)) if spectra else ()
    bands, wavelengths = next((axis for axis in map(axis_of, pages) if axis[0]), ([], None))
    return WatchPage(series.grid.shape, dates, details, bands, wavelengths)


def _strongest(place: Place) -> list[int]:
    """Ids of the alerts on the page, those of more than one look first."""
    order = sorted(place.registry.alerts, key=lambda alert: (alert.status == "first", -alert.evidence, alert.id))
    return [alert.id for alert in order[:MOST_ALERTS]]


def _boxes(place: Place, ids: Sequence[int]) -> dict[int, tuple[int, int, int, int]]:
    """First row and column, and the ones after the last, of some alerts."""
    order, boxes = np.argsort(place.pixels["id"], kind="stable"), {}
    sorted_ids = place.pixels["id"][order]
    for number in ids:
        own = order[np.searchsorted(sorted_ids, number) : np.searchsorted(sorted_ids, number, side="right")]
        row, col = np.divmod(shown(place.pixels[own])["at"], place.shape[1])
        boxes[number] = int(row.min()), int(col.min()), int(row.max()) + 1, int(col.max()) + 1
    return boxes


def _date(series: Series, frames: Frames, number: int) -> PageDate:
    scored = series.dates[number]
    count = max(1, len(series.dates))
    # A picture of so many bytes each: JPEG needs about a sixth of a byte a pixel at this quality.
    side = int(min(512, np.sqrt(COLOUR_BYTES / count * 6)))
    colour = lessened(frames.colour[number], side)
    return PageDate(scored.moment[:10], scored.usable, frames.status[number], frames.score[number], colour)


def _histories(
    series: Series, places: Sequence[tuple[int, int]]
) -> list[tuple[list[float | None], list[float | None]]]:
    """p-value and score of some pixels at every date."""
    histories: list[tuple[list[float | None], list[float | None]]] = [([], []) for _ in places]

    def read(scored: ScoredDate) -> list[float]:
        with AlignedRows(scored.scores, series.grid) as rows:
            return [float(rows.read(row, row + 1, col, col + 1)[0, 0]) for row, col in places]

    dates = series.dates if places else ()
    with ThreadPoolExecutor(THREADS) as pool:
        looks = list(pool.map(read, dates))
    for scored, values in zip(dates, looks, strict=True):
        normal = scored.curve().normal_scores(np.array(values, np.float32))
        p = np.exp(log_ndtr(-normal.astype(np.float64)))
        for history, chance, score in zip(histories, p.tolist(), values, strict=True):
            clear = bool(np.isfinite(score)) and scored.usable
            history[0].append(chance if clear else None)
            history[1].append(score if clear else None)
    return histories


def _spectra(series: Series, ids: Sequence[int], peaks: dict[int, tuple[int, int]]) -> dict[int, list[dict[str, Any]]]:
    """The spectra of alerts at their first odd look and at their last, by id, as far as the dates' pages hold them."""
    alerts = {alert.id: alert for alert in series.place.registry.alerts}
    wanted: dict[str, list[int]] = {}
    for number in ids:
        for day in dict.fromkeys((alerts[number].first_seen, alerts[number].last_seen)):
            wanted.setdefault(_iso(day), []).append(number)
    spectra: dict[int, list[dict[str, Any]]] = {}
    for scored in series.dates:
        numbers = wanted.get(scored.moment[:10], [])
        for number, spectrum in zip(numbers, _of(scored, [peaks[n] for n in numbers]), strict=True):
            if spectrum is not None:
                spectra.setdefault(number, []).append(spectrum)
    return spectra


def _of(scored: ScoredDate, places: list[tuple[int, int]]) -> list[dict[str, Any] | None]:
    read = spectra_of(scored.folder / PAGE.name, places) if places else []
    return [None if each is None else {"date": scored.moment[:10], **vars(each)} for each in read]


def _iso(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(day)).isoformat()
