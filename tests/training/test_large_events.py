"""Events that are larger than the ring: a fire must not hide in the fire around it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.model.config_file import load_config
from specvae.scoring.gathered.metrics import auroc
from specvae.spectra import Cube, Window
from specvae.stages.demo.synthetic import endmembers, make_scene
from specvae.training.sampling import Region, Role

FEW_BANDS = [3, 6, 9]


def cube_of(values: np.ndarray) -> Cube:
    reason = (values == 0).any(axis=0).astype(np.uint8)
    return Cube(values[FEW_BANDS].astype(np.float32), reason, Window(0, 0, *reason.shape))


def fitted(*settings: str) -> Detector:
    cube = cube_of(make_scene(160, 160, seed=3).values)
    block = np.arange(160)[:, None] // 32 * 5 + np.arange(160)[None] // 32
    roles = np.where(block % 4 == 0, np.uint8(Role.CALIBRATION), np.uint8(Role.TRAIN))
    region = Region(cube, cube.window, np.where(cube.valid, roles, np.uint8(Role.UNUSED)), block, 0)
    bands = BandSet(tuple(Band(f"b{i}") for i in FEW_BANDS))
    return Detector.fit([region], bands, load_config(settings=["training.steps=100", *settings]), ("made",))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return fitted()


def event(share: float) -> tuple[Cube, np.ndarray]:
    """Another night, of which half-burnt ground covers a share, in areas much larger than the ring."""
    scene = make_scene(160, 160, seed=4)
    field = gaussian_filter(np.random.default_rng(1).standard_normal((160, 160)), 20)
    truth = (field > np.quantile(field, 1 - share)) & (scene.truth != 255)
    values = scene.values.astype(np.float64)
    burn = 10_000 * endmembers()["burn"][:, None] * np.random.default_rng(2).normal(1, 0.03, (1, int(truth.sum())))
    values[:, truth] = 0.5 * values[:, truth] + 0.5 * burn
    return cube_of(values), truth


@pytest.fixture(scope="module")
def ring_alone() -> Detector:
    return fitted("context.surprise=1", "context.bound=1")


def area(detector: Detector, cube: Cube, truth: np.ndarray) -> float:
    return auroc(detector.score(cube, cube.window).score[cube.valid], truth[cube.valid]) or 0.0


@pytest.mark.parametrize("share", [0.1, 0.25, 0.45])
def test_its_inside_is_found_by_the_cost_of_its_surroundings(
    detector: Detector, ring_alone: Detector, share: float
) -> None:
    cube, truth = event(share)
    assert area(detector, cube, truth) > max(0.93, area(ring_alone, cube, truth) + 0.08)


def test_less_of_the_ground_around_it_is_flagged_for_it(detector: Detector, ring_alone: Detector) -> None:
    cube, truth = event(0.25)
    rest = cube.valid & ~truth
    ours, before = (
        float((d.score(cube, cube.window).score[rest] > d.calibration.threshold(0.01).value).mean())
        for d in (detector, ring_alone)
    )
    assert ours < 0.9 * before
