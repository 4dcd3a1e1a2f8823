"""Conformal p-values against their definition and their guarantee."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from specvae.thresholds.conformal import conformal_p_values, conformal_rank, conformal_threshold

numbers = st.integers(-5, 5).map(float)


@given(st.lists(numbers, min_size=1, max_size=30), numbers)
def test_a_p_value_is_one_plus_the_scores_at_or_above_over_n_plus_one(known: list[float], score: float) -> None:
    p = conformal_p_values(np.sort(np.array(known)), np.array([score]))
    assert p[0] == (1 + sum(k >= score for k in known)) / (len(known) + 1)


def test_nan_scores_have_nan_p_values_of_any_shape() -> None:
    p = conformal_p_values(np.arange(9.0), np.array([[np.nan, 100.0], [-1.0, 8.0]]))
    np.testing.assert_array_equal(p, [[np.nan, 0.1], [1.0, 0.2]])


def test_exchangeable_scores_without_ties_have_p_values_uniform_on_k_over_n_plus_one() -> None:
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((20_000, 10))
    p = np.array([conformal_p_values(np.sort(row[1:]), row[:1])[0] for row in draws])
    counts = np.bincount(np.rint(p * 10).astype(int), minlength=11)[1:]
    np.testing.assert_allclose(p * 10, np.rint(p * 10), atol=1e-9)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_exchangeable_scores_with_ties_have_super_uniform_p_values() -> None:
    rng = np.random.default_rng(1)
    draws = rng.integers(0, 4, (20_000, 20))
    p = np.array([conformal_p_values(np.sort(row[1:]), row[:1])[0] for row in draws])
    for k in range(1, 21):
        assert np.mean(p <= k / 20 + 1e-9) <= k / 20 + 3 * np.sqrt(0.25 / len(p))


@given(st.lists(numbers, min_size=1, max_size=40), st.floats(0.001, 0.999))
def test_a_score_is_above_the_cut_exactly_where_its_p_value_is_at_most_the_rate(
    known: list[float], rate: float
) -> None:
    ordered = np.sort(np.array(known))
    cut = conformal_threshold(ordered, rate)
    scores = np.linspace(-6, 6, 49)
    np.testing.assert_array_equal(scores > cut, conformal_p_values(ordered, scores) <= rate * (1 + 1e-12))


@pytest.mark.parametrize(
    ("n", "rate", "rank"), [(999, 1e-3, 1), (998, 1e-3, 0), (99, 0.1, 10), (9, 0.3, 3), (0, 0.5, 0)]
)
def test_the_rank_is_the_largest_that_keeps_the_rate(n: int, rate: float, rank: int) -> None:
    assert conformal_rank(n, rate) == rank
