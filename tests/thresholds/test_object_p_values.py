"""Object p-values against scikit-image-free hand counts, and the false-discovery rate that they control."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from specvae.thresholds.calibration import Calibration
from specvae.thresholds.object_p_values import ObjectCalibration, discoveries, object_excess
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles, Tile


def test_the_excess_of_an_object_sums_over_its_8_connected_pixels() -> None:
    score = np.array([[5, 0, 0, 0], [0, 6, 0, np.nan], [0, 0, 0, 4], [3, 0, 0, 7]], np.float32)
    assert sorted(object_excess(score, 3.0).tolist()) == [5.0, 5.0], "3 is not above 3; 5 and 6 touch; 4 and 7 touch"
    assert object_excess(score, 100.0).size == 0


def noise(rng: np.random.Generator, tiles: int) -> CalibrationTiles:
    made = tuple(Tile(rng.exponential(size=(40, 40)).astype(np.float32), 0, i) for i in range(tiles))
    return CalibrationTiles(made, ("normal",))


def test_p_values_of_normal_objects_are_super_uniform() -> None:
    rng = np.random.default_rng(0)
    calibration = ObjectCalibration(noise(rng, 40), 4.0)
    fresh = np.concatenate([object_excess(t.score, 4.0) for t in noise(rng, 200).tiles])
    p = calibration.p_values(fresh)
    for level in (0.01, 0.05, 0.2, 0.5):
        assert np.mean(p <= level) <= level + 3 * np.sqrt(level / 500) + 0.01


def test_the_false_discovery_rate_is_controlled_and_large_objects_are_kept() -> None:
    rng = np.random.default_rng(1)
    shares, large_discoveries = [], 0
    for _ in range(30):
        calibration = ObjectCalibration(noise(rng, 60), 4.0)
        false = np.concatenate([object_excess(t.score, 4.0) for t in noise(rng, 3).tiles])
        excess = np.concatenate([np.full(20, 500.0), false])
        accepted, adjusted = discoveries(calibration.p_values(excess), 0.1)
        np.testing.assert_array_equal(accepted, adjusted <= 0.1)
        shares.append(accepted[20:].sum() / max(accepted.sum(), 1))
        large_discoveries += accepted[:20].sum()
    assert np.mean(shares) <= 0.12
    assert large_discoveries == 600


def test_without_a_normal_object_nothing_is_known_and_p_is_1() -> None:
    calibration = ObjectCalibration(noise(np.random.default_rng(0), 2), 1e6)
    assert calibration.p_values(np.array([3.0, 1e9])).tolist() == [1.0, 1.0]
    assert calibration.method == "ranks"


def test_few_normal_objects_bound_the_p_value_by_one_over_their_count_plus_one() -> None:
    score = np.zeros((9, 9), np.float32)
    score[::4, ::4] = 5
    calibration = ObjectCalibration(CalibrationTiles((Tile(score, 0, 0),), ("n",)), 1.0)
    assert calibration.excess.tolist() == [4.0] * 9
    assert calibration.p_values(np.array([4.0, 1e6])).tolist() == [1.0, 0.1]


def patches(rng: np.random.Generator, tiles: int) -> CalibrationTiles:
    """Exponential scores that neighbours share, so that normal objects have several pixels."""
    field = [scipy.ndimage.uniform_filter(rng.standard_normal((48, 48)), 3, mode="wrap") * 3 for _ in range(tiles)]
    made = tuple(Tile((-scipy.special.log_ndtr(-f)).astype(np.float32), 0, i) for i, f in enumerate(field))
    return CalibrationTiles(made, ("normal",))


def objects_of(tiles: CalibrationTiles, cut: float) -> list[np.ndarray]:
    """Excess, peak and pixels of every object."""
    per_tile = []
    for tile in tiles.tiles:
        labels, count = scipy.ndimage.label(tile.score > cut, structure=np.ones((3, 3)))
        peak = scipy.ndimage.maximum(tile.score, labels, np.arange(1, count + 1))
        per_tile.append([object_excess(tile.score, cut), peak, np.bincount(labels.ravel())[1:]])
    return [np.concatenate(column) for column in zip(*per_tile, strict=True)]


def test_few_normal_objects_bound_by_size_and_peak_and_the_bound_holds() -> None:
    """Over many calibrations with too few objects to rank, p-values of normal objects are super-uniform."""
    rng = np.random.default_rng(2)
    fresh, cut = patches(rng, 150), 8.0
    excess, peaks, pixels = objects_of(fresh, cut)
    p = []
    for _ in range(25):
        tiles = patches(rng, 4)
        calibration = ObjectCalibration(tiles, cut, Calibration(tiles).p_values)
        assert calibration.method == "bound"
        assert "10 are needed" in str(calibration.note)
        assert calibration.mean_pixels is not None
        assert 1 < calibration.mean_pixels < 20
        p.append(calibration.p_values(excess, peaks, pixels))
    for level in (0.05, 0.1, 0.3):
        assert np.mean(np.concatenate(p) <= level) <= 1.2 * level


def test_by_the_bound_a_peak_or_a_size_far_above_normal_is_a_discovery_among_a_few_objects() -> None:
    tiles = patches(np.random.default_rng(4), 4)
    calibration = ObjectCalibration(tiles, 8.0, Calibration(tiles).p_values)
    p = calibration.p_values(
        np.array([0.2, 0.5, 90.0, 90.0]), np.array([8.2, 8.5, 60.0, 8.9]), np.array([1, 3, 2, 2000])
    )
    accepted, _ = discoveries(p, 0.1)
    assert accepted.tolist() == [False, False, True, True]
    assert p[0] > 0.3


def test_an_object_far_beyond_all_normal_ones_has_a_smaller_p_value_than_ranks_can_give() -> None:
    """By Markov's inequality: the upper bound of the mean over what it has; still valid on fresh normal objects."""
    rng, low = np.random.default_rng(6), []
    fresh = objects_of(patches(rng, 400), 6.0)[0]
    for _ in range(20):
        tiles = patches(rng, 12)
        calibration = ObjectCalibration(tiles, 6.0, Calibration(tiles).p_values)
        n, largest = calibration.excess.size, calibration.excess.max()
        assert calibration.method == "ranks"
        assert 10 <= n < 500
        far = calibration.p_values(np.array([largest * 1.001, largest * 50, largest * 500]))
        assert far[0] == pytest.approx(1 / (n + 1))
        assert far[2] < far[1] < 1 / (n + 1)
        assert far[2] == pytest.approx(far[1] / 10)
        low.append(calibration.p_values(fresh))
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.concatenate(low) <= level) <= 1.2 * level


def surprise_of(tiles: CalibrationTiles, cut: float, calibration: Calibration) -> np.ndarray:
    """Sum of -log p over the pixels of every object."""
    sums = []
    for tile in tiles.tiles:
        labels, count = scipy.ndimage.label(tile.score > cut, structure=np.ones((3, 3)))
        surprise = -np.log(np.maximum(calibration.p_values(tile.score), 1e-12))
        sums.append(scipy.ndimage.sum(surprise, labels, np.arange(1, count + 1)))
    return np.concatenate(sums)


def test_by_the_sums_of_log_p_values_normal_objects_stay_super_uniform_and_large_ones_are_found() -> None:
    rng, p, found = np.random.default_rng(3), [], []
    cut = 8.0
    for _ in range(20):
        tiles, fresh = patches(rng, 8), patches(rng, 40)
        calibration = Calibration(tiles)
        objects = ObjectCalibration(tiles, cut, calibration.p_values)
        assert objects._looser is not None
        p.append(objects.p_values(*objects_of(fresh, cut), surprise_of(fresh, cut, calibration)))
        large = objects.p_values(np.array([30.0]), np.array([9.0]), np.array([300]), np.array([300 * 8.0]))
        without = objects.p_values(np.array([30.0]), np.array([9.0]), np.array([300]))
        found.append((large[0], without[0]))
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.concatenate(p) <= level) <= 1.2 * level
    large, without = np.median(found, axis=0)
    assert large < 0.01
    assert large < without


def test_without_a_pixel_above_any_cut_the_bound_knows_nothing() -> None:
    tiles = CalibrationTiles((Tile(np.ones((2, 3), np.float32), 0, 0),), ("n",))
    calibration = ObjectCalibration(tiles, 5.0, Calibration(tiles).p_values)
    assert calibration.p_values(np.array([9.0]), np.array([14.0]), np.array([1])).tolist() == [1.0]


def test_rows_of_a_table_are_no_neighbours() -> None:
    row = Tile(np.array([[5, 6, 0, 7]], np.float32), 0, INDEPENDENT)
    assert sorted(ObjectCalibration(CalibrationTiles((row,), ("t",)), 4.0).excess.tolist()) == [1, 2, 3]


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_a_false_discovery_rate_outside_0_to_1_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        discoveries(np.array([0.1]), rate)


def test_no_object_is_no_discovery() -> None:
    accepted, adjusted = discoveries(np.empty(0), 0.1)
    assert accepted.size == adjusted.size == 0


@pytest.mark.parametrize("n", [1, 2, 50])
def test_adjusted_p_values_are_those_of_scipy_to_the_bit(n: int) -> None:
    rng = np.random.default_rng(n)
    p_values = np.round(rng.random(n) ** 3, 2)
    _, adjusted = discoveries(p_values, 0.1)
    np.testing.assert_array_equal(adjusted, scipy.stats.false_discovery_control(p_values))


def test_objects_stand_out_that_19_in_20_normal_scenes_do_not_show() -> None:
    rng = np.random.default_rng(3)
    calibration, fires = ObjectCalibration(noise(rng, 60), 4.0), 0
    alarms = []
    for _ in range(200):
        normal = np.concatenate([object_excess(tile.score, 4.0) for tile in noise(rng, 2).tiles])
        alarms.append(calibration.outstanding(calibration.p_values(normal), 2 * 1600))
        fires += calibration.outstanding(calibration.p_values(np.append(normal, 2000.0)), 2 * 1600) or 0
    assert np.mean(np.array(alarms) > 0) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert fires >= 200
    assert ObjectCalibration(CalibrationTiles((), ()), 4.0).outstanding(np.zeros(3), 100) is None


def test_a_few_wide_objects_are_kept_among_many_normal_ones_of_a_small_calibration() -> None:
    """Of 10 to 50 normal objects ranks alone give no p-value that survives 30 comparisons; the sums' upper mean does."""
    rng, kept, false, p = np.random.default_rng(5), [], [], []
    for _ in range(15):
        tiles, fresh = patches(rng, 7), patches(rng, 7)
        calibration = Calibration(tiles)
        objects = ObjectCalibration(tiles, 6.0, calibration.p_values)
        assert 10 <= objects._own.size < 50
        assert objects.tail is None
        excess, peaks, pixels = objects_of(fresh, 6.0)
        sums = surprise_of(fresh, 6.0, calibration)
        p.append(objects.p_values(excess, peaks, pixels, sums))
        wide = np.full(3, 60.0 * objects._own.mean())
        among = objects.p_values(
            np.r_[excess, wide], np.r_[peaks, wide * 0 + 9], np.r_[pixels, [400] * 3], np.r_[sums, wide]
        )
        accepted, _ = discoveries(among, 0.1)
        kept.append(accepted[-3:].all())
        false.append(accepted[:-3].sum() / max(accepted.sum(), 1))
    assert np.mean(kept) > 0.9
    assert np.mean(false) <= 0.1
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.concatenate(p) <= level) <= 1.3 * level + 0.005
