"""Pooled evidence against SciPy's filters, and what it must never do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d, gaussian_filter, rank_filter

from specvae.scoring.pooling import (
    GUARD,
    HALO,
    REACH,
    SIDE,
    SPACING,
    WEIGHT,
    blind_beyond,
    pool,
    reach_of,
    stored_reach,
)


def scores(rows: int = 50, cols: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(3.0, 2.0, (rows, cols)).astype(np.float32)


@pytest.mark.parametrize(("reach", "guard"), [(6, 2), (8, 3), (REACH, 4)])
def test_evidence_is_a_smoothed_log_less_a_quantile_of_the_ring(reach: int, guard: int) -> None:
    assert round(GUARD * reach) == guard
    score = scores()
    footprint = np.zeros((2 * reach + 1, 2 * reach + 1), bool)
    footprint[::SPACING, ::SPACING] = True
    footprint[reach - guard : reach + guard + 1, reach - guard : reach + guard + 1] = False
    rank = int(np.floor(2 / 3 * (footprint.sum() - 1) + 0.5))
    weights = [SIDE, 1 - 2 * SIDE, SIDE]
    smooth = correlate1d(correlate1d(np.log(score), weights, axis=0), weights, axis=1)
    # Beyond the border the ring sees the scene mirrored.
    expected = smooth - WEIGHT * rank_filter(np.log(score), rank, footprint=footprint, mode="reflect")
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(pool(score, reach)[inner], expected[inner], atol=2e-6)


@pytest.mark.parametrize("window", [(5, 40, 3, 58), (0, 35, 20, 60)])
def test_a_crop_with_its_halo_gives_the_same_bits(window: tuple[int, int, int, int]) -> None:
    score = scores(70, 90)
    score[20:24, 30:50] = np.nan
    top, bottom, left, right = window
    part = pool(score[max(0, top - HALO) : bottom + HALO, max(0, left - HALO) : right + HALO])
    part = part[min(top, HALO) :][: bottom - top, min(left, HALO) :][:, : right - left]
    np.testing.assert_array_equal(part, pool(score)[top:bottom, left:right])


def test_invalid_pixels_have_no_evidence_and_give_none() -> None:
    score = scores()
    hole = score.copy()
    hole[25, 30] = np.nan
    other = score.copy()
    other[25, 30] = np.nan
    pooled = pool(hole)
    assert np.isnan(pooled[25, 30])
    assert np.isfinite(pooled).sum() == score.size - 1
    np.testing.assert_array_equal(pooled, pool(other))


def test_a_target_stands_out_more_on_quiet_ground_than_on_rough() -> None:
    score = scores()
    score[:, 30:] *= 10.0
    score[25, 10] = score[25, 45] = 300.0
    pooled = pool(score)
    assert pooled[25, 10] > pooled[25, 45] + 0.5
    assert pooled[25, 45] > np.median(pooled[:, 32:])


def test_a_scene_of_one_pixel_and_an_invalid_one_are_handled() -> None:
    assert np.isfinite(pool(np.array([[5.0]], np.float32))).all()
    assert np.isnan(pool(np.full((4, 5), np.nan, np.float32))).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 2.0**90, width=32), st.integers(0, 24), st.integers(0, 24))
def test_evidence_is_finite_and_rises_with_the_score(value: float, row: int, col: int) -> None:
    score = scores(25, 25)
    score[row, col] = value
    low = pool(score)
    score[row, col] = 2 * value + 1
    high = pool(score)
    assert np.isfinite(low).all()
    assert high[row, col] > low[row, col]


@pytest.mark.parametrize(("deviation", "expected"), [(0.0, 6), (2.0, 6), (3.5, 7), (4.0, 8), (20.0, 10)])
def test_the_ring_reaches_as_far_as_normal_scores_are_alike(deviation: float, expected: int) -> None:
    """White noise smoothed by a Gaussian of s pixels has the autocorrelation exp(-d^2 / 4 s^2): 1/e at 2 s."""
    noise = np.random.default_rng(0).standard_normal((400, 400))
    score = np.exp(gaussian_filter(noise, deviation) * 5 if deviation else noise).astype(np.float32)
    assert abs(reach_of([score]) - expected) <= (1 if 3 < deviation < 5 else 0)
    few = score.copy()
    few[100:110, 200:220] = 1e6
    few[:50] = np.nan
    assert abs(reach_of([few]) - reach_of([score])) <= 1, "targets and gaps move no ranks"
    assert abs(reach_of([score[:, :200], score[:, 200:]]) - reach_of([score])) <= 1


def test_without_scores_the_ring_is_that_of_earlier_versions() -> None:
    flat = np.ones((30, 30), np.float32)
    assert reach_of([]) == reach_of([flat]) == reach_of([np.full((9, 9), np.nan, np.float32)]) == REACH
    assert stored_reach({}) == REACH
    assert stored_reach({"pooling": {"reach": 7}}) == 7
    assert "15 x 15 pixels" in blind_beyond(7)
