"""Marginals and their cost against densities that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from specvae.model.marginals import MOST, Marginals
from specvae.model.normaliser import Normaliser
from specvae.model.sizes import KNOTS


def standard(values: np.ndarray) -> np.ndarray:
    return (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)


def draws(n: int = 20_000) -> np.ndarray:
    rng = np.random.default_rng(0)
    two = np.where(rng.random(n) < 0.5, rng.normal(-3, 0.5, n), rng.normal(3, 0.5, n))
    return standard(np.stack([rng.normal(size=n), rng.exponential(size=n), two]))


def tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))


def test_what_was_learned_becomes_standard_normal() -> None:
    values = draws()
    mapped = Marginals.fit(values, 1.0)(tensor(values)).numpy()
    for band in mapped:
        assert abs(band.mean()) < 0.05
        assert band.std() == pytest.approx(1.0, abs=0.08)
        assert stats.kstest(band, "norm").statistic < 0.03


def test_the_cost_is_the_log_density_that_the_change_of_variable_takes_away() -> None:
    # p(x) = phi(T(x)) T'(x), and the cost is -log T' up to a constant: so phi's cost and it give -log p.
    rng = np.random.default_rng(1)
    values = standard(rng.exponential(size=(1, 50_000)))
    marginals = Marginals.fit(values, 1.0)
    at = np.linspace(-0.6, 2.5, 50)[None]  # exponential in standard units: density exp(-(t + 1)) from -1 on
    mapped, cost = marginals(tensor(at)).numpy(), marginals.cost(tensor(at)).numpy()
    nats = 0.5 * mapped**2 + cost
    np.testing.assert_allclose(nats - nats[0, 0], at - at[0, 0], atol=0.15)


def test_between_two_clusters_costs_more_than_inside_them() -> None:
    marginals = Marginals.fit(draws(), 1.0)
    clusters, between = (np.zeros((3, 1), np.float32) for _ in range(2))
    clusters[2] = 3 / np.hypot(3, 0.5)
    assert float(marginals.cost(tensor(between))[2]) > float(marginals.cost(tensor(clusters))[2]) + 2


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=40))
def test_the_map_never_falls_and_the_cost_is_never_negative_nor_large(cells: list[float]) -> None:
    marginals = Marginals.fit(draws(2000), 0.5)
    at = np.sort(np.array(cells, np.float32))
    grid = tensor(np.tile(at, (3, 1)))
    mapped, cost = marginals(grid).numpy(), marginals.cost(grid).numpy()
    assert (np.diff(mapped, axis=1) >= -1e-4 * np.abs(mapped[:, 1:])).all()
    assert (cost >= 0).all()
    assert (cost <= 0.5 * MOST + 1e-6).all()


def test_the_inverse_brings_back_what_came() -> None:
    values = draws(5000)
    marginals = Marginals.fit(values, 1.0)
    at = np.linspace(-2, 4, 301)[None].repeat(3, 0)
    back = marginals.inverse(marginals(tensor(at))).numpy()
    # Where the density is next to nothing T is flat, and no inverse can tell.
    seen = marginals.cost(tensor(at)).numpy() < 3
    np.testing.assert_allclose(back[seen], at[seen], atol=0.03)


def test_what_a_decoder_expects_beyond_a_flat_end_stays_near_the_training_values() -> None:
    values = standard(np.random.default_rng(2).gamma(0.3, size=(1, 4000)))
    marginals = Marginals.fit(values, 1.0)
    assert float(marginals.slope.min()) < 0.6  # the long tail: a step of T there is many standard units
    ends = marginals.value[:, [0, -1]] + torch.tensor([[-1.0, 1.0]])
    back = marginals.inverse(ends).numpy()[0]
    high = float(marginals.low + (KNOTS - 1) * marginals.step)
    assert float(marginals.low) - 1.001 <= back[0] <= float(marginals.low)
    assert high <= back[1] <= high + 1.001


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 30)),
        np.ones((1, 1)),
        np.tile([0.0, 1.0], (2, 20)),
        np.repeat([[0.0, 0.0, 0.0, 9.0]], 3, 0),
        np.array([[1e-30, 2e-30, 3e-30]]),
    ],
    ids=["constant", "one", "binary", "spike", "tiny"],
)
def test_bands_without_a_density_are_finite_everywhere(values: np.ndarray) -> None:
    marginals = Marginals.fit(values, 1.0)
    at = tensor(np.tile([-1e30, -5.0, -1e-3, 0.0, 1e-3, 1.0, 5.0, 1e30], (len(values), 1)))
    assert bool(torch.isfinite(marginals(at)).all())
    assert bool(torch.isfinite(marginals.cost(at)).all())
    assert marginals.value.shape == (len(values), KNOTS)


def test_a_departure_from_a_constant_band_is_seen() -> None:
    values = np.full((1, 500), 5.0)
    normaliser = Normaliser.fit(values, marginal=1.0)
    same, near, far = (normaliser(tensor(np.array([[v]]))).abs().item() for v in (5.0, 5.2, 10.0))
    assert same < 0.1 < near < far


def test_a_normaliser_without_marginals_has_no_cost() -> None:
    values = draws(100)
    assert Normaliser.fit(values).cost(tensor(values)) is None
    cost = Normaliser.fit(values, marginal=1.0).cost(tensor(values))
    assert cost is not None
    assert cost.shape == (3, 100)


def test_the_weight_scales_the_cost_alone() -> None:
    values = draws(1000)
    whole, half = Marginals.fit(values, 1.0), Marginals.fit(values, 0.5)
    np.testing.assert_allclose(half.cost(tensor(values)), 0.5 * whole.cost(tensor(values)), rtol=1e-5)
    np.testing.assert_array_equal(half(tensor(values)), whole(tensor(values)))
