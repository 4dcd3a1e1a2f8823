"""Ring means: exact against an independent filter, and the same whatever window they are computed in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from specvae.model.config import ContextConfig
from specvae.model.context import RingContext, ring_sums, summed_area
from specvae.model.context_prior import ContextPrior
from specvae.model.network_config import NetworkConfig
from specvae.model.sizes import QUANTUM
from specvae.model.vae import VAE


@pytest.mark.parametrize(("outer", "guard"), [(1, 0), (3, 1), (7, 3), (15, 7), (21, 9)])
def test_ring_sums_are_those_of_two_uniform_filters(outer: int, guard: int) -> None:
    maps = np.random.default_rng(0).integers(-1000, 1000, (140, 33)).astype(np.int32)
    half = outer // 2

    def box(side: int) -> np.ndarray:
        return uniform_filter(maps.astype(np.float64), side)[half : 140 - half, half : 33 - half] * side**2

    expected = box(outer) - (box(guard) if guard else 0)
    np.testing.assert_array_equal(ring_sums(summed_area(maps), outer, guard), np.rint(expected).astype(np.int32))


def test_ring_sums_stay_exact_where_running_sums_wrap_around() -> None:
    maps = np.full((200, 3000), 40_000, np.int32)
    assert (ring_sums(summed_area(maps), 15, 7) == 40_000 * (225 - 49)).all()


def ring(outer: int = 15, guard: int = 7, bands: int = 5, bounded: bool = False) -> RingContext:
    context = RingContext(bands, ContextConfig(kind="ring", outer=outer, guard=guard), bounded)
    return context.fit(np.random.default_rng(1).normal(size=(bands, 3000)))


def test_a_ring_mean_leaves_out_the_guard_and_what_is_not_valid() -> None:
    context = ring(outer=5, guard=3, bands=2)
    rng = np.random.default_rng(3)
    maps = rng.integers(-5000, 5000, (2, 12, 12)).astype(np.int32)
    valid = rng.random((12, 12)) > 0.3
    maps[:, ~valid] = 0
    means = context.ring_means(maps, valid)
    for row, col in ((0, 0), (3, 5), (7, 7)):
        mask = np.zeros((12, 12), bool)
        mask[row : row + 5, col : col + 5] = True
        mask[row + 1 : row + 4, col + 1 : col + 4] = False
        mask &= valid
        expected = maps[:, mask].mean(axis=1) * QUANTUM
        np.testing.assert_allclose(means[:, row, col], expected, rtol=1e-6)


def test_a_pixel_counts_by_its_weight() -> None:
    """Against the weighted mean of float components, which no code rounds to integers."""
    context = ring(outer=5, guard=3, bands=2, bounded=True)
    rng = np.random.default_rng(3)
    x = rng.normal(scale=2.5, size=(2, 144)).astype(np.float32)
    s = context.projection.numpy() @ x - context.shift.numpy()
    limit = float(context.limit)
    weight = np.clip((2.25 * limit - np.square(s).sum(axis=0)) / (1.25 * limit), 0, 1)
    assert (weight == 0).any()
    assert ((weight > 0) & (weight < 1)).any()
    means = context.ring_means(
        context.quantise(torch.from_numpy(x)).numpy().reshape(3, 12, 12), np.ones((12, 12), bool)
    )
    s, weight = np.clip(s, -3, 3).reshape(2, 12, 12), weight.reshape(12, 12)
    for row, col in ((0, 0), (3, 5), (7, 7)):
        mask = np.zeros((12, 12), bool)
        mask[row : row + 5, col : col + 5] = True
        mask[row + 1 : row + 4, col + 1 : col + 4] = False
        expected = (s * weight)[:, mask].sum(axis=1) / weight[mask].sum()
        np.testing.assert_allclose(means[:, row, col], expected, atol=2e-4)


def test_what_no_normal_pixel_looks_like_leaves_the_rings_of_its_neighbours_as_they_are() -> None:
    context = ring(bounded=True)
    x = np.random.default_rng(6).normal(size=(5, 30, 30)).astype(np.float32)
    spots = np.zeros((30, 30), bool)
    spots[5, 5] = spots[12:19, 12:20] = True

    def means(x: np.ndarray, valid: np.ndarray) -> np.ndarray:
        maps = context.quantise(torch.from_numpy(x.reshape(5, -1))).numpy().reshape(-1, 30, 30) * valid
        return context.ring_means(maps.astype(np.int32), valid)

    strange = np.where(spots, np.float32(1e3), x)
    np.testing.assert_array_equal(means(strange, np.ones((30, 30), bool)), means(strange, ~spots))


def test_a_ring_of_strange_pixels_alone_has_the_context_of_the_mean() -> None:
    context = ring(bounded=True)
    codes = context.quantise(torch.full((5, 400), 1e3))
    assert (context.ring_means(codes.numpy().reshape(-1, 20, 20), np.ones((20, 20), bool)) == 0).all()
    assert (context.alike(codes) == 0).all()


@pytest.mark.parametrize("bounded", [True, False])
def test_a_ring_everywhere_like_a_pixel_has_the_context_that_is_said_of_it(bounded: bool) -> None:
    context = ring(bounded=bounded)
    codes = context.quantise(torch.from_numpy(np.random.default_rng(8).normal(size=(5, 1)).astype(np.float32)))
    maps = np.repeat(codes.numpy(), 225, axis=1).reshape(-1, 15, 15)
    means = context.ring_means(maps, np.ones((15, 15), bool))
    np.testing.assert_allclose(means[:, 0, 0], context.alike(codes)[:, 0], atol=1e-5)


def test_a_ring_of_valid_pixels_has_the_same_bits_whether_others_are_valid_or_not() -> None:
    context = ring(outer=5, guard=3, bands=2)
    maps = np.random.default_rng(4).integers(-49_000, 49_000, (2, 20, 30)).astype(np.int32)
    valid = np.ones((20, 30), bool)
    whole = context.ring_means(maps, valid)
    valid[:, -1] = False
    np.testing.assert_array_equal(context.ring_means(maps, valid)[:, :, :-1], whole[:, :, :-1])


def test_a_ring_without_a_valid_pixel_has_the_context_of_the_mean() -> None:
    context = ring()
    means = context.ring_means(np.zeros((context.components, 20, 20), np.int32), np.zeros((20, 20), bool))
    assert (means == 0).all()


def test_components_of_training_spectra_have_unit_variance_and_no_correlation() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4, 4)) @ rng.normal(size=(4, 20_000)) * 0.4 + 1.0
    context = RingContext(4, ContextConfig(components=3)).fit(x)
    codes = (context.projection @ torch.from_numpy(x.astype(np.float32)) - context.shift).numpy()
    np.testing.assert_allclose(np.cov(codes), np.eye(3), atol=0.01)


def test_an_anomaly_weighs_little_in_the_rings_of_its_neighbours() -> None:
    context = ring()
    codes = context.quantise(torch.full((5, 1), 1e6)).numpy() * QUANTUM
    assert np.abs(codes).max() <= 3.0


def test_a_context_costs_half_its_squared_mahalanobis_distance() -> None:
    """Against the covariance of the normal contexts, and above a quantile of theirs if one is given."""
    contexts = np.random.default_rng(2).normal(size=(4, 50_000)) * [[1.0], [0.5], [0.2], [0.1]] + 0.3
    away = np.array([[3.0], [0.0], [-1.0], [50.0]])
    prior, above = ContextPrior(4), ContextPrior(4, 0.9)
    prior.fit(contexts)
    above.fit(contexts)
    c = torch.from_numpy(contexts.mean(axis=1, keepdims=True) + away).float()
    # 3 % of the contexts are dropped, so that the spread is a little less than that of all; the fourth is not judged.
    expected = 0.5 * (9 / 1.0 + 1 / 0.04)
    assert float(prior(c)) == pytest.approx(expected, rel=0.12)
    seen = torch.from_numpy(contexts).float()
    assert float((above(seen) > 0).float().mean()) == pytest.approx(0.1, abs=0.005)
    np.testing.assert_allclose(above(seen), (prior(seen) - float(above.expected)).clamp(min=0), atol=1e-4)


def test_the_kl_term_has_the_cost_of_the_context_in_full() -> None:
    torch.manual_seed(0)
    vae = VAE(5, 4, NetworkConfig(latent=3, hidden=(8,)))
    x, c = torch.randn(5, 100), torch.randn(4, 100)
    assert vae.context_prior is not None
    before = vae.terms(x, c)
    vae.context_prior.fit(np.random.default_rng(0).normal(size=(4, 2000)))
    after = vae.terms(x, c)
    torch.testing.assert_close(after.kl - before.kl, vae.context_prior(c), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(after.reconstruction, before.reconstruction, rtol=0, atol=0)
    assert float(vae.context_prior(c).max()) > 1.0
