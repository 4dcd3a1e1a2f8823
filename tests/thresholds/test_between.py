"""Between two models' scores: the ends, the order, and a share of the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specvae.thresholds.between import between

NATS = st.floats(-50, 1e6)


@given(NATS, NATS, st.floats(0, 1))
def test_it_lies_between_and_reaches_both_ends(held_out: float, seen: float, weight: float) -> None:
    high, low = np.array([held_out]), np.array([seen])
    mixed = float(between(high, low, weight)[0])
    slack = 1e-5 * max(1, abs(held_out), abs(seen))
    assert min(held_out, seen) - slack <= mixed <= max(held_out, seen) + slack
    np.testing.assert_allclose(between(high, low, 0.0), high, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(between(high, low, 1.0), low, rtol=1e-6, atol=1e-6)


@given(NATS, NATS, NATS, st.floats(0, 1))
def test_a_higher_score_stays_higher(one: float, other: float, seen: float, weight: float) -> None:
    low, high = between(np.sort([one, other]), np.array([seen, seen]), weight)
    assert low <= high + 1e-5 * max(1, abs(high))


def test_large_scores_meet_at_their_geometric_mean_and_invalid_ones_stay_so() -> None:
    assert between(np.array([1e6]), np.array([1e2]), 0.5)[0] == pytest.approx(1e4, rel=0.01)
    assert np.isnan(between(np.array([np.nan, 1.0]), np.array([1.0, np.nan]), 0.3)).all()
