"""The shift between two models' scores, by rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specvae.thresholds.rank_shift import RankShift


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_a_shift_in_the_bulk_is_undone_and_the_far_tail_stays(factor: float) -> None:
    scores = np.random.default_rng(0).gamma(3, 2, 50_000)
    shift = RankShift.fit(factor * scores, scores)
    bulk = np.quantile(scores, [0.02, 0.3, 0.6, 0.9, 0.97])
    np.testing.assert_allclose(shift.of(factor * bulk)[1:], bulk[1:], rtol=0.01)
    far = np.array([80.0, 300.0])
    np.testing.assert_array_equal(shift.of(far), far)
    assert shift.ratio == pytest.approx(1 / factor, rel=1e-6)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(0.2, 5), st.floats(0.2, 3), st.integers(0, 100))
def test_higher_scores_stay_higher(n: int, factor: float, power: float, seed: int) -> None:
    scores = np.random.default_rng(seed).exponential(size=n)
    shift = RankShift.fit(factor * scores**power, scores)
    mapped = shift.of(np.linspace(0, 30, 400))
    assert np.all(np.diff(mapped) >= -1e-9)


def test_too_few_pixels_shift_nothing_and_nan_stays_nan() -> None:
    shift = RankShift.fit(np.ones(20), np.full(20, 5.0))
    assert shift.of(np.array([1.0, 7.0])).tolist() == [1.0, 7.0]
    assert shift.ratio == 1.0
    scores = np.random.default_rng(1).exponential(size=1000)
    assert np.isnan(RankShift.fit(2 * scores, scores).of(np.array([np.nan]))).all()
