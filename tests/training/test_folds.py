"""Folds: every pixel is scored by a model that was fitted without it and a ring around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt

from specvae.api.spectral_vae import SpectralVAE
from specvae.detector import Detector
from specvae.model.config import SamplingConfig
from specvae.spectra import Window
from specvae.training import cross_fit as module
from specvae.training.cross_fit import cross_fit
from specvae.training.folds import merged_count
from specvae.training.network import Fitted, fit_network
from specvae.training.quota import Quota, Role
from specvae.training.sampling import Region, cross_split, region_of_rows
from tests.models import SHORT_FIT, TEN_BANDS, cube_of, small_scene


@pytest.mark.parametrize("buffer", [0, 7])
@pytest.mark.parametrize("shape", [(100, 100), (177, 246), (600, 500), (1, 333)])
def test_a_fold_trains_a_ring_away_from_its_blocks_and_every_pixel_has_one_fold(
    shape: tuple[int, int], buffer: int
) -> None:
    buffer = 0 if shape[0] == 1 else buffer
    split = cross_split(shape, buffer, SamplingConfig(), 1)
    folds = split.fold_map(Window(0, 0, *shape), np.ones(shape, bool))
    assert folds is not None
    assert set(np.unique(folds.number)) == set(range(6))
    assert (split.role(Window(0, 0, *shape)) == Role.UNUSED).sum() == 0, "every pixel is for something"
    for fold in range(6):
        away = distance_transform_cdt(~folds.held(fold), metric="chessboard")
        np.testing.assert_array_equal(folds.apart(fold), away > buffer)


def test_folds_do_not_depend_on_the_window_they_are_asked_for() -> None:
    shape = (700, 900)
    split = cross_split(shape, 7, SamplingConfig(), 3)
    everything = split.fold_map(Window(0, 0, *shape), np.ones(shape, bool))
    assert everything is not None
    for window in (Window(0, 0, 64, 64), Window(128, 64, 64, 64), Window(5, 777, 300, 101)):
        part = split.fold_map(window, np.ones((window.rows, window.cols), bool))
        assert part is not None
        np.testing.assert_array_equal(part.number, everything.number[window.slices])
        np.testing.assert_array_equal(part.near, everything.near[window.slices])


def test_merged_folds_hold_the_pixels_of_those_that_they_were_made_of() -> None:
    split = cross_split((300, 300), 7, SamplingConfig(), 0)
    folds = split.fold_map(Window(0, 0, 300, 300), np.ones((300, 300), bool))
    assert folds is not None
    three = folds.merged(3)
    for fold in range(3):
        np.testing.assert_array_equal(three.held(fold), folds.held(fold) | folds.held(fold + 3))
        np.testing.assert_array_equal(three.apart(fold), folds.apart(fold) & folds.apart(fold + 3))
    assert merged_count(6, 1_000_001) == 3


def test_a_large_scene_calibrates_with_complete_blocks_until_its_quota_is_full() -> None:
    quota = replace(Quota.crossed(SamplingConfig(), 1), folded=5000)
    block = np.arange(100)[:, None] // 20 * 5 + np.arange(100)[None] // 20
    chosen = quota.calibrating(np.ones((100, 100), bool), block)
    shares = np.bincount(block.ravel(), chosen.ravel()) / 400
    assert set(shares) == {0.0, 1.0}
    assert 5000 <= chosen.sum() < 5400
    assert not quota.calibrating(np.ones((100, 100), bool), block).any()


def crossed_region(seed: int = 0, change: np.ndarray | None = None) -> Region:
    """The small scene of the tests, cross-fitted, with some pixels replaced."""
    cube = cube_of(small_scene())
    values = cube.values if change is None else np.where(change, np.float32(9.0), cube.values)
    cube = replace(cube, values=values.astype(np.float32))
    split = cross_split((cube.window.rows, cube.window.cols), 7, SHORT_FIT.sampling, seed)
    usable = cube.valid
    role = Quota.crossed(SHORT_FIT.sampling, 1).take(np.where(usable, split.role(cube.window), 0).astype(np.uint8))
    return Region(cube, cube.window, role, split.block(cube.window), 0, split.fold_map(cube.window, usable))


def fitted(region: Region) -> tuple[Fitted, object]:
    config = SHORT_FIT.resolved(table=False, bands=len(region.cube.values))
    return fit_network([region], region.spectra(Role.TRAIN), config, True, "cpu", 1), config


def test_every_usable_pixel_calibrates_once() -> None:
    region = crossed_region()
    detector = Detector.fit((region,), TEN_BANDS, SHORT_FIT, ("scene",), True)
    assert detector.calibration.size == region.cube.valid.sum()
    folds = detector.provenance["folds"]
    assert folds["count"] == 6
    assert sum(folds["pixels"]) == detector.calibration.size
    assert all(0.3 < shift < 1.2 for shift in folds["shift"])


def test_the_model_of_a_fold_never_saw_its_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other values in the blocks of a fold, beyond the reach of a ring, change nothing in the model of that fold."""
    states = []
    inner = module.fit_network

    def spy(*arguments: object, **options: object) -> Fitted:
        made = inner(*arguments, **options)  # type: ignore[arg-type]
        states.append({name: value.copy() for name, value in made.state.arrays.items()})
        return made

    plain = crossed_region()
    assert plain.folds is not None
    inside = distance_transform_cdt(plain.folds.held(2), metric="chessboard") > 0
    whole, config = fitted(plain)
    monkeypatch.setattr(module, "fit_network", spy)
    for region in (plain, crossed_region(change=inside)):
        cross_fit([region], whole, config, ("scene",), True, "cpu", 1, 24)  # type: ignore[arg-type]
    first, second = states[:6], states[6:]
    same = [all(np.array_equal(a[k], b[k]) for k in a) for a, b in zip(first, second, strict=True)]
    assert same == [fold == 2 for fold in range(6)]


def test_rows_have_the_folds_of_the_command_line_and_one_fold_is_a_share() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 5))
    crossed = region_of_rows(rows, np.ones(400, bool), SamplingConfig(), 0)
    assert crossed.folds is not None
    assert (crossed.role != Role.CALIBRATION).all()
    assert np.bincount(crossed.folds.number.ravel()).min() > 40
    split = region_of_rows(rows, np.ones(400, bool), SamplingConfig(folds=1), 0)
    assert split.folds is None
    assert 0.05 < (split.role == Role.CALIBRATION).mean() < 0.3


def test_of_exchangeable_rows_the_guarantee_holds_and_the_rate_is_near_what_was_asked() -> None:
    """Fits of 150 rows of a known law, 5 % asked: at most twice as many above the cut, in fact about as many."""
    realised = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        shape = rng.normal(size=(2, 5))
        rows, fresh = (rng.normal(size=(n, 2)) @ shape + 0.3 * rng.normal(size=(n, 5)) for n in (150, 20_000))
        model = SpectralVAE(steps=40, random_state=seed).fit(rows).calibrate(false_alarm_rate=0.05)
        assert model.threshold_ is not None
        assert (model.threshold_.method, model.threshold_.supported) == ("empirical", True)
        assert model.detector_.calibration.size == 150
        realised.append(float((model.predict(fresh) == -1).mean()))
    assert 0.02 < np.mean(realised) < 0.09
    assert max(realised) < 0.15


def test_scores_move_towards_the_model_of_all_by_what_the_rings_take() -> None:
    """As much as the maps say; not at all without a ring, and rows have none."""
    region = crossed_region()
    folds = region.folds
    assert folds is not None
    whole, config = fitted(region)
    summary = cross_fit([region], whole, config, ("scene",), True, "cpu", 1, 24).summary  # type: ignore[arg-type]
    train = region.role == Role.TRAIN
    for fold, lacking in enumerate(summary["lacking"]):
        outside = train & ~folds.held(fold)
        assert lacking == pytest.approx(1 - (train & folds.apart(fold)).sum() / outside.sum(), abs=1e-4)
    assert 0.1 < min(summary["lacking"]) < max(summary["lacking"]) < 0.5
    rows = SpectralVAE(steps=20).fit(np.random.default_rng(0).normal(size=(200, 4))).calibrate()
    assert rows.detector_.provenance["folds"]["lacking"] == [0.0] * 6
