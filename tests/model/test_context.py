"""Ring means: exact against an independent filter, and the same whatever window they are computed in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from specvae.model.config import ContextConfig
from specvae.model.context import RingContext, ring_sums, summed_area
from specvae.model.sizes import QUANTUM


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


def ring(outer: int = 15, guard: int = 7, bands: int = 5) -> RingContext:
    context = RingContext(bands, ContextConfig(kind="ring", outer=outer, guard=guard))
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
