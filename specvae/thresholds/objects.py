"""p-values of anomalous objects, against the objects that normal held-out tiles show at the same cut, and their FDR."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

from specvae.thresholds.empirical import conformal_p_values
from specvae.thresholds.intervals import BlockBootstrap
from specvae.thresholds.tail import Tail, fit_tail
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles

__all__ = ["ObjectCalibration", "discoveries", "object_excess"]

EIGHT_CONNECTED = np.ones((3, 3), dtype=np.int8)


def object_excess(score: NDArray[np.floating], threshold: float) -> NDArray[np.float64]:
    """``(objects,)``: summed nats above ``threshold`` of each 8-connected object of a map ``(rows, cols)``, NaN invalid.

    For an object of another count: pixels * (mean score - threshold).
    """
    above = np.nan_to_num(score, nan=-np.inf) > threshold
    labels, count = scipy.ndimage.label(above, structure=EIGHT_CONNECTED)
    excess = np.where(above, score - np.float64(threshold), 0.0)
    return np.asarray(scipy.ndimage.sum_labels(excess, labels, np.arange(1, count + 1)), np.float64).reshape(count)


@dataclass(frozen=True, eq=False)
class ObjectCalibration:
    """What objects normal data show above a cut."""

    tiles: CalibrationTiles
    threshold: float
    """Nats."""

    @cached_property
    def _found(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Excess of each object of the tiles, and the number of its tile."""
        found = [self._of(tile.score, tile.block) for tile in self.tiles.tiles]
        owner = np.repeat(np.arange(len(found)), [f.size for f in found])
        return np.concatenate(found or [np.empty(0)]), owner

    def _of(self, score: NDArray[np.float32], block: int) -> NDArray[np.float64]:
        if block != INDEPENDENT:
            return object_excess(score, self.threshold)
        above = score[np.nan_to_num(score, nan=-np.inf) > self.threshold]
        return above.astype(np.float64) - self.threshold

    @property
    def excess(self) -> NDArray[np.float64]:
        """``(objects,)``: summed nats above the cut of each object in the tiles. One cut by a tile's edge counts as it stands."""
        return self._found[0]

    @cached_property
    def tail(self) -> Tail | None:
        """The Pareto tail of the excesses, in their logarithm, since sums over objects are very heavy-tailed; None if refused."""
        excess, owner = self._found
        if excess.size < 2:
            return None
        labels = np.unique(owner, return_inverse=True)[1]
        tail = fit_tail(np.log(np.maximum(excess, 1e-12)), BlockBootstrap.of(labels))
        return tail if tail is not None and tail.refused is None else None

    @property
    def method(self) -> str:
        """``pareto`` where a tail goes beyond the largest normal object, else ``bound``: no p-value is below 1 / (n + 1)."""
        return "pareto" if self.tail else "bound"

    def p_values(self, excess: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(objects,)``: P(a normal object has as much excess); conformal, then the tail, never above 1 / (n + 1) there.

        Without an object in the tiles every p-value is 1: nothing is known of normal objects.
        """
        excess = np.asarray(excess, np.float64)
        ordered = np.sort(self.excess)
        p = conformal_p_values(ordered, excess)
        if self.tail is None:
            return p
        beyond = excess > ordered[-1]
        p[beyond] = np.minimum(self.tail.survival(np.log(excess[beyond])), 1.0 / (ordered.size + 1))
        return p


def discoveries(p_values: NDArray[np.floating], rate: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Benjamini and Hochberg (1995): which objects stand at a false-discovery ``rate``, and their adjusted p-values."""
    p_values = np.asarray(p_values, np.float64)
    if not 0 < rate < 1:
        raise ValueError(f"a false-discovery rate lies between 0 and 1, got {rate}")
    if not p_values.size:
        return np.zeros(0, bool), np.zeros(0)
    adjusted = np.asarray(scipy.stats.false_discovery_control(p_values, method="bh"))
    return adjusted <= rate, adjusted
