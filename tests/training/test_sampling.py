"""Splits: seeded, buffered, and at most a fifth of a small scene held from training."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt

from specvae.model.config import SamplingConfig
from specvae.spectra import Window
from specvae.training.quota import Quota, Role
from specvae.training.sampling import regions_of, split_blocks, split_rows


@pytest.mark.parametrize("shape", [(100, 100), (80, 100), (177, 246), (64, 64)])
def test_at_most_about_a_fifth_of_a_small_scene_is_kept_from_training(shape: tuple[int, int]) -> None:
    for seed in range(5):
        role = split_blocks(shape, 7, SamplingConfig(), seed).role(Window(0, 0, *shape))
        assert 0.75 < (role == Role.TRAIN).mean() < 1.0
        assert (role == Role.CALIBRATION).sum() > 0
        assert (role == Role.VALIDATION).sum() > 0


@pytest.mark.parametrize("buffer", [0, 3, 7])
@pytest.mark.parametrize("shape", [(100, 100), (177, 246), (600, 500)])
def test_training_keeps_a_ring_radius_away_from_what_is_held_out(shape: tuple[int, int], buffer: int) -> None:
    for seed in range(3):
        role = split_blocks(shape, buffer, SamplingConfig(), seed).role(Window(0, 0, *shape))
        away = distance_transform_cdt(role != Role.CALIBRATION, metric="chessboard")
        assert away[role == Role.TRAIN].min() == buffer + 1
        assert away[role == Role.VALIDATION].min() > buffer


def test_a_split_is_that_of_its_seed() -> None:
    a, b, c = (split_blocks((300, 400), 7, SamplingConfig(), seed).roles for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_roles_do_not_depend_on_the_window_they_are_asked_for() -> None:
    split = split_blocks((700, 900), 7, SamplingConfig(), 3)
    whole = split.role(Window(0, 0, 700, 900))
    for window in (Window(0, 0, 64, 64), Window(128, 64, 64, 64), Window(5, 777, 300, 101)):
        np.testing.assert_array_equal(split.role(window), whole[window.slices])


def test_a_large_scene_is_read_block_by_block_and_each_once() -> None:
    split = split_blocks((2000, 1500), 7, SamplingConfig(), 0)
    seen = np.zeros((2000, 1500), int)
    for window in regions_of(split, 0):
        seen[window.slices] += 1
    assert (seen == 1).all()


def test_a_quota_stops_at_its_share() -> None:
    quota = Quota.share(SamplingConfig(max_pixels=1000), 2)
    first = quota.take(np.full((30, 30), Role.TRAIN, np.uint8))
    again = quota.take(np.full((30, 30), Role.TRAIN, np.uint8))
    assert (first == Role.TRAIN).sum() == 500
    assert (again == Role.UNUSED).all()


@pytest.mark.parametrize("n", [60, 1000, 100_001])
def test_a_table_is_split_into_runs_of_rows(n: int) -> None:
    role = split_rows(n, SamplingConfig(), 0).role(Window(0, 0, 1, n))
    shares = np.bincount(role.ravel(), minlength=4) / n
    assert 0.05 < shares[Role.CALIBRATION] < 0.3
    assert shares[Role.UNUSED] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 2)])
def test_a_tiny_scene_trains_with_all_it_has(shape: tuple[int, int]) -> None:
    assert (split_blocks(shape, 0, SamplingConfig(), 0).role(Window(0, 0, *shape)) != Role.UNUSED).all()


def test_a_region_brings_no_more_than_is_wanted_evenly_spread_and_held_out_blocks_stay_whole() -> None:
    role = np.full((100, 200), Role.TRAIN, np.uint8)
    role[:20], role[20:25] = Role.CALIBRATION, Role.VALIDATION
    quota = Quota({Role.TRAIN: 3000, Role.VALIDATION: 100, Role.CALIBRATION: 10})
    taken = quota.take(role)
    assert [(taken == kind).sum() for kind in (Role.TRAIN, Role.VALIDATION, Role.CALIBRATION)] == [3000, 100, 4000]
    rows = np.nonzero(taken == Role.TRAIN)[0]
    assert np.histogram(rows, bins=5, range=(25, 100))[0] == pytest.approx([600] * 5, abs=10)
    assert (quota.take(role) == Role.UNUSED).all()


def test_splitting_a_huge_scene_looks_at_blocks_and_never_at_pixels() -> None:
    tracemalloc.start()
    split = split_blocks((18_000, 36_000), 20, SamplingConfig(), 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    share = (split.roles == Role.CALIBRATION).mean()
    assert split.roles.shape == (282, 563)
    assert share == pytest.approx(SamplingConfig().calibration, abs=1e-4)
    assert peak < 36_000 * 18_000 / 10
