"""The bound on false flags: it holds at every cut at once where the truth is known, and is no triviality."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from specvae.thresholds.false_share import bound_false_share
from specvae.thresholds.tiles import CalibrationTiles, Tile

BLOCKS, SIDE = 60, 24


def blocks(random: np.random.Generator, count: int) -> np.ndarray:
    """``(count, SIDE, SIDE)`` normal scores: blocks differ in their scale, so that false alarms come together."""
    scale = np.exp(0.25 * random.normal(size=(count, 1, 1)))
    return (scale * random.exponential(size=(count, SIDE, SIDE))).astype(np.float32)


def tiles_of(scores: np.ndarray) -> CalibrationTiles:
    return CalibrationTiles(tuple(Tile(score, 0, i) for i, score in enumerate(scores)), ("a",))


def counts_above(scores: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    ordered = np.sort(scores.ravel())
    return lambda cuts: ordered.size - np.searchsorted(ordered, np.asarray(cuts, np.float32), side="right")


def test_it_holds_at_all_cuts_together_in_nineteen_of_twenty_scenes() -> None:
    random = np.random.default_rng(1)
    broken = 0
    for trial in range(60):
        normal = blocks(random, 40)
        planted = random.exponential(size=300).astype(np.float32) + random.choice([4, 8, 14])
        everything = np.r_[normal.ravel(), planted]
        bound = bound_false_share(tiles_of(blocks(random, BLOCKS)), everything.size, seed=trial)
        assert bound is not None
        cuts = np.quantile(everything, np.r_[0.5, 0.9, 0.99, 0.995, 0.999, 0.9999])
        share = bound.share(cuts, counts_above(everything))
        truth = counts_above(normal)(cuts) / counts_above(everything)(cuts)
        broken += bool((truth > share + 1e-9).any())
    # 3 of 60 are expected at most; 8 are beyond chance (p < 0.02).
    assert broken <= 7


def test_strong_targets_are_known_to_be_mostly_true_and_noise_is_not() -> None:
    random = np.random.default_rng(0)
    normal = blocks(random, 40)
    bound = bound_false_share(tiles_of(blocks(random, BLOCKS)), normal.size + 500)
    assert bound is not None
    everything = np.r_[normal.ravel(), np.full(500, 60, np.float32)]
    strong, weak = bound.share(np.array([20.0, 3.0]), counts_above(everything))
    assert strong < 0.2
    assert weak > 0.4
    noise = bound.share(np.array([4.0, 1e9]), counts_above(normal))
    assert noise[0] == pytest.approx(1.0, abs=0.35)
    assert np.isnan(noise[1])


def test_without_held_out_scores_there_is_no_bound() -> None:
    assert bound_false_share(CalibrationTiles((), ()), 100) is None
    assert bound_false_share(tiles_of(blocks(np.random.default_rng(0), 5)), 0) is None
