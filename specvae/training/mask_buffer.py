"""Cuts that the edges of masks do not set: pixels along them leave calibration where they hold what scores highest.

Masks of clouds seldom reach to the last haze around them. A fit takes a few such pixels for what they are, a small share of all
that it learns; of the cut they may be nearly all, for a cut is set by the highest scores. Without labels it shows in where these
lie: if what scores high had nothing to do with the mask, a highest pixel would lie along its edge as often as any other does. Of
the blocks with pixels above the cut, each counted once since neighbours are alike, so many would have their highest pixel there
as an exact binomial law says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from specvae.spectra import Invalid
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.contamination import Contamination
from specvae.thresholds.tiles import CalibrationTiles, Tile, block_boxes
from specvae.training.folds import dilate
from specvae.training.held_out import contamination_of
from specvae.training.highest_squares import held_in, held_maps
from specvae.training.sampling import Region

__all__ = ["AUTOMATIC", "Calibrated", "MaskBuffer", "along_masks", "calibrated"]

AUTOMATIC = 2
"""Pixels along a mask that leave calibration: on Cold Springs one finds less of the fire, and three find no more."""
CHANCE = 0.001
"""So improbable is it, at most, that as many blocks have their highest pixel along the edge by chance."""
MOST_OF_THEM = 0.5
"""Share of the highest pixels that lie along the edge, at least, for the edge to set the cut."""
FEWEST = 8
"""Highest pixels under which nothing is decided."""


@dataclass(frozen=True)
class MaskBuffer:
    """What was counted where the pixels along masks leave calibration."""

    pixels: int
    """How far from a mask a pixel lies at most that leaves."""
    cut: float
    """The default cut with these pixels, nats."""
    level: float
    """What was looked at scores above this, nats: the default cut, or where the data are contaminated what stands apart."""
    above: int
    """Held-out pixels above it."""
    along: int
    """Those of them that leave."""
    usual: float
    """Share of all held-out pixels that leave."""
    blocks: int
    """Blocks with pixels above it."""
    blocks_along: int
    """Those of them whose highest pixel leaves."""
    chance: float
    """How probable it is that so many do by chance."""
    cut_without: float = float("nan")
    """The default cut without these pixels, nats."""

    @property
    def said(self) -> str:
        """One line for a user."""
        return (
            f"{self.along:,} of the {self.above:,} held-out pixels above {self.level:.4g} nats lie within {self.pixels} pixels of "
            f"what masks leave out, where {self.usual:.1%} of all lie, as the rims of clouds do: these {self.pixels} pixels set no "
            f"cut, which is {self.cut_without:.4g} nats without them and {self.cut:.4g} with them; --mask-buffer 0 makes cuts of "
            f"them too"
        )

    def summary(self) -> dict[str, float | str]:
        """The counts and the line; JSON-ready."""
        return {**asdict(self), "said": self.said}


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The cuts of held-out scores."""

    calibration: Calibration
    evidence: Calibration | None
    """The cuts of the pooled evidence; None of tables."""
    contamination: Contamination
    buffer: MaskBuffer | None = None
    """What was counted where pixels along masks were left out; None where all calibrate."""

    def summary(self) -> dict[str, object]:
        """What a model says of how its cuts were made; JSON-ready."""
        return {
            "contamination": self.contamination.summary(),
            "mask_buffer": None if self.buffer is None else self.buffer.summary(),
        }


def along_masks(region: Region, side: int = 1) -> NDArray[np.bool_]:
    """``(rows, cols)`` of a region: within two pixels of what masks leave out, and outside of it.

    Of patches of ``side`` pixels those beside one that a mask touches.
    """
    masked = region.cube.reason == Invalid.MASK
    inside = region.window.shift(-region.cube.window.row, -region.cube.window.col).slices
    return np.asarray(dilate(masked, -(-AUTOMATIC // side))[inside] & ~masked[inside], bool)


def calibrated(
    regions: Sequence[Region],
    tiles: CalibrationTiles,
    pooled: CalibrationTiles,
    trim: float,
    training: NDArray[np.float32] | None = None,
    trusted: bool = False,
) -> Calibrated:
    """The cuts of the held-out scores of ``regions``, and those of the others where pixels along masks would set them.

    ``tiles`` and ``pooled`` hold the scores and the evidence; ``training`` scores are looked at for contamination beside them.
    ``trusted``: they are known to be normal, so the highest among them are normal too.
    """
    made = _of(tiles, pooled, trim, training, trusted)
    counted = _counted(regions, made)
    if counted is None:
        return made
    tiles, pooled = (_without_edges(regions, each) for each in (tiles, pooled))
    after = _of(tiles, pooled, trim, training, trusted)
    return replace(after, buffer=replace(counted, cut_without=after.calibration.threshold().value))


def _of(
    tiles: CalibrationTiles,
    pooled: CalibrationTiles,
    trim: float,
    training: NDArray[np.float32] | None,
    trusted: bool,
) -> Calibrated:
    """The cuts of all that the tiles hold."""
    # What is stored is also what cuts are made of, so that a model that was loaded is the model that was fitted.
    tiles, pooled = tiles.thinned(), pooled.thinned()
    contamination = contamination_of(training, tiles, trim)
    contaminated = contamination.found and not trusted
    evidence = Calibration(pooled, contaminated=contaminated, trim=trim) if pooled.tiles else None
    return Calibrated(Calibration(tiles, contaminated=contaminated, trim=trim), evidence, contamination)


def _counted(regions: Sequence[Region], made: Calibrated) -> MaskBuffer | None:
    """What scores highest along masks, where it sets the cut; None where it does not.

    The highest are those above the default cut. Of contaminated data they are the group apart, which no cut is made of, and
    for which the cut of all is model-based.
    """
    calibration = made.calibration
    if not any(region.edge is not None and region.edge.any() for region in regions) or not calibration.size:
        return None
    cut = calibration.threshold().value
    level = made.contamination.level if calibration.contaminated else None
    level = cut if level is None else level
    blocks = np.concatenate([_by_block(*held, level) for held in held_maps(regions, calibration.tiles)])
    held, along, above, above_along, highest = (int(count) for count in blocks.sum(axis=0))
    if above < FEWEST or above_along < MOST_OF_THEM * above:
        return None
    usual, high = along / held, int((blocks[:, 2] > 0).sum())
    chance = float(binom.sf(highest - 1, high, usual))
    if chance > CHANCE:
        return None
    return MaskBuffer(AUTOMATIC, cut, level, above, above_along, usual, high, highest, chance)


def _by_block(region: Region, score: NDArray[np.float32], level: float) -> NDArray[np.float64]:
    """``(blocks, 5)``: held-out pixels, those along masks, those above the level, both, and whether the highest is along masks."""
    held = np.isfinite(score)
    edge = np.zeros(held.shape, bool) if region.edge is None else region.edge & held
    counts = []
    for number, box in block_boxes(held, region.block):
        inside = held[box] & (region.block[box] == number)
        along, high = edge[box] & inside, inside & (score[box] > level)
        top = int(np.where(inside, score[box], -np.inf).argmax())
        counts.append(
            (inside.sum(), along.sum(), high.sum(), (high & along).sum(), high.any() and bool(along.flat[top]))
        )
    return np.array(counts, np.float64).reshape(-1, 5)


def _without_edges(regions: Sequence[Region], tiles: CalibrationTiles) -> CalibrationTiles:
    """The tiles without the scores of pixels along masks; each has its place and its shape as before."""
    scores = {(tile.source, tile.block): tile.score.copy() for tile in tiles.tiles}
    for region in regions:
        if region.edge is None or region.is_table:
            continue
        for number, box in block_boxes(held_in(region), region.block):
            score = scores.get((region.source, number))
            # As in `held_maps`: a block whose fold had too few pixels to be fitted without has no tile.
            if score is not None and score.shape == region.edge[box].shape:
                score[region.edge[box] & (region.block[box] == number)] = np.nan
    return CalibrationTiles(
        tuple(Tile(scores[t.source, t.block], t.source, t.block) for t in tiles.tiles), tiles.sources
    )
