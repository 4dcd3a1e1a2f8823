"""The survival histogram against sorting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from specvae.scoring.gathered.survival import SurvivalHistogram

scores = hnp.arrays(np.float32, st.integers(0, 60), elements=st.floats(-(2.0**90), 2.0**90, width=32))


@given(scores, st.floats(-(2.0**90), 2.0**90, width=32))
def test_a_count_above_is_exact_to_the_bin_that_holds_the_threshold(values: np.ndarray, threshold: float) -> None:
    histogram = SurvivalHistogram()
    histogram.add(values)
    survival = histogram.finish()
    step = abs(threshold) / 64 + 1e-37
    above = survival.count_above(threshold)
    assert (values > threshold + step).sum() <= above <= (values > threshold).sum()


@given(scores, scores)
def test_merged_histograms_are_those_of_all_scores_in_any_order(first: np.ndarray, second: np.ndarray) -> None:
    one, two, both = SurvivalHistogram(), SurvivalHistogram(), SurvivalHistogram()
    one.add(first)
    two.add(second)
    one.merge(two)
    both.add(np.concatenate([second, first]))
    np.testing.assert_array_equal(one.finish().counts, both.finish().counts)
    assert both.finish().total == first.size + second.size


def test_nan_and_infinite_scores_are_left_out() -> None:
    histogram = SurvivalHistogram()
    histogram.add(np.array([[np.nan, 1.0], [np.inf, -np.inf]], np.float32))
    assert histogram.finish().total == 1


def test_infinite_thresholds_have_all_or_nothing_above_and_nan_is_refused() -> None:
    histogram = SurvivalHistogram()
    histogram.add(np.arange(5, dtype=np.float32))
    survival = histogram.finish()
    assert (survival.count_above(-np.inf), survival.count_above(np.inf)) == (5, 0)
    with pytest.raises(ValueError, match="NaN"):
        survival.count_above(np.nan)


def test_quantiles_are_within_one_percent_of_those_of_numpy() -> None:
    values = np.random.default_rng(0).lognormal(size=20_000).astype(np.float32)
    histogram = SurvivalHistogram()
    histogram.add(values)
    for share in (0.01, 0.5, 0.99):
        assert histogram.finish().quantile(share) == pytest.approx(float(np.quantile(values, share)), rel=0.012)
    assert SurvivalHistogram().finish().quantile(0.5) is None


def test_points_are_edges_that_rise_with_counts_that_fall_from_all() -> None:
    histogram = SurvivalHistogram()
    histogram.add(np.array([-2, -1, 0, 1, 2, 2], np.float32))
    edges, above = histogram.finish().points()
    np.testing.assert_allclose(edges, [-2, -1, 0, 1, 2], rtol=1 / 127)
    np.testing.assert_array_equal(above, [6, 5, 4, 3, 2])
