"""The warning of high scores along a mask's edge: planted rims, rims that score as all else, and no mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specvae.model.config import SamplingConfig
from specvae.spectra import Cube, Invalid, Window
from specvae.thresholds.tiles import CalibrationTiles, block_tiles
from specvae.training.mask_edge import mask_edge_warning
from specvae.training.sampling import Region, cross_split

SHAPE = (96, 96)
CLOUD = (slice(30, 50), slice(40, 60))


def region_of(masked: NDArray[np.bool_]) -> Region:
    """A cross-fitted region of which a part is masked."""
    window = Window(0, 0, *SHAPE)
    reason = np.where(masked, Invalid.MASK, Invalid.VALID).astype(np.uint8)
    split = cross_split(SHAPE, 7, SamplingConfig(), 0)
    cube = Cube(np.ones((2, *SHAPE), np.float32), reason, window)
    return Region(cube, window, split.role(window), split.block(window), 0, split.fold_map(window, ~masked))


def tiles_of_map(region: Region, score: NDArray[np.float32]) -> CalibrationTiles:
    assert region.folds is not None
    tiles = [t for fold in range(6) for t in block_tiles(score, region.folds.held(fold), region.block, 0)]
    return CalibrationTiles(tuple(tiles), ("x",))


def rim(pixels: int) -> NDArray[np.bool_]:
    """The pixels around the cloud, out to so many."""
    ring = np.zeros(SHAPE, bool)
    ring[30 - pixels : 50 + pixels, 40 - pixels : 60 + pixels] = True
    ring[CLOUD] = False
    return ring


def test_high_scores_along_the_edge_are_said_with_the_buffer_that_takes_them_away() -> None:
    masked = np.zeros(SHAPE, bool)
    masked[CLOUD] = True
    region = region_of(masked)
    score = np.random.default_rng(0).uniform(1, 2, SHAPE).astype(np.float32)
    # Of a rim of three pixels (84 + 92 + 100 around a square of 20) the nearest two hold .64, under two thirds.
    for width in (1, 3):
        high = score.copy()
        high[rim(width)] += 10
        warning = mask_edge_warning([region], tiles_of_map(region, high), 5.0)
        assert warning is not None
        assert f"100% of the {rim(width).sum()} held-out pixels" in warning
        assert f"--mask-buffer {width} leaves them out" in warning


def test_nothing_is_said_of_high_scores_elsewhere_of_few_or_without_a_mask() -> None:
    masked = np.zeros(SHAPE, bool)
    masked[CLOUD] = True
    region = region_of(masked)
    score = np.random.default_rng(0).uniform(1, 2, SHAPE).astype(np.float32)
    score[70:74, 10:20] += 10
    assert mask_edge_warning([region], tiles_of_map(region, score), 5.0) is None
    few = np.ones(SHAPE, np.float32)
    few[29, 40:47] = 10
    assert mask_edge_warning([region], tiles_of_map(region, few), 5.0) is None
    bare = region_of(np.zeros(SHAPE, bool))
    score[rim(1)] += 10
    assert mask_edge_warning([bare], tiles_of_map(bare, score), 5.0) is None
