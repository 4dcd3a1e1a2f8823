"""The Pareto tail against scipy, known laws, and data that it must refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from specvae.thresholds.bootstrap import BlockBootstrap
from specvae.thresholds.pareto import pareto_survival
from specvae.thresholds.tail import (
    AD_QUANTILES,
    AD_SHAPES,
    anderson_darling_p_value,
    fit_pareto,
    fit_tail,
)


def independent(n: int) -> BlockBootstrap:
    return BlockBootstrap.of(np.random.default_rng(9).permutation(n) % min(n, 1000))


def multivariate_t(rng: np.random.Generator, n: int) -> np.ndarray:
    """Half the squared Mahalanobis distance of 13 bands with 6 degrees of freedom."""
    return rng.f(13, 6, n) * 13 / 2


def multivariate_t_rate(value: float) -> float:
    return float(stats.f.sf(value * 2 / 13, 13, 6))


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2, 0.5])
def test_the_estimate_is_near_the_truth_and_near_maximum_likelihood(shape: float) -> None:
    rng = np.random.default_rng(3)
    excess = np.sort(stats.genpareto.rvs(shape, scale=2.5, size=2000, random_state=rng))
    estimate, scale = (float(v[0]) for v in fit_pareto(excess))
    assert abs(estimate - shape) < 0.09
    assert abs(scale / 2.5 - 1) < 0.1
    likely, _, likely_scale = stats.genpareto.fit(excess, floc=0)
    assert abs(estimate - likely) < 0.03
    assert abs(scale / likely_scale - 1) < 0.03


def test_weights_stand_for_repetitions() -> None:
    rng = np.random.default_rng(4)
    excess = np.sort(rng.exponential(size=200))
    weights = rng.integers(0, 3, 200).astype(float)
    weighted = fit_pareto(excess, weights[None])
    repeated = fit_pareto(np.repeat(excess, weights.astype(int)))
    assert abs(weighted[0][0] - repeated[0][0]) < 0.02
    assert abs(weighted[1][0] / repeated[1][0] - 1) < 0.03


@settings(deadline=None)
@given(st.floats(-0.5, 1.0), st.floats(0.1, 10), st.floats(0, 100))
def test_survival_is_that_of_scipy(shape: float, scale: float, excess: float) -> None:
    ours = float(pareto_survival(np.array([excess]), shape, scale)[0])
    expected = float(stats.genpareto.sf(excess, shape if abs(shape) >= 1e-9 else 0.0, scale=scale))
    assert ours == pytest.approx(expected, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("index", [1, 3, 5])
def test_the_table_of_the_anderson_darling_statistic_is_reproduced(index: int) -> None:
    """At the tabled 10 % quantile a fit to Pareto data is rejected in about a tenth of the draws."""
    rng = np.random.default_rng(index)
    rejected = 0
    for _ in range(400):
        excess = np.sort(stats.genpareto.rvs(AD_SHAPES[index], size=300, random_state=rng))
        shape, scale = (float(v[0]) for v in fit_pareto(excess))
        rejected += anderson_darling_p_value(excess, shape, scale, 1.0) < 0.1
    assert 0.05 < rejected / 400 < 0.16
    assert np.all(np.diff(AD_QUANTILES, axis=1) > 0)


def test_a_threshold_at_1e_5_from_5000_multivariate_t_scores_is_within_a_factor_of_3() -> None:
    """Refusals count as misses, and the 90 % interval covers what realises in 80 to 97 % of the draws."""
    rng = np.random.default_rng(0)
    realised, covered, refused = [], 0, 0
    for _ in range(100):
        tail = fit_tail(multivariate_t(rng, 5000), independent(5000))
        assert tail is not None
        refused += tail.refused is not None or tail.smallest_rate > 1e-5
        value = tail.threshold(1e-5)
        low, high = tail.rate_interval(value, 1e-5)
        realised.append(multivariate_t_rate(value))
        covered += low <= realised[-1] <= high
    assert 1 / 3 < np.median(realised) / 1e-5 < 3
    assert refused <= 5
    assert 80 <= covered <= 97


def test_cut_and_survival_are_inverse_and_the_interval_of_the_cut_holds_it() -> None:
    tail = fit_tail(np.random.default_rng(2).exponential(size=4000), independent(4000))
    assert tail is not None
    assert tail.refused is None
    for rate in (1e-3, 1e-4, 2e-5):
        value = tail.threshold(rate)
        assert float(tail.survival(value)) == pytest.approx(rate, rel=1e-6)
        low, high = tail.value_interval(rate)
        assert low < value < high
        assert low < -np.log(rate) < high


def test_forty_nine_excesses_give_no_tail() -> None:
    assert fit_tail(np.random.default_rng(0).normal(size=490), independent(490)) is None


def test_a_constant_gives_no_tail() -> None:
    assert fit_tail(np.full(5000, 3.0, np.float32), independent(5000)) is None


def test_a_tail_without_variance_is_refused() -> None:
    tail = fit_tail(np.random.default_rng(0).pareto(0.8, 20_000), independent(20_000))
    assert tail is not None
    assert tail.refused is not None
    assert "too heavy" in tail.refused


def test_excesses_all_from_few_blocks_are_refused() -> None:
    """Ten thousand pixels of twenty constant blocks tell as much as twenty pixels."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(20), 500)
    scores = rng.exponential(size=20)[labels] * 10 + rng.random(10_000) * 0.01
    tail = fit_tail(scores, BlockBootstrap.of(labels))
    assert tail is not None
    assert tail.refused is not None
    assert tail.effective_excesses < 15


def test_a_tail_of_two_lumps_is_rejected() -> None:
    rng = np.random.default_rng(5)
    lumps = rng.choice([5.0, 9.0], 2000) + rng.normal(size=2000) * 0.05
    tail = fit_tail(np.concatenate([rng.random(18_000), lumps]), independent(20_000))
    assert tail is None or tail.refused is not None or tail.start > 8.5
