"""Contamination of real ground: planted spectra are found, and clean scenes are not called contaminated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specvae.bands import Band, BandSet
from specvae.benchmarks.calibration.checkerboard import squares
from specvae.detector import Detector
from specvae.model.config import ModelConfig
from specvae.spectra import Cube, Window
from specvae.training.quota import Quota, Role
from specvae.training.sampling import Region, cross_split

pytestmark = pytest.mark.slow
SIDE = 176
"""Side of a crop, pixels."""
PLACES = [("sen2_20210527_aber_10band", 100, 100), ("sen2_20210527_aber_10band", 500, 600), ("S2_20190610", 0, 0)]


def crop(folder: Path, name: str, row: int, col: int) -> tuple[Cube, np.ndarray]:
    """A crop of a scene, and which of its pixels are usable."""
    board = next(board for board in squares(folder, False) if board.name == name)
    box = (slice(row, row + SIDE), slice(col, col + SIDE))
    values = np.ascontiguousarray(board.cube.values[:, box[0], box[1]])
    usable = (board.fitted | board.counted)[box]
    return Cube(values, np.ascontiguousarray(board.cube.reason[box]), Window(0, 0, *values.shape[1:])), usable


def planted(cube: Cube, usable: np.ndarray, share: float) -> Cube:
    """The cube with discs of its mean spectrum, the bands reversed, until they cover ``share`` of it."""
    rng = np.random.default_rng(5)
    truth = np.zeros(usable.shape, bool)
    rows, cols = np.ogrid[: usable.shape[0], : usable.shape[1]]
    while truth.sum() < share * usable.sum():
        row, col, radius = rng.integers(usable.shape[0]), rng.integers(usable.shape[1]), rng.integers(2, 8)
        truth |= ((rows - row) ** 2 + (cols - col) ** 2 <= radius**2) & usable
    values = cube.values.copy()
    target = values[:, usable].mean(axis=1)[::-1]
    values[:, truth] = target[:, None] * (1 + 0.03 * rng.standard_normal((len(target), int(truth.sum()))))
    return replace(cube, values=values.astype(np.float32))


def is_contaminated(cube: Cube, usable: np.ndarray) -> bool:
    config = ModelConfig()
    split = cross_split(usable.shape, 7, config.sampling, 0)
    role = np.where(usable, split.role(cube.window), Role.UNUSED).astype(np.uint8)
    role = Quota.crossed(config.sampling, 1).take(role)
    region = Region(cube, cube.window, role, split.block(cube.window), 0, split.fold_map(cube.window, usable))
    bands = BandSet(tuple(Band(str(i)) for i in range(len(cube.values))))
    detector = Detector.fit((region,), bands, config)
    return detector.calibration.contaminated


@pytest.mark.parametrize(("name", "row", "col"), PLACES)
def test_a_hundredth_of_planted_spectra_is_found_and_clean_ground_is_clean(
    real_data: Path, name: str, row: int, col: int
) -> None:
    cube, usable = crop(real_data, name, row, col)
    assert not is_contaminated(cube, usable)
    assert is_contaminated(planted(cube, usable, 0.01), usable)
