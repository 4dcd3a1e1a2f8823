"""The generalised Pareto law is scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import genpareto

from specvae.thresholds.pareto import pareto_excess, pareto_survival

SHAPES = st.one_of(st.just(0.0), st.floats(-0.9, -1e-3), st.floats(1e-3, 1.5))


@given(excess=st.floats(0, 1e4), shape=SHAPES, scale=st.floats(1e-3, 1e3))
def test_the_survival_function_is_that_of_scipy(excess: float, shape: float, scale: float) -> None:
    truth = genpareto.sf(excess, shape, scale=scale)
    assert float(pareto_survival(excess, shape, scale)) == pytest.approx(truth, rel=1e-9, abs=1e-300)


@given(share=st.floats(1e-9, 1.0), shape=SHAPES, scale=st.floats(1e-3, 1e3))
def test_the_quantile_is_that_of_scipy_and_undoes_the_survival_function(
    share: float, shape: float, scale: float
) -> None:
    excess = float(pareto_excess(share, shape, scale))
    assert excess == pytest.approx(genpareto.isf(share, shape, scale=scale), rel=1e-7, abs=1e-9 * scale)
    assert float(pareto_survival(excess, shape, scale)) == pytest.approx(share, rel=1e-5)


def test_many_shapes_are_served_at_once() -> None:
    shapes, scales = np.array([-0.3, 0.0, 1e-12, 0.4]), np.array([1.0, 2.0, 2.0, 3.0])
    survival = pareto_survival(np.array([[0.5], [4.0]]), shapes, scales)
    assert survival.shape == (2, 4)
    assert survival[:, 1] == pytest.approx(survival[:, 2])
    assert survival[1, 0] == 0  # beyond the end of a law of negative shape


def test_what_lies_below_the_start_is_exceeded_by_all() -> None:
    assert pareto_survival([-1.0, 0.0], 0.2, 1.0).tolist() == [1.0, 1.0]
    assert float(pareto_excess(0.0, 0.2, 1.0)) == np.inf
    assert float(pareto_excess(0.0, -0.5, 1.0)) == pytest.approx(2.0)
