"""A place watched over nights: the past of every pixel, the pixels of alerts, and the alerts; one night after the other.

The state after a night is a function of the state before and of that night alone, so that the same nights in the same order
give the same bits, computed at once or one a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, stdtr

from specvae.alerts.beside import overshadowed, with_neighbours
from specvae.alerts.clear_looks import HALO, View, view_of
from specvae.alerts.e_values import YEAR, log_e_values
from specvae.alerts.night_effect import NightEffect, Survey
from specvae.alerts.normal_scores import PValueCurve
from specvae.alerts.past import ENOUGH_LOOKS, Past, PastRows, Spread, centres, freedom
from specvae.alerts.pixels import ODD, Looks, Status, begun, closing, confirm, look_again, no_pixels
from specvae.alerts.registry import Registry
from specvae.components import touching_groups

__all__ = ["Night", "Place", "advance"]

ROWS = 256
"""Rows that are computed at once: of 11,000 columns some 200 MB in all arrays."""
ALONE_TOO = np.log(0.05)
"""log p of the pixel itself up to which its neighbours' evidence counts: what stands beside a fire is not on fire."""
SCREEN, ALONE_SCREEN = 2.7, 1.5
"""Spreads above the centre below which no look can begin an alert, whatever the degrees of freedom: of one of the two scales,
and of the pixel itself."""
NOTHING = np.log(0.5)
"""log e of a look that says nothing, that of a p-value of 1."""
Rows = Callable[[int, int], NDArray[np.float32]]
"""Gives the scores of some rows ``(rows, cols)``: from the first row to the one after the last; NaN where invalid."""


@dataclass(frozen=True, eq=False)
class Night:
    """One date of a place."""

    day: int
    """Days since 1970-01-01."""
    scores: Rows
    """Scores in nats."""
    curve: PValueCurve
    """The normal score of each score, by the calibration of the model that scored."""
    doubtful: bool = False
    """Whether its map calls for caution: a look then gives an e-value of at most ODD, so that it can begin an alert and go on
    with one, but not confirm it by itself."""


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

    def status(self, first: int, stop: int) -> NDArray[np.uint8]:
        """``status.tif`` from row ``first`` to the one before ``stop``, ``(rows, cols)``."""
        looks = self.past.read(first, stop)["looks"]
        status = np.where(looks > 0, Status.NOTHING, Status.NEVER_SEEN).astype(np.uint8)
        own = self.within(first, stop)
        status.ravel()[own["at"] - first * self.shape[1]] = own["status"]
        return status

    def within(self, first: int, stop: int) -> NDArray[np.void]:
        """The pixels of alerts in some rows."""
        low, high = np.searchsorted(self.pixels["at"], (first * self.shape[1], stop * self.shape[1]))
        return self.pixels[low:high]


def advance(place: Place, night: Night, past: PastRows, needed: float, close_after: int) -> Place:
    """The place after a night. ``past``: where the new past is written, of the same size but not the place's own.

    ``needed``: nats of evidence that confirm. ``close_after``: clear looks without evidence that close an alert.
    """
    effect = NightEffect.of(_surveyed(place, night))
    pieces = [_rows(place, night, effect, past, bounds, close_after) for bounds in _bounds(place.shape[0], ROWS)]
    pixels = np.concatenate([no_pixels(), *pieces])
    is_open = pixels["status"] != Status.CLOSED
    component = np.full(pixels.size, -1)
    component[is_open] = touching_groups(pixels["at"][is_open], place.shape[1])
    opened = pixels[is_open]
    confirm(opened, component[is_open], needed, night.day)
    pixels[is_open] = opened
    registry = place.registry.after(pixels, component, night.day, place.shape[1])
    return replace(place, past=past, pixels=pixels, registry=registry, survey=place.survey.plus(effect.survey))


def _bounds(rows: int, step: int) -> Iterator[tuple[int, int]]:
    return ((row, min(row + step, rows)) for row in range(0, rows, step))


@dataclass(frozen=True, eq=False)
class _Seen:
    """Some rows tonight: their past, and what is seen of them."""

    past: Past
    view: View
    rise: NDArray[np.float32]
    """How far tonight's normal scores and scores (nats) are above what is usual there, with the view's rows more above and below;
    ``(2, rows, cols)``, NaN where invalid."""
    usual: Spread
    """The past of the pixels alone, with the centres of what is always odd beside them in place of their own."""

    @staticmethod
    def of(place: Place, night: Night, first: int, stop: int) -> _Seen:
        """The rows from ``first`` to the one before ``stop``."""
        low, high = max(0, first - HALO), min(place.shape[0], stop + HALO)
        score, records = night.scores(low, high), place.past.read(low, high)
        # Nothing was seen before the first date, whose clouds have edges all the same.
        seen = records["looks"] > 0 if place.survey.nights else np.ones(records.shape, bool)
        view = view_of(score, night.curve.normal_scores(score), seen, first - low, stop - first)
        own = slice(first - low, stop - low)
        past, wide = Past.unpack(records[own]), with_neighbours(centres(records))
        usual = centres(records)
        rise = np.stack([view.wide - usual, np.where(np.isnan(view.wide), np.nan, score) - night.curve.scores(usual)])
        return _Seen(past, view, rise, Spread(wide[own], past.alone.variance))


def _surveyed(place: Place, night: Night) -> Iterator[tuple[NDArray[np.float32], ...]]:
    """Standardised looks of both scales and their looks learned, of pixels without an alert in a sample of rows."""
    rows, cols = place.shape
    bands = list(_bounds(rows, ROWS))
    # All of a small place, and of a large one rows spread over it: what a night does to all its pixels, a million show.
    every = max(1, rows * cols // (1 << 22))
    for first, stop in bands[:: min(every, max(1, len(bands) // 4))]:
        seen = _Seen.of(place, night, first, stop)
        past, view = seen.past, seen.view
        usable = view.clear & (past.learned >= ENOUGH_LOOKS)
        usable.ravel()[place.within(first, stop)["at"] - first * cols] = False
        learned = past.learned[usable]
        alone = _chosen(past.alone, usable).standardised(view.alone[usable], learned)
        yield alone, _chosen(past.around, usable).standardised(view.around[usable], learned), learned


def _chosen(spread: Spread, at: NDArray[np.bool_] | NDArray[np.intp]) -> Spread:
    return Spread(spread.centre[at], spread.variance[at])


def _rows(
    place: Place, night: Night, effect: NightEffect, out: PastRows, bounds: tuple[int, int], close_after: int
) -> NDArray[np.void]:
    """Compute some rows: the past is written to ``out``, the pixels of alerts are returned."""
    first, stop = bounds
    seen = _Seen.of(place, night, first, stop)
    past, view = seen.past, seen.view
    before, offset = place.within(first, stop), first * place.shape[1]
    z_alone = effect.alone.correct(seen.usual.standardised(view.alone, past.learned))
    z_around = effect.around.correct(past.around.standardised(view.around, past.learned))
    begin = view.clear & (past.learned >= ENOUGH_LOOKS) & (z_alone > ALONE_SCREEN)
    begin &= (z_alone > SCREEN) | (z_around > SCREEN)
    old = before["at"] - offset
    opened = before["status"] < Status.CLOSED
    begin.ravel()[old[opened]] = False
    again = opened & view.clear.ravel()[old]
    at = np.concatenate([old[again], np.flatnonzero(begin)])
    log_e = _log_e(z_alone.ravel()[at], z_around.ravel()[at], view, past.learned.ravel()[at], at)
    cols = place.shape[1]
    shaded = overshadowed(seen.rise[0], seen.rise[1], at // cols + view.above, at % cols)
    # Less evidence is always allowed: the product stays a test martingale's lower bound.
    log_e = np.where(shaded, np.minimum(log_e, NOTHING), log_e)
    if night.doubtful:
        log_e = np.minimum(log_e, np.log(ODD))
    looks = _looks(night.day, log_e, view, past, at)
    count = int(again.sum())
    pixels, misses = _pixels(before, again, looks, at + offset, count), close_after
    learning = view.clear.copy()
    learning.ravel()[pixels["at"][pixels["status"] < Status.CLOSED] - offset] = False
    past.see(view.clear, night.day)
    past.learn(view.alone, view.around, learning)
    pixels = _closed(pixels, past, offset, night.day, misses)
    out.write(first, past.pack())
    return pixels


def _log_e(
    z_alone: NDArray[np.float32],
    z_around: NDArray[np.float32],
    view: View,
    learned: NDArray[np.float32],
    at: NDArray[np.int64],
) -> NDArray[np.float64]:
    """log e of chosen looks: the mean of the e-values of both scales, that of the neighbours only where the pixel is odd too.

    Of each scale the p-value is the larger of two: by the pixel's own past, and by the model's calibration. It is valid where
    the looks of the pixel are exchangeable, and small only where the model cannot explain what is new.
    """
    values = []
    for z, normal in ((z_alone, view.alone), (z_around, view.around)):
        with np.errstate(divide="ignore"):  # a look beyond any law: log 0, which the model's p-value bounds
            own = np.log(stdtr(freedom(learned), -z.astype(np.float64)))
        values.append(np.maximum(own, log_ndtr(-normal.ravel()[at].astype(np.float64))))
    alone, around = values
    lent = np.where(alone <= ALONE_TOO, log_e_values(around), -np.inf)
    return np.asarray(np.logaddexp(log_e_values(alone), lent) - np.log(2.0))


def _looks(day: int, log_e: NDArray[np.float64], view: View, past: Past, at: NDArray[np.int64]) -> Looks:
    last = past.last.ravel()[at].astype(np.float64)
    waited = np.where(last > 0, day - last, YEAR)
    return Looks(day, log_e, view.alone.ravel()[at], view.around.ravel()[at], view.score.ravel()[at], waited)


def _pixels(
    before: NDArray[np.void], again: NDArray[np.bool_], looks: Looks, at: NDArray[np.int64], count: int
) -> NDArray[np.void]:
    """The records after tonight's looks: the first ``count`` looks are at the records ``again``, the others may begin."""
    index = np.arange(at.size)
    seen = before[again]
    look_again(seen, looks[index < count])
    pixels = before.copy()
    pixels[again] = seen
    odd = (index >= count) & (looks.log_e >= np.log(ODD))
    fresh = begun(at[odd], looks[odd])
    # An alert that begins where another one was closed takes its place.
    pixels = np.concatenate([pixels[~np.isin(pixels["at"], fresh["at"])], fresh])
    return pixels[np.argsort(pixels["at"], kind="stable")]


def _closed(pixels: NDArray[np.void], past: Past, offset: int, day: int, close_after: int) -> NDArray[np.void]:
    """Close what had enough looks without evidence: its looks join the past, and what was never confirmed is forgotten."""
    ends = closing(pixels, close_after)
    if not ends.any():
        return pixels
    done = pixels[ends]
    past.take_back(done, done["at"] - offset)
    pixels["status"][ends], pixels["closed"][ends] = Status.CLOSED, day
    return pixels[~ends | (pixels["confirmed"] > 0)]
