"""The pixels of alerts: a record for each pixel whose ground may have changed, and its life from the first odd look to closed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.e_values import start_weight

__all__ = [
    "GROWN",
    "LONE_ODD",
    "ODD",
    "PIXEL",
    "Looks",
    "Status",
    "begun",
    "closing",
    "confirm",
    "joined",
    "look_again",
    "no_pixels",
]


class Status(IntEnum):
    """The life of an alert, as ``status.tif`` writes it."""

    NOTHING = 0
    FIRST = 1
    """One odd look."""
    PROVISIONAL = 2
    """More than one, not yet enough."""
    CONFIRMED = 3
    """The evidence passes the asked rate."""
    CLOSED = 4
    """It was confirmed, and later looks were normal."""
    NEVER_SEEN = 255


ODD = 10.0
"""The e-value of a look that begins an alert: a p-value of about 2e-3."""
LONE_ODD = 200.0
"""The same of a pixel none of whose neighbours is odd tonight or has an alert: a p-value of about 7e-5. Of a hundred million
pixels at normal ground two hundred thousand would begin an alert each night, and nearly all of them stand alone."""
ODD_STILL = 2.0
"""The e-value from which on a look goes on with an alert: a p-value of about .04."""
LONE_LOOKS, LOOKS = 3, 2
"""Odd looks that a pixel alone, and one of several that touch, needs before it can be confirmed."""
OPENINGS = 6e-5
"""Alerts that begin in a year at a pixel of normal ground with one look that says enough by itself: clouds that no mask saw. It
was chosen on the tuning seeds of the benchmark, of whose 160 place-years without events it confirms 3 alerts at a rate of .1."""
GROWN = np.log(20.0)
"""Nats from which on a pixel that touches a confirmed one is confirmed with it: of a few neighbours, a chance of 1 in 20 each
is enough, where one of a million pixels would not be."""
PIXEL = np.dtype(
    [("at", "i8"), ("id", "i4"), ("status", "u1"), ("misses", "u1"), ("looks", "u2"), ("odd", "u2")]
    + [(name, "u2") for name in ("first", "seen", "confirmed", "closed")]
    + [(name, "f4") for name in ("evidence", "most", "peak", "best", "rest", "company")]
    + [("set_aside", "u2")]
    + [(f"{power}_{scale}", "f4") for scale in ("alone", "around") for power in ("sum", "squares")]
)
"""A pixel of an alert: its place ``row * cols + col``, the alert's id, status, clear looks in a row without evidence, clear and
odd looks since the first, days since 1970-01-01 (0 = none), evidence now and at most (nats), peak score, log e of the look that
said most and of all others together, alerts that began with it as a share of the place's pixels, and count, sums and sums of
squares of the normal scores that its past has not learned."""
Pixels = NDArray[np.void]


def no_pixels() -> Pixels:
    """A place without alerts."""
    return np.zeros(0, PIXEL)


def joined(parts: list[Pixels]) -> Pixels:
    """The records of all parts in their order; each part is given up once it is copied, so that few are in memory twice."""
    records, end = np.empty(sum(part.size for part in parts), PIXEL), 0
    parts.reverse()
    while parts:
        part = parts.pop()
        records[end : end + part.size] = part
        end += part.size
    return records


@dataclass(frozen=True, eq=False)
class Looks:
    """Tonight's clear looks at some pixels, ``(n,)`` each."""

    day: int
    at: NDArray[np.int64]
    """The pixels' places."""
    log_e: NDArray[np.float64]
    """The look's e-value, log."""
    alone: NDArray[np.float32]
    """Normal score of the pixel itself."""
    around: NDArray[np.float32]
    """Mean normal score of the pixel and its neighbours."""
    score: NDArray[np.float32]
    """Nats."""
    waited: NDArray[np.float64]
    """Days since the clear look before."""

    def __getitem__(self, chosen: NDArray[np.bool_]) -> Looks:
        names = ("at", "log_e", "alone", "around", "score", "waited")
        return Looks(self.day, *(getattr(self, name)[chosen] for name in names))


def begun(at: NDArray[np.int64], looks: Looks) -> Pixels:
    """Records of pixels whose alert begins tonight."""
    pixels = np.zeros(at.size, PIXEL)
    pixels["at"], pixels["status"] = at, Status.FIRST
    pixels["first"] = pixels["seen"] = looks.day
    pixels["looks"] = pixels["odd"] = 1
    pixels["evidence"] = pixels["most"] = np.log(start_weight(looks.waited)) + looks.log_e
    pixels["peak"], pixels["best"] = looks.score, looks.log_e
    _set_aside(pixels, looks)
    return pixels


def look_again(pixels: Pixels, looks: Looks) -> None:
    """Take tonight's clear looks into the records of open alerts, in place."""
    # The share of the capital that is meant for a start tonight joins what is in play, so that a late start is not dearer.
    pixels["evidence"] = np.logaddexp(pixels["evidence"], np.log(start_weight(looks.waited))) + looks.log_e
    np.maximum(pixels["most"], pixels["evidence"], out=pixels["most"])
    pixels["rest"] += np.minimum(pixels["best"], looks.log_e)
    np.maximum(pixels["best"], looks.log_e, out=pixels["best"])
    np.maximum(pixels["peak"], looks.score, out=pixels["peak"])
    odd = looks.log_e >= np.log(ODD_STILL)
    pixels["looks"] += 1
    pixels["odd"] += odd
    pixels["seen"][odd] = looks.day
    pixels["misses"] = np.where(odd, 0, pixels["misses"] + 1)
    pixels["status"][odd & (pixels["status"] == Status.FIRST)] = Status.PROVISIONAL
    _set_aside(pixels, looks)


def _set_aside(pixels: Pixels, looks: Looks) -> None:
    """Remember normal scores that the past does not learn while the alert is open."""
    pixels["set_aside"] += 1
    for scale, values in (("alone", looks.alone), ("around", looks.around)):
        pixels[f"sum_{scale}"] += values
        pixels[f"squares_{scale}"] += values * values


def shown(own: Pixels) -> Pixels:
    """Which pixels of an alert it is drawn with: the confirmed ones, else those that are open, else all.

    A cloud that drifts over a confirmed alert adds open pixels to it, which are no part of what was confirmed.
    """
    for chosen in (own["status"] == Status.CONFIRMED, own["status"] != Status.CLOSED):
        if chosen.any():
            return np.asarray(own[chosen])
    return own


def closing(pixels: Pixels, close_after: int) -> NDArray[np.bool_]:
    """Which open alerts' pixels have had so many clear looks in a row without evidence."""
    return np.asarray((pixels["status"] < Status.CLOSED) & (pixels["misses"] >= close_after))


def count_company(pixels: Pixels, component: NDArray[np.int64], places: int, day: int) -> None:
    """Write, in place, how many alerts begin with those that begin today, as a share of the place's pixels ``places``."""
    new = pixels["first"] == day
    size, fresh = np.bincount(component), np.bincount(component, new)
    pixels["company"][new] = int((size == fresh).sum()) / places


def confirm(pixels: Pixels, component: NDArray[np.int64], needed: float, day: int) -> None:
    """Confirm, in place, the pixels whose evidence has reached ``needed`` nats, and those that grow from them.

    What one look says alone may be a cloud that no mask saw: without it, the other looks are evidence against one of the alerts
    that begin in a year at normal ground, or on a night on which many do, and must pass the rate among these. ``component``
    ``(n,)`` numbers the groups of touching pixels from 0.
    """
    if not pixels.size:
        return
    # Neighbours that were odd once, as the rest of a cloud's shadow, are no company for one that was odd again.
    size = np.bincount(component, pixels["odd"] >= LOOKS)
    enough = np.where(size[component] > 1, LOOKS, LONE_LOOKS)
    waits, evidence = pixels["status"] == Status.PROVISIONAL, pixels["evidence"]
    sure = waits & (evidence >= needed) & (pixels["odd"] >= enough)
    sure &= pixels["rest"] >= needed + np.log(np.maximum(pixels["company"], OPENINGS))
    grown = np.zeros(size.size, bool)
    grown[component[sure | (pixels["status"] == Status.CONFIRMED)]] = True
    grows = grown[component]
    sure |= waits & grows & (evidence >= GROWN) & (pixels["odd"] >= LOOKS)
    # Beside what is confirmed one look is enough that would be on its own, were it not for clouds.
    sure |= (pixels["status"] == Status.FIRST) & grows & (evidence >= needed)
    pixels["status"][sure] = Status.CONFIRMED
    pixels["confirmed"][sure] = day
