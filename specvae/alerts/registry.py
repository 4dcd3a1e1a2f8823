"""Alerts: groups of touching pixels that bear one id from night to night, merge and split."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.pixels import Status, shown

__all__ = ["Alert", "Registry"]

WORDS = {
    Status.FIRST: "first",
    Status.PROVISIONAL: "provisional",
    Status.CONFIRMED: "confirmed",
    Status.CLOSED: "closed",
}


@dataclass(frozen=True)
class Alert:
    """An alert with its dates, days since 1970-01-01."""

    id: int
    status: str
    """``first``, ``provisional``, ``confirmed`` or ``closed``."""
    first_seen: int
    last_seen: int
    """Day of the last look with evidence."""
    confirmed_on: int | None
    closed_on: int | None
    looks: int
    """Most clear looks of one of its pixels since the first."""
    anomalous_looks: int
    """Most odd ones."""
    pixels: int
    peak: float
    """Highest score, nats."""
    evidence: float
    """Most evidence of one of its pixels, nats."""
    row: int
    """Row and column of the pixel with most evidence."""
    col: int
    merged: tuple[int, ...] = ()
    """Ids of younger alerts that became part of it."""


@dataclass(frozen=True)
class Registry:
    """All alerts of a place: the open ones and those that were confirmed before they closed."""

    alerts: tuple[Alert, ...] = ()
    next_id: int = 1
    new: tuple[int, ...] = ()
    """Ids of the alerts that began on the last date."""
    confirmed: tuple[int, ...] = ()
    """Ids of those confirmed on the last date."""
    closed: tuple[int, ...] = ()
    """Ids of those closed on the last date, confirmed or not."""

    @property
    def open(self) -> tuple[Alert, ...]:
        """The alerts that are not closed."""
        return tuple(alert for alert in self.alerts if alert.status != WORDS[Status.CLOSED])

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_json` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_json(tree: dict[str, Any]) -> Registry:
        """A registry as :meth:`to_json` gave it."""
        alerts = tuple(Alert(**alert | {"merged": tuple(alert["merged"])}) for alert in tree["alerts"])
        changes = (tuple(tree[name]) for name in ("new", "confirmed", "closed"))
        return Registry(alerts, tree["next_id"], *changes)

    def unchanged(self) -> Registry:
        """The registry after a date that changed nothing."""
        return replace(self, new=(), confirmed=(), closed=())

    def after(self, pixels: NDArray[np.void], component: NDArray[np.int64], day: int, cols: int) -> Registry:
        """The registry after a night; gives each open pixel its alert's id, in place.

        ``pixels``: all records, those of closed alerts included; ``component`` ``(n,)`` numbers the groups of touching open
        pixels from 0, and is -1 for closed ones.
        """
        merged, next_id = _give_ids(pixels, component, self.next_id)
        before = {alert.id: alert for alert in self.alerts}
        alerts = [_alert(pixels[own], before, merged, day, cols) for own in _by_id(pixels)]
        now = {alert.id: alert for alert in alerts}
        joined = {old for others in merged.values() for old in others}
        gone = tuple(
            alert.id
            for alert in self.open
            if alert.id not in joined and (alert.id not in now or now[alert.id].status == "closed")
        )
        new = tuple(range(self.next_id, next_id))
        sure = tuple(
            a.id for a in alerts if a.confirmed_on == day and (a.id not in before or before[a.id].confirmed_on is None)
        )
        return Registry(tuple(alerts), next_id, new, sure, gone)


def _give_ids(pixels: NDArray[np.void], component: NDArray[np.int64], next_id: int) -> tuple[dict[int, set[int]], int]:
    """Give every group of touching pixels its oldest id, or a new one; which ids joined which, and the next free id."""
    merged: dict[int, set[int]] = {}
    is_open = component >= 0
    group, ids = component[is_open], pixels["id"][is_open].astype(np.int64)
    count = int(group.max(initial=-1)) + 1
    oldest = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(oldest, group[ids > 0], ids[ids > 0])
    fresh = oldest == np.iinfo(np.int64).max
    # Groups are numbered in the order of their first pixels, so that the same pixels get the same new ids.
    oldest[fresh] = next_id + np.arange(int(fresh.sum()))
    given = oldest[group]
    # Only of what moved: as Python's numbers, the ids of millions of pixels take longer and more room than all else here.
    moved = (ids > 0) & (ids != given)
    for old, into in set(zip(ids[moved].tolist(), given[moved].tolist(), strict=True)):
        merged.setdefault(into, set()).add(old)
    pixels["id"][is_open] = given
    # An alert that was split before may have joined with one part only: the other part goes on under its id.
    still = set(np.unique(pixels["id"]).tolist())
    return {into: old - still for into, old in merged.items() if old - still}, next_id + int(fresh.sum())


def _by_id(pixels: NDArray[np.void]) -> list[NDArray[np.intp]]:
    """The indices of the pixels of each alert, by ascending id."""
    if not pixels.size:
        return []
    order = np.argsort(pixels["id"], kind="stable")
    ends = 1 + np.flatnonzero(np.diff(pixels["id"][order]))
    return np.split(order, ends)


def _alert(own: NDArray[np.void], before: dict[int, Alert], merged: dict[int, set[int]], day: int, cols: int) -> Alert:
    """The alert of some pixels that share an id."""
    number = int(own["id"][0])
    old = before.get(number)
    alive = own[own["status"] != Status.CLOSED]
    status = Status(int(alive["status"].max())) if alive.size else Status.CLOSED
    sure = own["confirmed"][own["confirmed"] > 0]
    joined = sorted({*(old.merged if old else ()), *merged.get(number, ())})
    best = own[int(own["most"].argmax())]
    first = int(own["first"].min())
    was = old.confirmed_on if old else None
    return Alert(
        id=number,
        status=WORDS[status],
        first_seen=min(first, old.first_seen) if old else first,
        last_seen=int(own["seen"].max()),
        confirmed_on=was if was is not None else int(sure.min()) if sure.size else None,
        closed_on=int(own["closed"].max()) if status is Status.CLOSED else None,
        looks=int(own["looks"].max()),
        anomalous_looks=int(own["odd"].max()),
        pixels=int(shown(own).size),
        peak=float(own["peak"].max()),
        evidence=float(best["most"]),
        row=int(best["at"]) // cols,
        col=int(best["at"]) % cols,
        merged=tuple(joined),
    )
