"""What was held out of training: its scores as calibration tiles, and whether anomalies are among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specvae.scoring.pooling import HALO, pool
from specvae.scoring.scorer import Scorer
from specvae.thresholds.contamination import Contamination, find_contamination, find_gap
from specvae.thresholds.tiles import CalibrationTiles, Tile, block_tiles
from specvae.training.sampling import Region, Role

__all__ = ["contamination_of", "tiles_of"]


def tiles_of(
    scorer: Scorer, regions: Sequence[Region], sources: tuple[str, ...]
) -> tuple[CalibrationTiles, CalibrationTiles]:
    """Calibration tiles of the held-out blocks of all regions: their scores, and their pooled evidence (none of tables)."""
    scores: list[Tile] = []
    pooled: list[Tile] = []
    for region in regions:
        held = region.role == Role.CALIBRATION
        if not held.any():
            continue
        if region.is_table:
            rows = region.cube.crop(region.window).values.reshape(len(region.cube.values), -1).T
            # As rows they fill cells; as a map of one row they would fill a 64th of each.
            score = scorer.score_rows(rows, held.ravel()).score
            scores += block_tiles(score.reshape(held.shape), held, region.block, region.source)
            continue
        # Evidence contrasts a score with the ring around it, so the ring's pixels are scored as well, whatever their role.
        around = region.window.grow(HALO).clip(region.cube.window)
        score = scorer.score(region.cube, around)[0].score
        inside = region.window.shift(-around.row, -around.col).slices
        scores += block_tiles(score[inside], held, region.block, region.source)
        pooled += block_tiles(pool(score)[inside], held, region.block, region.source)
    return CalibrationTiles(tuple(scores), sources), CalibrationTiles(tuple(pooled), sources)


def contamination_of(training: NDArray[np.float32], tiles: CalibrationTiles, trim: float) -> Contamination:
    """Contamination of the held-out scores, or else, where these happen to hold no anomaly, of the training scores.

    Anomalies lie together, so that a few held-out blocks may miss those that the fit saw.
    """
    held = find_contamination(tiles.scores, trim, tiles.resampling_blocks)
    if held.found:
        return held
    gap = find_gap(training, trim)
    return gap if gap.found else held
