"""Pixels along masks leave calibration where they set the cut, and only there: planted rims, chance, folds, tables, patches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.stats import binom

from specvae.model.config import SamplingConfig
from specvae.spectra import Cube, Invalid, Window
from specvae.thresholds.tiles import CalibrationTiles, block_tiles
from specvae.training.mask_buffer import AUTOMATIC, Calibrated, along_masks, calibrated
from specvae.training.quota import Role
from specvae.training.sampling import Region, cross_split, region_of_rows

SHAPE = (192, 192)
CLOUDS = ((20, 30), (60, 140), (110, 50), (150, 120), (30, 90), (100, 100))
SQUARE = np.ones((3, 3), bool)


def clouds() -> NDArray[np.bool_]:
    """Six clouds of 9 x 9 pixels, each in a block of its own."""
    masked = np.zeros(SHAPE, bool)
    for row, col in CLOUDS:
        masked[row - 4 : row + 5, col - 4 : col + 5] = True
    return masked


def rims(masked: NDArray[np.bool_], pixels: int = AUTOMATIC) -> NDArray[np.bool_]:
    """What lies within so many pixels of a mask, by the dilation of another library."""
    return np.asarray(binary_dilation(masked, SQUARE, pixels) & ~masked, bool)


def region_of(masked: NDArray[np.bool_], crossed: bool = True) -> Region:
    """A region, cross-fitted or held out as a whole, that knows what lies along its masks."""
    window = Window(0, 0, *SHAPE)
    reason = np.where(masked, Invalid.MASK, Invalid.VALID).astype(np.uint8)
    split = cross_split(SHAPE, 7, SamplingConfig(), 0)
    role = split.role(window) if crossed else np.full(SHAPE, Role.CALIBRATION, np.uint8)
    role[masked] = Role.UNUSED
    cube = Cube(np.ones((2, *SHAPE), np.float32), reason, window)
    folds = split.fold_map(window, ~masked) if crossed else None
    region = Region(cube, window, role, split.block(window), 0, folds)
    return replace(region, edge=along_masks(region))


def tiles_of_map(
    region: Region, score: NDArray[np.float32], without: NDArray[np.bool_] | None = None
) -> CalibrationTiles:
    """The held-out scores of a map, but those ``without``."""
    held = (region.role == Role.CALIBRATION) if region.folds is None else region.folds.number >= 0
    held &= True if without is None else ~without
    return CalibrationTiles(tuple(block_tiles(score, held, region.block, 0)), ("x",))


def cuts(region: Region, score: NDArray[np.float32]) -> Calibrated:
    tiles = tiles_of_map(region, score)
    return calibrated([region], tiles, tiles, trim=0.0)


def ground() -> NDArray[np.float32]:
    return np.random.default_rng(0).exponential(1.0, SHAPE).astype(np.float32)


@pytest.mark.parametrize("crossed", [True, False])
def test_rims_that_set_the_cut_leave_calibration_and_what_was_counted_is_said(crossed: bool) -> None:
    region, score = region_of(clouds(), crossed), ground()
    score[rims(clouds(), 1)] += 40
    made = cuts(region, score)
    assert made.buffer is not None
    # A cloud of 9 x 9 has 40 pixels around it, and 88 within two: of 240 the hottest 35 are above the cut of a thousandth.
    counted, blocks = made.buffer, set(region.block[rims(clouds())])
    held, along = (~clouds()).sum(), rims(clouds()).sum()
    assert along == 6 * 88
    assert counted.along == counted.above == 35
    assert counted.usual == pytest.approx(along / held)
    assert counted.blocks_along == counted.blocks <= len(blocks)
    assert counted.chance == pytest.approx(binom.sf(counted.blocks - 1, counted.blocks, along / held))
    assert f"{counted.above} of the {counted.above} held-out pixels" in counted.said
    assert "1.5% of all lie" in counted.said
    assert "--mask-buffer 0" in counted.said
    # The cut is that of a scene whose rims were never seen, and so are its p-values.
    never = calibrated([replace(region, edge=None)], *[tiles_of_map(region, score, rims(clouds()))] * 2, trim=0.0)
    assert made.calibration.size == never.calibration.size == held - along
    assert made.calibration.threshold().value == pytest.approx(never.calibration.threshold().value, rel=1e-6)
    assert counted.cut_without == made.calibration.threshold().value < 15 < counted.cut
    assert made.evidence is not None
    assert made.evidence.size == made.calibration.size


def test_rims_that_would_count_as_contamination_leave_and_the_rest_is_clean() -> None:
    region, score = region_of(clouds()), ground()
    score[rims(clouds(), 1)] += 400
    tiles = tiles_of_map(region, score)
    taken_in = calibrated([replace(region, edge=None)], tiles, tiles, trim=0.02)
    assert taken_in.calibration.contaminated
    made = calibrated([region], tiles, tiles, trim=0.02)
    assert not made.calibration.contaminated
    assert made.buffer is not None
    assert made.buffer.level == taken_in.contamination.level
    # The law of the ground is exponential: a thousandth lies above the logarithm of a thousand.
    assert made.buffer.cut_without == pytest.approx(np.log(1000), rel=0.05)
    # Six rims of 40 pixels, of which all stand apart.
    assert made.buffer.along == made.buffer.above == 240
    assert made.summary()["mask_buffer"] == made.buffer.summary()


def test_nothing_leaves_where_what_sets_the_cut_lies_elsewhere_or_in_one_place_or_a_user_gave_a_number() -> None:
    masked = clouds()
    region, score = region_of(masked), ground()
    elsewhere = score.copy()
    elsewhere[5:8, 5:60] += 40
    assert cuts(region, elsewhere).buffer is None
    # One rim of six, as a single ship in a gap of clouds would be: one block proves nothing.
    once = score.copy()
    once[rims(masked, 1) & (np.arange(SHAPE[0])[:, None] > 140)] += 40
    assert cuts(region, once).buffer is None
    everywhere = score.copy()
    everywhere[rims(masked, 1)] += 40
    assert cuts(replace(region, edge=None), everywhere).buffer is None
    bare = region_of(np.zeros(SHAPE, bool))
    assert cuts(bare, everywhere).buffer is None
    assert cuts(bare, everywhere).calibration.size == SHAPE[0] * SHAPE[1]


def test_random_clouds_that_miss_no_edge_take_nothing_away() -> None:
    rng, acted = np.random.default_rng(1), 0
    for _ in range(25):
        # Scores that are alike over some pixels and far out in a few places, as those of real ground are.
        score = np.exp(1.5 * gaussian_filter(rng.normal(size=SHAPE), 2) * 7).astype(np.float32)
        field = gaussian_filter(rng.normal(size=SHAPE), rng.choice([2, 4, 8]))
        made = cuts(region_of(field > np.quantile(field, rng.choice([0.7, 0.85, 0.95]))), score)
        acted += made.buffer is not None
    assert acted == 0


def test_along_masks_is_measured_beyond_the_window_and_by_patch() -> None:
    reason = np.zeros((20, 20), np.uint8)
    reason[10, 3] = Invalid.MASK
    reason[0, 19] = Invalid.NODATA
    window = Window(4, 4, 12, 12)
    cube = Cube(np.zeros((1, 20, 20), np.float32), reason, Window(0, 0, 20, 20))
    region = Region(cube, window, np.zeros((12, 12), np.uint8), np.zeros((12, 12), np.int32), 0)
    expected = np.zeros((12, 12), bool)
    expected[4:9, :2] = True
    np.testing.assert_array_equal(along_masks(region), expected)
    beside = np.zeros((12, 12), bool)
    beside[5:8, :1] = True
    np.testing.assert_array_equal(along_masks(region, side=4), beside)


def test_rows_of_a_table_lie_along_no_mask() -> None:
    usable = np.arange(20_000) % 10 > 0
    rows = region_of_rows(np.zeros((20_000, 2)), usable, SamplingConfig(), 0)
    score = np.random.default_rng(0).exponential(1.0, (1, 20_000)).astype(np.float32)
    tiles = CalibrationTiles(tuple(block_tiles(score, usable[None], rows.block, 0)), ("x",))
    assert calibrated([rows], tiles, CalibrationTiles((), ("x",)), trim=0.0).buffer is None
