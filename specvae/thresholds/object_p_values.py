"""p-values of anomalous objects, from the objects that normal held-out tiles show at the same cut, and their FDR.

Objects are ranked by their summed excess among those of the tiles. Where the tiles show too few to rank among, a bound
by Markov's inequality is given instead: if normal objects have m pixels in the mean, at most m / n of them have n
pixels, and at most m times the share of pixels above the cut that score as high as a peak have such a peak. Twice the
smaller of the two is the p-value. Beyond the largest normal object, where no tail fits, the same inequality on the
summed excess continues below 1 / (n + 1): at most a tenth of the normal objects have ten times the mean excess, of
which the upper 95 % bound is taken.

Where the sums of -log p over the objects' pixels are known, an object is ranked by them: the pixels of the normal objects
depend on each other as its own do. Beyond the largest normal sum, where no tail fits, Markov's inequality on the power 3/2
continues, which holds for tails up to shape 2/3. Sums over objects are heavier at times: in draws of shape 1 the false
discovery rate stayed within what was asked, of shape 1.3 it was up to twice that.

Where the cut shows too few normal objects, those of a looser cut stand in: so many normal objects are as odd as the looser cut
shows, over how many the cut itself shows. Beyond the largest, Markov's inequality on the square continues. Of these p-values
and the bound twice the smaller counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from specvae.components import label
from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.conformal import conformal_p_values
from specvae.thresholds.tail import Tail, fit_tail
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles, Tile

__all__ = ["ObjectCalibration", "discoveries", "object_excess"]

ENOUGH = 10
"""Normal objects from which on an excess is ranked among theirs."""
ENOUGH_LOOSER = 40
"""Normal objects of a looser cut from which on their sums of -log p are compared with."""
LEAST_P_VALUE = 1e-12
"""Smaller p-values of a pixel count as this one."""
ENOUGH_TO_AVERAGE = 20
"""Normal objects from which on their mean size is known well enough for a bound."""
LOOSER = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Normal objects are counted at the cut, then where so many times more pixels lie above, until there are enough."""
CHANCE = 0.05
"""An object stands out where a normal scene holds one as strong with no larger chance."""
MARKOV_POWER = 1.5
"""Power of a sum of -log p whose mean bounds the p-value beyond the largest normal one: on Cold Springs 1 kept no object of a
fire, 2 four; in draws of 12 objects and Pareto shape 1, 2 found something in .18 of normal scenes at .1 asked, and this in .08."""
UPPER_95 = 1.645
"""Standard errors from a mean to its one-sided 95 % bound."""


def object_excess(score: NDArray[np.floating], threshold: float) -> NDArray[np.float64]:
    """Summed nats above ``threshold``, ``(objects,)``, of each 8-connected object of a map ``(rows, cols)``, NaN invalid.

    It equals pixels * (mean score - threshold), which is how it is had from an object whose map is gone.
    """
    above = np.nan_to_num(score, nan=-np.inf) > threshold
    labels, count = label(above)
    # In float64: an object's sum adds many small differences of large float32 scores.
    excess = np.where(above, score - np.float64(threshold), 0.0)
    return np.asarray(np.bincount(labels.ravel(), excess.ravel(), count + 1)[1:], np.float64)


@dataclass(frozen=True, eq=False)
class ObjectCalibration:
    """The objects that normal data show above a cut, and the p-values of others by them."""

    tiles: CalibrationTiles
    """Held-out normal scores."""
    threshold: float
    """Nats."""
    pixel_p_values: Callable[[NDArray[np.floating]], NDArray[np.float64]] | None = None
    """p-values of pixels by score, for the bound; without them no bound is given."""

    @cached_property
    def _excess_and_tile(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """The excess of each object of the tiles, and the index of its tile, ``(objects,)`` each."""
        excesses = [self._excess_of(tile) for tile in self.tiles.tiles]
        index = np.repeat(np.arange(len(excesses)), [excess.size for excess in excesses])
        return np.concatenate(excesses or [np.empty(0)]), index

    def _excess_of(self, tile: Tile) -> NDArray[np.float64]:
        """The excess of each object of one tile; rows of a table are objects of their own."""
        if tile.block != INDEPENDENT:
            return object_excess(tile.score, self.threshold)
        above = tile.score[np.nan_to_num(tile.score, nan=-np.inf) > self.threshold]
        return above.astype(np.float64) - self.threshold

    @property
    def excess(self) -> NDArray[np.float64]:
        """Summed nats above the cut, ``(objects,)``, of each object in the tiles; beyond a tile's edge nothing is known."""
        return self._excess_and_tile[0]

    def expected(self, pixels: int) -> float | None:
        """How many objects so many normal pixels show at this cut, by those of the tiles; None without tiles."""
        held = int(self.tiles.counts.sum())
        return self.excess.size * pixels / held if held else None

    def outstanding(self, p_values: NDArray[np.floating], pixels: int) -> int | None:
        """How many objects are stronger than any that 19 in 20 normal scenes of so many pixels show; None without tiles.

        The normal objects of such a scene, of whose number the upper 95 % bound of a Poisson law is taken, times an object's
        p-value bound the chance that one of them is as strong.
        """
        held = int(self.tiles.counts.sum())
        if not held:
            return None
        from scipy.special import chdtri  # only where objects are judged: scores are compared with cuts without it

        most = 0.5 * float(chdtri(2 * (self.excess.size + 1), 0.05)) * pixels / held
        return int(np.count_nonzero(np.asarray(p_values) * most <= CHANCE))

    @cached_property
    def tail(self) -> Tail | None:
        """The Pareto tail of the excesses, in their logarithm, since sums over objects are very heavy-tailed; None if refused."""
        excess, index = self._excess_and_tile
        if excess.size < 2:
            return None
        labels = np.unique(index, return_inverse=True)[1]
        # An excess is above 0, but a difference of scores can round to 0, which has no logarithm.
        tail = fit_tail(np.log(np.maximum(excess, 1e-12)), BlockBootstrap.of(labels))
        return tail if tail is not None and tail.refused is None else None

    @cached_property
    def mean_pixels(self) -> float | None:
        """Mean number of pixels of a normal object, at the cut or, where it shows too few, at a looser one; None if none."""
        scores = np.sort(self.tiles.scores)
        above = scores.size - int(np.searchsorted(scores, self.threshold, side="right"))
        for times in LOOSER:
            pixels = int(times * max(above, 1))
            if pixels >= scores.size:
                return None
            # Just ``pixels`` scores lie above this one, ties apart.
            level = float(scores[scores.size - pixels - 1])
            count = sum(_count(t.score, level) for t in self.tiles.tiles)
            if count >= ENOUGH_TO_AVERAGE:
                return pixels / count
        return None

    @property
    def method(self) -> str:
        """How p-values are computed: ``ranks``, bounded beyond the largest normal object; ``pareto``, a tail there; ``bound``."""
        if self._bounded:
            return "bound"
        return "pareto" if self.tail else "ranks"

    @property
    def _bounded(self) -> bool:
        """Whether the tiles show too few objects to rank among."""
        return self.excess.size < ENOUGH and self.pixel_p_values is not None

    @property
    def note(self) -> str | None:
        """Why p-values are bounds and what sharpens them, in words; None where they are none."""
        if not self._bounded:
            return None
        return (
            f"the held-out data show {self.excess.size} normal objects at this cut, {ENOUGH} are needed to rank against: "
            "p-values are bounds; `specvae calibrate` on more normal data sharpens them"
        )

    def p_values(
        self,
        excess: NDArray[np.floating],
        peak: NDArray[np.floating] | None = None,
        pixels: NDArray[np.integer] | None = None,
        surprise: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float64]:
        """P(a normal object is as odd), ``(objects,)``, from summed nats above the cut; by the bound, from peak and size.

        ``surprise``: sums of -log p over the objects' pixels, which objects are ranked by; where the tiles show too few, or
        so many that a tail was fitted to their excess, beside the other two.

        Conformal up to the largest normal object, then by the tail, never above 1 / (n + 1) there. Without an object in
        the tiles and without the bound every p-value is 1: nothing is known of normal objects.
        """
        if surprise is not None and self._own.size >= ENOUGH and self.tail is None:
            return self._by_own(np.asarray(surprise, np.float64))
        if surprise is not None and self._looser is not None:
            others = self.p_values(excess, peak, pixels)
            least = np.minimum(others, self._by_surprise(np.asarray(surprise, np.float64)))
            return np.asarray(np.minimum(1.0, 2 * least))
        if self._bounded and peak is not None and pixels is not None:
            return self._bound(np.asarray(peak), np.asarray(pixels, np.float64))
        excess = np.asarray(excess, np.float64)
        ordered = np.sort(self.excess)
        p = conformal_p_values(ordered, excess)
        if ordered.size < ENOUGH:
            return p
        beyond = excess > ordered[-1]
        if self.tail is None:
            mean = float(np.mean(ordered) + UPPER_95 * np.std(ordered, ddof=1) / np.sqrt(ordered.size))
            p[beyond] = np.minimum(p[beyond], mean / excess[beyond])
            return p
        p[beyond] = np.minimum(self.tail.survival(np.log(excess[beyond])), 1.0 / (ordered.size + 1))
        return p

    @cached_property
    def _own(self) -> NDArray[np.float64]:
        """``(objects,)`` ascending: sums of -log p of the normal objects of the cut itself; none without p-values of pixels."""
        if self.pixel_p_values is None:
            return np.empty(0)
        sums = [self._surprise_of(tile, self.threshold) for tile in self.tiles.tiles]
        return np.sort(np.concatenate(sums or [np.empty(0)]))

    def _by_own(self, surprise: NDArray[np.float64]) -> NDArray[np.float64]:
        """P(a normal object of this cut has as large a sum of -log p): by rank, and beyond the largest by Markov's inequality."""
        p = conformal_p_values(self._own, surprise)
        beyond = surprise > self._own[-1]
        p[beyond] = np.minimum(p[beyond], _upper_mean(self._own**MARKOV_POWER) / surprise[beyond] ** MARKOV_POWER)
        return p

    @cached_property
    def _looser(self) -> NDArray[np.float64] | None:
        """``(objects,)`` ascending: sums of -log p of the normal objects at the first cut that shows enough; None if none does."""
        if self.pixel_p_values is None:
            return None
        scores = np.sort(self.tiles.scores)
        above = scores.size - int(np.searchsorted(scores, self.threshold, side="right"))
        for times in LOOSER:
            pixels = int(times * max(above, 1))
            if pixels >= scores.size // 3:
                return None
            level = float(scores[scores.size - pixels - 1])
            sums = np.concatenate([self._surprise_of(tile, level) for tile in self.tiles.tiles])
            if sums.size >= ENOUGH_LOOSER:
                return np.sort(sums)
        return None

    def _surprise_of(self, tile: Tile, level: float) -> NDArray[np.float64]:
        """Sums of -log p over the pixels of each object of a tile above ``level``."""
        assert self.pixel_p_values is not None
        above = np.nan_to_num(tile.score, nan=-np.inf) > level
        surprise = -np.log(np.maximum(self.pixel_p_values(tile.score[above]), LEAST_P_VALUE))
        if tile.block == INDEPENDENT:
            return np.asarray(surprise, np.float64)
        labels, count = label(above)
        return np.asarray(np.bincount(labels[above], surprise, count + 1)[1:], np.float64)

    def _by_surprise(self, surprise: NDArray[np.float64]) -> NDArray[np.float64]:
        """P(a normal object of this cut has as large a sum of -log p), by the objects of the looser cut."""
        normal = self._looser
        assert normal is not None
        share = conformal_p_values(normal, surprise)
        beyond = surprise > normal[-1]
        share[beyond] = np.minimum(share[beyond], _upper_mean(normal**2) / surprise[beyond] ** 2)
        # All of them may be objects of this cut too; that it shows so few of them makes each of its objects the rarer.
        return np.asarray(np.minimum(1.0, share * normal.size / max(self.excess.size, 1)))

    def _bound(self, peak: NDArray[np.floating], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Markov's bound on the p-values, by peak and by size; 1 where the mean size of normal objects is unknown."""
        if self.mean_pixels is None or self.pixel_p_values is None:
            return np.ones(peak.shape)
        # A p-value counts scores at or above it, an object the pixels strictly above the cut: hence the next float.
        at_cut = float(self.pixel_p_values(np.array([np.nextafter(np.float32(self.threshold), np.float32(np.inf))]))[0])
        share = np.minimum(self.pixel_p_values(peak) / max(at_cut, 1e-300), 1 / np.maximum(pixels, 1.0))
        # Two bounds were tried, and the smaller was taken: Bonferroni's factor of 2 pays for the choice.
        return np.minimum(1.0, 2 * self.mean_pixels * share)


def _upper_mean(values: NDArray[np.float64]) -> float:
    """The 95 % upper bound of the mean of values, ascending; the largest counts once more, for one that was not seen yet."""
    mean = (values.sum() + values[-1]) / (values.size + 1)
    return float(mean + UPPER_95 * np.std(values, ddof=1) / np.sqrt(values.size))


def _count(score: NDArray[np.float32], level: float) -> int:
    """The number of objects of a map above ``level``."""
    return label(np.nan_to_num(score, nan=-np.inf) > level)[1]


def discoveries(p_values: NDArray[np.floating], rate: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which objects are discoveries at a false-discovery ``rate`` (Benjamini and Hochberg, 1995), and their adjusted p-values."""
    p_values = np.asarray(p_values, np.float64)
    if not 0 < rate < 1:
        raise ValueError(f"a false-discovery rate lies between 0 and 1, got {rate}")
    if not p_values.size:
        return np.zeros(0, bool), np.zeros(0)
    adjusted = _adjusted(p_values)
    return adjusted <= rate, adjusted


def _adjusted(p_values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Each p-value times the number of them over its rank, at most that of the next larger one (Yekutieli & Benjamini, 1999)."""
    order = np.argsort(p_values)
    scaled = np.asarray(p_values, np.float64)[order] * (order.size / np.arange(1, order.size + 1))
    adjusted = np.empty(order.size)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.clip(adjusted, 0.0, 1.0)
