"""What was held out of training: its scores as calibration tiles, and whether anomalies are among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.scoring.pooling import HALO, pool, reach_of
from specvae.scoring.scorer import Scorer
from specvae.thresholds.contamination import Contamination, find_contamination, find_gap, with_objects
from specvae.thresholds.tiles import CalibrationTiles, Tile, block_tiles
from specvae.training.quota import Role
from specvae.training.sampling import Region

__all__ = ["ScoreMap", "contamination_of", "reach_in", "score_map", "tiles_of"]


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """Scores of a region and, of a scene, of the pixels around it that its evidence needs."""

    around: NDArray[np.float32]
    """``(rows, cols)``, nats; NaN where invalid."""
    inside: tuple[slice, slice]
    """Where the region lies in ``around``."""

    @property
    def score(self) -> NDArray[np.float32]:
        """``(rows, cols)`` of the region, nats."""
        return self.around[self.inside]


def score_map(scorer: Scorer, region: Region, wanted: NDArray[np.bool_]) -> ScoreMap:
    """The scores of a region; of a table, only those of the rows ``wanted`` ``(1, n)``."""
    if region.is_table:
        rows = region.cube.crop(region.window).values.reshape(len(region.cube.values), -1).T
        # As rows they fill cells; as a map of one row they would fill a 64th of each.
        score = scorer.score_rows(rows, wanted.ravel()).score
        return ScoreMap(score.reshape(wanted.shape), (slice(None), slice(None)))
    # Evidence contrasts a score with the ring around it, so the ring's pixels are scored as well, whatever their role.
    around = region.window.grow(HALO).clip(region.cube.window)
    return ScoreMap(scorer.score(region.cube, around)[0].score, region.window.shift(-around.row, -around.col).slices)


def reach_in(regions: Sequence[Region], maps: Sequence[ScoreMap]) -> int:
    """How far the evidence's ring reaches, by the scores of the normal pixels of scenes."""
    pairs = [(region, scores.score) for region, scores in zip(regions, maps, strict=True) if not region.is_table]
    return reach_of([np.where(region.role != Role.UNUSED, score, np.float32(np.nan)) for region, score in pairs])


def tiles_of(
    scorer: Scorer, regions: Sequence[Region], sources: tuple[str, ...], reach: int
) -> tuple[CalibrationTiles, CalibrationTiles]:
    """Calibration tiles of the held-out blocks of all regions: their scores, and their pooled evidence (none of tables).

    ``reach``: of the evidence's ring, pixels.
    """
    scores: list[Tile] = []
    pooled: list[Tile] = []
    for region in regions:
        held = region.role == Role.CALIBRATION
        if not held.any():
            continue
        of_region = score_map(scorer, region, held)
        scores += block_tiles(of_region.score, held, region.block, region.source)
        if not region.is_table:
            evidence = pool(of_region.around, reach)[of_region.inside]
            pooled += block_tiles(evidence, held, region.block, region.source)
    return CalibrationTiles(tuple(scores), sources), CalibrationTiles(tuple(pooled), sources)


def contamination_of(training: NDArray[np.float32] | None, tiles: CalibrationTiles, trim: float) -> Contamination:
    """Contamination of the held-out scores, or else, where these are of a few blocks, of the ``training`` scores.

    Anomalies lie together, so that a few held-out blocks may miss those that the fit saw. With folds every block is held
    out once, and ``training`` is None.
    """
    held = find_contamination(tiles.scores, trim)
    if held.found or training is None:
        return with_objects(held, tiles)
    gap = find_gap(training, trim)
    return gap if gap.found else held
