"""A place watched over nights: the past of every pixel, the pixels of alerts, and the alerts; one night after the other.

The state after a night is a function of the state before and of that night alone, so that the same nights in the same order
give the same bits, computed at once or one a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.night_effect import NightEffect, Survey
from specvae.alerts.night_rows import advance_rows
from specvae.alerts.past import ENOUGH_LOOKS, PastRows
from specvae.alerts.pixels import Status, confirm, count_company, joined, no_pixels
from specvae.alerts.registry import Registry
from specvae.alerts.room import Room
from specvae.alerts.seen import Night, Seen
from specvae.components import touching_groups

__all__ = ["Elsewhere", "Place", "advance", "rows_after"]

ROWS = 128
"""Rows that are computed at once: of 11,000 columns some 70 MB in all arrays."""
SURVEYED = 1 << 20
"""Pixels from which on the effect of a night is measured in a sample: it is the same for all of them."""
SURVEYED_ROWS = 64
"""Rows of one piece of the sample."""
THREADS = 2
"""Threads that compute; numpy and C let others run while they do."""
Elsewhere = Callable[[NightEffect], NDArray[np.void]]
"""Has all rows computed, given what the night does to all pixels alike, and gives their pixels of alerts in order."""


@dataclass(frozen=True, eq=False)
class Place:
    """A place after a night."""

    past: PastRows
    """Each pixel's own past."""
    pixels: NDArray[np.void] = field(default_factory=no_pixels)
    """Records of ``PIXEL``, in the order of their places."""
    registry: Registry = field(default_factory=Registry)
    survey: Survey = field(default_factory=Survey)
    """How the p-values of normal looks came out, over all nights so far."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.past.shape

    def status(self, first: int, stop: int, looks: NDArray[np.uint16] | None = None) -> NDArray[np.uint8]:
        """``status.tif`` from row ``first`` to the one before ``stop``, ``(rows, cols)``; ``looks``: theirs, where known."""
        looks = self.past.looks(first, stop) if looks is None else looks
        status = np.where(looks > 0, np.uint8(Status.NOTHING), np.uint8(Status.NEVER_SEEN))
        own = self.within(first, stop)
        status.ravel()[own["at"] - first * self.shape[1]] = own["status"]
        return status

    def within(self, first: int, stop: int) -> NDArray[np.void]:
        """The pixels of alerts in some rows."""
        low, high = np.searchsorted(self.pixels["at"], (first * self.shape[1], stop * self.shape[1]))
        return self.pixels[low:high]


def advance(
    place: Place, night: Night, past: PastRows, needed: float, close_after: int, elsewhere: Elsewhere | None = None
) -> Place:
    """The place after a night. ``past``: where the new past is written, of the same size but not the place's own.

    ``needed``: nats of evidence that confirm. ``close_after``: clear looks without evidence that close an alert. ``elsewhere``
    computes the rows in other processes; without it, threads do, so that rows are read and written by more than one.
    """
    effect = NightEffect.of(_surveyed(place, night))
    if elsewhere is not None:
        pixels = elsewhere(effect)
    else:
        pixels = rows_after(place, night, effect, past, range(place.shape[0]), close_after)
    is_open = pixels["status"] != Status.CLOSED
    component = np.full(pixels.size, -1)
    component[is_open] = touching_groups(pixels["at"][is_open], place.shape[1])
    # Nearly always all are open, and millions of records are not copied.
    opened = pixels if is_open.all() else pixels[is_open]
    count_company(opened, component[is_open], place.shape[0] * place.shape[1], night.day)
    confirm(opened, component[is_open], needed, night.day)
    if opened is not pixels:
        pixels[is_open] = opened
    registry = place.registry.after(pixels, component, night.day, place.shape[1])
    return replace(place, past=past, pixels=pixels, registry=registry, survey=place.survey.plus(effect.survey))


def rows_after(
    place: Place,
    night: Night,
    effect: NightEffect,
    past: PastRows,
    chosen: range,
    close_after: int,
    threads: int = THREADS,
) -> NDArray[np.void]:
    """Write the past of chosen rows after a night to ``past``; their pixels of alerts, before any is confirmed.

    Of the place, the pixels of alerts within a row of them must be there.
    """
    rooms = SimpleQueue[Room]()

    def some(own: range) -> NDArray[np.void]:
        room = rooms.get()
        try:
            seen = Seen.of(place.past, night, own, not place.survey.nights, room)
            near = place.within(max(0, own.start - 1), own.stop + 1)
            return advance_rows(seen, near, effect, past, close_after, room)
        finally:
            rooms.put(room)

    for _ in range(threads):
        rooms.put(Room())
    with ThreadPoolExecutor(threads) as pool:
        return joined(list(pool.map(some, _bounds(chosen, ROWS))))


def _bounds(rows: range, step: int) -> Iterator[range]:
    return (range(row, min(row + step, rows.stop)) for row in range(rows.start, rows.stop, step))


def _surveyed(place: Place, night: Night) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Standardised looks of both scales and their looks learned, of pixels without an alert in a sample of rows."""
    (rows, cols), room = place.shape, Room()
    # All of a small place, and of a large one a few bands of rows that lie evenly over it: each costs a row of the file's blocks.
    pieces = list(_bounds(range(rows), SURVEYED_ROWS if rows * cols > SURVEYED else ROWS))
    every = max(1, -(-rows * cols // SURVEYED))
    for own in pieces[min(every - 1, len(pieces) - 1) // 2 :: every]:
        seen = Seen.of(place.past, night, own, not place.survey.nights, room)
        usable = seen.clear & (seen.records["learned"] >= ENOUGH_LOOKS)
        usable.ravel()[place.within(seen.first, own.stop)["at"] - seen.first * cols] = False
        at = np.flatnonzero(usable[seen.own]) + seen.own.start * cols
        yield *seen.standardised(at), seen.of_records("learned", at)
