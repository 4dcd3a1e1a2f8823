"""Intervals of realised rates: exact for independent pixels, honest for blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from specvae.thresholds.bootstrap import BlockBootstrap, widen


def test_independent_pixels_have_a_design_effect_of_one_and_equal_ones_that_of_the_block_size() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(400), 25)
    alone = BlockBootstrap.of(labels)
    assert alone.design_effect(np.nonzero(rng.random(10_000) < 0.1)[0]) < 1.4
    together = np.nonzero(np.repeat(rng.random(400) < 0.1, 25))[0]
    assert 18 < alone.design_effect(together) < 32


def test_the_interval_of_independent_pixels_is_that_of_an_order_statistic() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(20_000)
    cut = np.sort(scores)[-200]
    interval = BlockBootstrap.of(np.arange(20_000) % 1000).rate_interval(np.nonzero(scores >= cut)[0])
    exact = stats.beta.ppf([0.05, 0.95], 200, 20_001 - 200)
    assert interval == pytest.approx(tuple(exact), rel=0.06)


def _covered(rate: float, blocks: int, size: int, correlation: float, splits: int) -> float:
    """Share of resampled calibrations whose interval holds the true rate above their cut."""
    rng = np.random.default_rng(7)
    labels = np.repeat(np.arange(blocks), size)
    hits = 0
    for _ in range(splits):
        shared = np.repeat(rng.standard_normal(blocks), size)
        scores = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.standard_normal(labels.size)
        cut = np.sort(scores)[-int(rate * (labels.size + 1))]
        low, high = BlockBootstrap.of(labels).rate_interval(np.nonzero(scores >= cut)[0])
        hits += low <= stats.norm.sf(cut) <= high
    return hits / splits


@pytest.mark.parametrize(
    ("rate", "blocks", "size", "correlation"), [(1e-1, 30, 256, 0.3), (1e-2, 100, 256, 0.2), (1e-3, 100, 300, 0.1)]
)
def test_ninety_percent_intervals_cover_the_rate_in_80_to_97_percent_of_200_splits(
    rate: float, blocks: int, size: int, correlation: float
) -> None:
    assert 0.80 <= _covered(rate, blocks, size, correlation, 200) <= 0.97


def test_few_blocks_widen_and_many_do_not() -> None:
    assert widen(2) > widen(5) > widen(30) > 1
    assert widen(1e6) == pytest.approx(1, abs=1e-3)
