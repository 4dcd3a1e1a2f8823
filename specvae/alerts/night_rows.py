"""Some rows of a place taken from one night to the next: looks become evidence, what is normal is learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, stdtr

from specvae.alerts.beside import overshadowed, touches
from specvae.alerts.e_values import YEAR, log_e_values
from specvae.alerts.night_effect import NightEffect
from specvae.alerts.past import PastRows, freedom, learn, take_back
from specvae.alerts.pixels import LONE_ODD, ODD, Looks, Status, begun, closing, look_again
from specvae.alerts.room import Room
from specvae.alerts.seen import Seen

__all__ = ["advance_rows"]

Nodes = NDArray[np.int64]
Pixels = NDArray[np.void]
ALONE_TOO = np.log(0.05)
"""log p of the pixel itself up to which its neighbours' evidence counts: what stands beside a fire is not on fire."""
NOTHING = np.log(0.5)
"""log e of a look that says nothing, that of a p-value of 1."""


def advance_rows(seen: Seen, near: Pixels, effect: NightEffect, out: PastRows, close_after: int, room: Room) -> Pixels:
    """Write the past of the rows that were asked for to ``out``; their pixels of alerts, before any is confirmed.

    ``near``: the pixels of alerts in the margin.
    """
    cols, offset = out.shape[1], seen.first * out.shape[1]
    low, high = (seen.first + seen.own.start) * cols, (seen.first + seen.own.stop) * cols
    inside = (near["at"] >= low) & (near["at"] < high)
    before = near[inside]
    looks, count = _looks(seen, near["at"][near["status"] < Status.CLOSED] - offset, effect)
    own = (looks.at + offset >= low) & (looks.at + offset < high)
    again, fresh = own & (np.arange(own.size) < count), own & (np.arange(own.size) >= count)
    pixels = _pixels(before, looks[again], looks[fresh], offset)
    clear, before_tonight = seen.clear[seen.own], seen.records[seen.own]
    records, learning = (
        room.array("learned", before_tonight.shape, before_tonight.dtype),
        room.array("learning", clear.shape, bool),
    )
    records[:], learning[:] = before_tonight, clear
    learning.ravel()[pixels["at"][pixels["status"] < Status.CLOSED] - low] = False
    learn(records, clear, learning, seen.normal[seen.own], seen.around[seen.own], seen.night.day)
    pixels = _closed(pixels, records, low, seen.night.day, close_after)
    out.write(seen.first + seen.own.start, records)
    return pixels


def _looks(seen: Seen, opened: Nodes, effect: NightEffect) -> tuple[Looks, int]:
    """The clear looks at open alerts in the margin, how many these are, and after them those that begin one."""
    again = opened[seen.clear.ravel()[opened]]
    begin = seen.begins(effect)
    begin = begin[~np.isin(begin, opened, assume_unique=True)]
    at = np.concatenate([again, begin])
    log_e = _log_e(seen, at, effect)
    is_again = np.arange(at.size) < again.size
    worth = is_again | (log_e >= np.log(ODD))
    at, log_e, is_again = at[worth], log_e[worth], is_again[worth]
    # Less evidence is always allowed: the product stays a test martingale's lower bound.
    log_e = np.where(overshadowed(seen.rises, seen.clear.shape, at), np.minimum(log_e, NOTHING), log_e)
    fresh = ~is_again & (log_e >= np.log(ODD))
    company = np.sort(np.concatenate([opened, at[fresh]]))
    fresh &= (log_e >= np.log(LONE_ODD)) | touches(at, company, seen.clear.shape[1])
    chosen = is_again | fresh
    return _looks_at(seen, at[chosen], log_e[chosen]), again.size


def _looks_at(seen: Seen, at: Nodes, log_e: NDArray[np.float64]) -> Looks:
    last = seen.of_records("last", at).astype(np.float64)
    waited = np.where(last > 0, seen.night.day - last, YEAR)
    alone, around, score = (values.ravel()[at] for values in (seen.normal, seen.around, seen.score))
    return Looks(seen.night.day, at, log_e, alone, around, score, waited)


def _log_e(seen: Seen, at: Nodes, effect: NightEffect) -> NDArray[np.float64]:
    """log e of chosen looks: the mean of the e-values of both scales, that of the neighbours only where the pixel is odd too.

    Of each scale the p-value is the larger of two: by the pixel's own past, and by the model's calibration. It is valid where
    the looks of the pixel are exchangeable, and small only where the model cannot explain what is new.
    """
    alone, around = seen.standardised(at)
    degrees = freedom(seen.of_records("learned", at))
    values = []
    for z, normal in ((effect.alone.correct(alone), seen.normal), (effect.around.correct(around), seen.around)):
        with np.errstate(divide="ignore"):  # a look beyond any law: log 0, which the model's p-value bounds
            own = np.log(stdtr(degrees, -z.astype(np.float64)))
        values.append(np.maximum(own, log_ndtr(-normal.ravel()[at].astype(np.float64))))
    by_itself, with_others = values
    lent = np.where(by_itself <= ALONE_TOO, log_e_values(with_others), -np.inf)
    return np.asarray(np.logaddexp(log_e_values(by_itself), lent) - np.log(2.0))


def _pixels(before: Pixels, again: Looks, fresh: Looks, offset: int) -> Pixels:
    """The records after tonight's looks at open alerts and at those that begin."""
    pixels = before.copy()
    seen_again = np.searchsorted(before["at"], again.at + offset)
    records = pixels[seen_again]
    look_again(records, again)
    pixels[seen_again] = records
    new = begun(fresh.at + offset, fresh)
    # An alert that begins where another one was closed takes its place.
    pixels = np.concatenate([pixels[~np.isin(pixels["at"], new["at"])], new])
    return pixels[np.argsort(pixels["at"], kind="stable")]


def _closed(pixels: Pixels, records: NDArray[np.void], low: int, day: int, close_after: int) -> Pixels:
    """Close what had enough looks without evidence: its looks join the past, and what was never confirmed is forgotten."""
    ends = closing(pixels, close_after)
    if not ends.any():
        return pixels
    done = pixels[ends]
    cols = records["looks"].shape[1]
    take_back(records, done, (done["at"] - low) // cols, (done["at"] - low) % cols)
    pixels["status"][ends], pixels["closed"][ends] = Status.CLOSED, day
    return pixels[~ends | (pixels["confirmed"] > 0)]
