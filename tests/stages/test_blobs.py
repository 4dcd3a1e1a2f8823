"""Rule 7: a ring must not hide the inside of a fire or a spill. Planted blobs, and a real fire."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from sklearn.metrics import roc_auc_score

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.model.config_file import load_config
from specvae.spectra import Cube, Window
from specvae.stages.demo.synthetic import BAND_NAMES, endmembers, make_scene
from specvae.training.quota import Role
from specvae.training.sampling import Region, split_blocks

SIZES = {1: 30, 5: 20, 50: 8, 500: 2}
"""Pixels of a blob -> how many are planted."""


def fitted(values: np.ndarray, valid: np.ndarray, context: bool, bands: tuple[str, ...]) -> Detector:
    config = load_config()
    window = Window(0, 0, *valid.shape)
    split = split_blocks(valid.shape, 7 if context else 0, config.sampling, 0)
    role = np.where(valid, split.role(window), np.uint8(Role.UNUSED)).astype(np.uint8)
    cube = Cube(values.astype(np.float32), (~valid).astype(np.uint8), window)
    region = Region(cube, window, role, split.block(window), 0)
    return Detector.fit([region], BandSet(tuple(Band(b) for b in bands)), config, context=context)


def planted(values: np.ndarray, spectrum: np.ndarray, pixels: int, fill: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(pixels)
    r, c = np.mgrid[: values.shape[1], : values.shape[2]]
    truth = np.zeros(values.shape[1:], bool)
    for _ in range(SIZES[pixels]):
        row, col = rng.integers(20, values.shape[1] - 20), rng.integers(45, values.shape[2] - 20)
        far = np.sort(((r - row) ** 2 + (c - col) ** 2).ravel())[pixels - 1]
        truth |= (r - row) ** 2 + (c - col) ** 2 <= far
    mixed = values.copy()
    mixed[:, truth] = (1 - fill) * mixed[:, truth] + fill * spectrum[:, None] * 1e4
    return mixed, truth


@pytest.fixture(scope="module")
def detectors() -> dict[str, Detector]:
    scene = make_scene(160, 192, seed=1).values
    valid = (scene > 0).all(axis=0)
    return {name: fitted(scene, valid, name == "ring", BAND_NAMES) for name in ("none", "ring")}


@pytest.mark.slow
@pytest.mark.parametrize("material", ["burn", "oil", "tarpaulin"])
@pytest.mark.parametrize("fill", [0.1, 0.2, 0.5])
def test_blobs_of_any_size_are_found_no_worse_with_context(
    detectors: dict[str, Detector], material: str, fill: float
) -> None:
    scene = make_scene(160, 192, seed=2).values.astype(np.float32)
    valid = (scene > 0).all(axis=0)
    for pixels in SIZES:
        values, truth = planted(scene, endmembers()[material], pixels, fill)
        cube = Cube(values, (~valid).astype(np.uint8), Window(0, 0, *valid.shape))
        found = {
            name: roc_auc_score(truth[valid], d.score(cube, cube.window).score[valid]) for name, d in detectors.items()
        }
        assert found["ring"] >= found["none"] - 0.005, (pixels, found)
        assert found["ring"] > 0.8, (pixels, found)


def test_the_inside_of_a_large_blob_stays_above_the_background(detectors: dict[str, Detector]) -> None:
    scene = make_scene(160, 192, seed=2).values.astype(np.float32)
    valid = (scene > 0).all(axis=0)
    r, c = np.mgrid[:160, :192]
    distance = np.hypot(r - 80, c - 110)
    values = scene.copy()
    inside = distance <= 20
    values[:, inside] = 0.6 * values[:, inside] + 0.4 * endmembers()["burn"][:, None] * 1e4
    cube = Cube(values, (~valid).astype(np.uint8), Window(0, 0, 160, 192))
    score = detectors["ring"].score(cube, cube.window).score
    # Rings of the middle see nothing but the blob.
    assert np.quantile(score[distance <= 10], 0.1) > np.quantile(score[valid & (distance > 40)], 0.99)


@pytest.mark.slow
def test_a_real_fire_is_found_inside_and_out(real_data: Path) -> None:
    folder = real_data / "scenes" / "coldsprings"

    def read(name: str) -> np.ndarray:
        with rasterio.open(folder / name) as source:
            return source.read()

    before, after, burnt = read("20160707_pre_sr7.tif"), read("20160723_post_sr7.tif"), read("burn_mask.tif")[0] > 0
    clear = (read("20160707_pre_clear.tif")[0] > 0) & (before != -32768).all(axis=0)
    valid = (read("20160723_post_clear.tif")[0] > 0) & (after != -32768).all(axis=0)
    detector = fitted(before, clear, True, tuple("1234567"))
    cube = Cube(after.astype(np.float32), (~valid).astype(np.uint8), Window(0, 0, *valid.shape))
    score = detector.score(cube, cube.window).score
    # RX has 0.908, the fire specialists' index 0.951.
    assert roc_auc_score(burnt[valid], score[valid]) >= 0.951
