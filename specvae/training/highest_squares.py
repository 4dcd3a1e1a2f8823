"""The normal squares that score highest: what sets the cut, as pictures with their place, for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from specvae.bands import BandSet, rgb_bands
from specvae.errors import ModelError
from specvae.model.patches import band_means
from specvae.spectra import Window
from specvae.thresholds.drift.reference import GRID, DriftReference
from specvae.thresholds.tiles import CalibrationTiles, block_boxes
from specvae.training.quota import Role
from specvae.training.sampling import Region

__all__ = ["HighestSquare", "HighestSquares", "held_in", "held_maps", "highest_squares"]

SQUARES = 10
"""Squares that a model holds pictures of, at most."""
SIDE = 48
"""Side of a picture, pixels."""
DARK, BRIGHT = int(np.searchsorted(GRID, 0.01)), int(np.searchsorted(GRID, 0.99))
"""Indices in the grid of the quantiles that are drawn black and white: one stretch for all pictures of a model."""
UNUSABLE = 128
"""Grey of what is not usable, or lies outside the scene."""


class HighestSquare(TypedDict):
    """One square; JSON-ready."""

    source: str
    """Name of its source."""
    row: int
    """Row of its highest-scoring pixel in the source (of a model of patches: of its patches), from 0."""
    col: int
    peak: float
    """Score of that pixel, nats."""
    above: int
    """Pixels of the square's block above the default cut."""


@dataclass(frozen=True, eq=False)
class HighestSquares:
    """The squares with most pixels above the default cut, one of each block at most."""

    squares: tuple[HighestSquare, ...]
    pictures: NDArray[np.uint8]
    """``(squares, rows, cols, 3)``: 48 x 48 pixels around the highest one, in natural colour where its bands are known."""

    def __post_init__(self) -> None:
        if self.pictures.shape != (len(self.squares), SIDE, SIDE, 3):
            raise ModelError(
                f"the pictures of {len(self.squares)} highest-scoring squares have shape {self.pictures.shape}; refit"
            )

    @classmethod
    def from_stored(cls, squares: Sequence[Mapping[str, Any]], pictures: NDArray[np.generic]) -> HighestSquares:
        """The squares as a model file holds them; raises ModelError where they do not belong together."""
        return cls(tuple(cast("HighestSquare", dict(square)) for square in squares), np.asarray(pictures, np.uint8))


def highest_squares(
    regions: Sequence[Region],
    tiles: CalibrationTiles,
    cut: float,
    bands: BandSet,
    reference: DriftReference,
    patch: int | None,
) -> HighestSquares | None:
    """The held-out squares that set the ``cut``, nats; None of tables, and where nothing scores above it."""
    found = [square for region, score in held_maps(regions, tiles) for square in _in_region(region, score, cut)]
    found.sort(key=lambda square: (-square.above, -square.peak))
    if not found:
        return None
    squares: list[HighestSquare] = [
        {
            "source": tiles.sources[square.region.source],
            "row": square.row,
            "col": square.col,
            "peak": round(square.peak, 3),
            "above": square.above,
        }
        for square in found[:SQUARES]
    ]
    rgb = rgb_bands(bands)
    pictures = [_picture(square, len(bands), rgb, reference, patch) for square in found[:SQUARES]]
    return HighestSquares(tuple(squares), np.stack(pictures))


def held_in(region: Region) -> NDArray[np.bool_]:
    """``(rows, cols)`` of a region: which of its pixels are held out, by role or by the fold whose model scores them."""
    return region.role == Role.CALIBRATION if region.folds is None else region.folds.number >= 0


def held_maps(regions: Sequence[Region], tiles: CalibrationTiles) -> Iterator[tuple[Region, NDArray[np.float32]]]:
    """Each region of a scene with its held-out scores ``(rows, cols)`` in place, nats; NaN where a pixel is not held out."""
    by_place = {(tile.source, tile.block): tile.score for tile in tiles.tiles}
    for region in regions:
        if region.is_table:
            continue
        held = held_in(region)
        score = np.full(held.shape, np.nan, np.float32)
        for number, box in block_boxes(held, region.block):
            tile = by_place.get((region.source, number))
            # A block whose fold had too few pixels to be fitted without has no tile.
            if tile is not None and tile.shape == score[box].shape:
                score[box] = np.where(region.block[box] == number, tile, score[box])
        yield region, score


@dataclass(frozen=True, eq=False)
class _Found:
    """A block with pixels above the cut."""

    region: Region
    row: int
    col: int
    peak: float
    above: int


def _in_region(region: Region, score: NDArray[np.float32], cut: float) -> Iterator[_Found]:
    """The blocks of a region that have pixels above the cut."""
    above = np.nan_to_num(score, nan=-np.inf) > cut
    for number, box in block_boxes(above, region.block):
        inside = np.where(above[box] & (region.block[box] == number), score[box], -np.inf)
        row, col = np.unravel_index(int(inside.argmax()), inside.shape)
        yield _Found(
            region,
            region.window.row + box[0].start + int(row),
            region.window.col + box[1].start + int(col),
            float(inside.max()),
            int(np.isfinite(inside).sum()),
        )


def _picture(
    square: _Found, bands: int, rgb: tuple[int, int, int], reference: DriftReference, patch: int | None
) -> NDArray[np.uint8]:
    """``(48, 48, 3)``: what lies around the highest pixel of a square, as far as it was read for the fit."""
    cube = square.region.cube
    wanted = Window(square.row - SIDE // 2, square.col - SIDE // 2, SIDE, SIDE)
    # Moved into what was read, where that is large enough: a picture half of grey shows half as much.
    area = cube.window
    row = max(area.row, min(wanted.row, area.row + area.rows - SIDE))
    col = max(area.col, min(wanted.col, area.col + area.cols - SIDE))
    part = cube.crop(Window(row, col, SIDE, SIDE).clip(area))
    values = band_means(np.asarray(part.values, np.float32), patch)[:bands][list(rgb)]
    low, high = (reference.bands[list(rgb), at][:, None, None] for at in (DARK, BRIGHT))
    shade = np.clip((values - low) / np.maximum(high - low, 1e-12), 0, 1) * 255
    picture = np.full((SIDE, SIDE, 3), UNUSABLE, np.uint8)
    shown = np.where(part.valid, np.nan_to_num(shade), UNUSABLE).astype(np.uint8)
    picture[: shown.shape[1], : shown.shape[2]] = np.moveaxis(shown, 0, -1)
    return picture
