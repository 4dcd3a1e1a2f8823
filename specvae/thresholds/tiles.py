"""Calibration tiles: scores of held-out normal data, with the source and block that each comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.errors import ModelError

__all__ = ["INDEPENDENT", "CalibrationTiles", "Tile", "block_boxes", "block_tiles"]

INDEPENDENT = -1
"""Block of a tile whose pixels are not neighbours (rows of a table): each is a block of its own."""

FEWEST_BLOCKS = 8
"""Fewer blocks are cut into sixteen parts each before they are resampled."""
MOST_BLOCKS = 2000
"""More blocks are put into so many groups before they are resampled."""
MOST_EXACT = 100_000
"""Pixels up to which a model file holds every score."""
EXACT_SHARE, FEWEST_EXACT = 0.05, 50_000
"""Share of the pixels, the highest, that are all in a model file, and the fewest: cuts, tails and objects are made of these."""
BULK_STEP = 32
"""Of the other pixels of a tile, each so many-th is in a model file: they only count."""


@dataclass(frozen=True)
class Tile:
    """The score map of one rectangle of held-out data; a table gives tiles of one row."""

    score: NDArray[np.float32]
    """``(rows, cols)``, nats; NaN where invalid or not normal."""
    source: int
    """Index of its source in :attr:`CalibrationTiles.sources`."""
    block: int
    """Number of its block in the source; :data:`INDEPENDENT` where pixels are not neighbours."""

    def __post_init__(self) -> None:
        if self.score.ndim != 2:
            raise ValueError(f"a tile is (rows, cols); its score has shape {self.score.shape}")
        object.__setattr__(self, "score", np.asarray(self.score, dtype=np.float32))

    @property
    def valid(self) -> NDArray[np.bool_]:
        """``(rows, cols)``, True = usable."""
        return np.isfinite(self.score)


def block_tiles(
    score: NDArray[np.floating], held: NDArray[np.bool_], block: NDArray[np.integer], source: int
) -> list[Tile]:
    """The held-out pixels of a map as tiles, one for each block, NaN around them.

    ``score``, ``held`` and ``block`` are ``(rows, cols)``: the map in nats, which of its pixels were held out, and the
    number of the block that each lies in. A tile is the smallest rectangle around its block's held-out pixels.
    """
    tiles = []
    for number, box in block_boxes(held, block):
        inside = held[box] & (block[box] == number)
        tile = np.where(inside, score[box], np.float32(np.nan))
        tiles.append(Tile(np.ascontiguousarray(tile), source, number))
    return tiles


def block_boxes(held: NDArray[np.bool_], block: NDArray[np.integer]) -> list[tuple[int, tuple[slice, slice]]]:
    """The number of each block with held-out pixels, ascending, and the smallest rectangle around these."""
    from scipy.ndimage import find_objects  # only where tiles are made: scores are compared with them without it

    if not held.any():
        return []
    first = int(block[held].min())
    boxes = find_objects(np.where(held, block - first + 1, 0))
    return [(first + index, box) for index, box in enumerate(boxes) if box is not None]


@dataclass(frozen=True, eq=False)
class CalibrationTiles:
    """Tiles of all sources; everything about thresholds derives from them."""

    tiles: tuple[Tile, ...]
    sources: tuple[str, ...]
    """Name of each source."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiles", tuple(self.tiles))
        for tile in self.tiles:
            if not 0 <= tile.source < len(self.sources):
                raise ValueError(f"a tile names source {tile.source} of {len(self.sources)}")

    def __len__(self) -> int:
        return len(self.tiles)

    @cached_property
    def scores(self) -> NDArray[np.float32]:
        """``(n,)``: every valid score, tile by tile, row by row."""
        return np.concatenate([t.score[t.valid] for t in self.tiles] or [np.empty(0, np.float32)])

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """``(tiles,)``: valid pixels of each tile."""
        return np.array([int(t.valid.sum()) for t in self.tiles], dtype=np.int64)

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """``(n,)``: label of the (source, block) of each valid score, from 0; a row of a table is its own block."""
        return self._labels(cut=1)

    @cached_property
    def files(self) -> NDArray[np.int64]:
        """``(n,)``: source index of each valid score."""
        return np.repeat(np.array([t.source for t in self.tiles], dtype=np.int64), self.counts)

    @cached_property
    def resampling_blocks(self) -> NDArray[np.int64]:
        """``(n,)``: the block of each valid score for resampling, neither too few to vary nor too many to hold.

        Under 8 blocks, each tile is cut into up to 16 parts, whose variance misses what varies over long distances.
        Over 2,000, blocks are put into groups at random, which leaves the variance of a mean over blocks as it is.
        """
        labels = self.blocks
        if labels.size and labels.max() + 1 < FEWEST_BLOCKS:
            labels = self._labels(cut=4)
        groups = int(labels.max()) + 1 if labels.size else 0
        if groups > MOST_BLOCKS:
            # A fixed seed: a model must give the same intervals whenever it is loaded.
            group = np.random.default_rng(0).permutation(groups) % MOST_BLOCKS
            labels = group[labels]
        return labels

    def _labels(self, cut: int) -> NDArray[np.int64]:
        """Labels of the valid scores, each tile cut into ``cut`` by ``cut`` parts, numbered from 0 without gaps."""
        firsts: dict[tuple[int, int], int] = {}
        labels, unused = [], 0
        for tile, count in zip(self.tiles, self.counts, strict=True):
            if tile.block == INDEPENDENT:
                labels.append(np.arange(unused, unused + count))
                unused += int(count)
                continue
            # Several tiles may belong to one block of a source; they then share its labels.
            if (tile.source, tile.block) not in firsts:
                firsts[tile.source, tile.block] = unused
                unused += cut * cut
            rows, cols = (np.arange(size) * cut // max(size, 1) for size in tile.score.shape)
            labels.append(firsts[tile.source, tile.block] + (rows[:, None] * cut + cols)[tile.valid])
        if not labels:
            return np.empty(0, np.int64)
        with_gaps = np.concatenate(labels)  # a part of a tile may hold no valid pixel
        present = np.bincount(with_gaps, minlength=unused) > 0
        return np.asarray((np.cumsum(present) - 1)[with_gaps])

    def thinned(self) -> CalibrationTiles:
        """The tiles as a model file gives them back, see :meth:`to_arrays`: as they are, or above 100,000 pixels thinned."""
        return CalibrationTiles.from_arrays(self.to_arrays(), self.sources)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """``tile`` ``(tiles, 4)`` int32: source, block, rows, cols; and the scores of all of them, tile by tile.

        Up to 100,000 pixels ``score`` is every pixel, float32. Above, the highest twentieth of them, 50,000 at least, are all
        in ``tail``; of the others ``bulk`` has each 32nd of a tile, which stands for those that follow it. ``valid`` and
        ``high`` say in bits which pixels are usable and which are in ``tail``.
        """
        table = np.array([(t.source, t.block, *t.score.shape) for t in self.tiles], dtype=np.int32).reshape(-1, 4)
        flat = np.concatenate([t.score.ravel() for t in self.tiles] or [np.empty(0, np.float32)])
        if self.scores.size <= MOST_EXACT:
            return {"score": flat, "tile": table}
        count = max(int(EXACT_SHARE * self.scores.size), FEWEST_EXACT)
        level = np.partition(self.scores, self.scores.size - count)[self.scores.size - count]
        valid = np.isfinite(flat)
        high = valid & (flat >= level)
        bulk = [t.score[t.valid & (t.score < level)][::BULK_STEP] for t in self.tiles]
        return {
            "tile": table,
            "valid": np.packbits(valid),
            "high": np.packbits(high),
            "tail": flat[high],
            "bulk": np.concatenate(bulk),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], sources: tuple[str, ...]) -> CalibrationTiles:
        """The inverse of :meth:`to_arrays`. Raises ModelError where the arrays do not belong together."""
        table = np.asarray(arrays["tile"], np.int64)
        score = np.asarray(arrays["score"], np.float32) if "score" in arrays else _unthinned(arrays, table)
        if table.ndim != 2 or table.shape[1] != 4 or np.any(table[:, 2:] < 0):
            raise ModelError(f"the model's calibration table has shape {table.shape}, expected (tiles, 4); refit")
        ends = np.cumsum(table[:, 2] * table[:, 3])
        if score.ndim != 1 or (int(ends[-1]) if ends.size else 0) != score.size:
            raise ModelError("the model's calibration scores and their table do not belong together; refit")
        if np.any((table[:, 0] < 0) | (table[:, 0] >= len(sources))):
            raise ModelError("the model's calibration table names a source that the model does not list; refit")
        tiles = [
            Tile(score[end - rows * cols : end].reshape(rows, cols), int(source), int(block))
            for (source, block, rows, cols), end in zip(table, ends, strict=True)
        ]
        return cls(tuple(tiles), tuple(sources))


def _unthinned(arrays: Mapping[str, NDArray[Any]], table: NDArray[np.int64]) -> NDArray[np.float32]:
    """``(pixels,)``: the scores of thinned tiles, each score of the bulk in place of those that it stands for."""
    wrong = ModelError("the model's calibration scores and their table do not belong together; refit")
    if table.ndim != 2 or table.shape[1] != 4:
        raise wrong
    sizes = table[:, 2] * table[:, 3]
    size = int(sizes.sum())
    if 8 * arrays["valid"].size < size or 8 * arrays["high"].size < size:
        raise wrong
    valid, high = (np.unpackbits(arrays[name])[:size].astype(bool) for name in ("valid", "high"))
    low = valid & ~high
    tile = np.repeat(np.arange(sizes.size), sizes)[low]
    counts = np.bincount(tile, minlength=sizes.size)
    retained = -(-counts // BULK_STEP)
    if int(high.sum()) != arrays["tail"].size or int(retained.sum()) != arrays["bulk"].size:
        raise wrong
    # The place of each pixel of the bulk among those of its tile, and where the scores of its tile begin.
    place = np.arange(tile.size) - (np.cumsum(counts) - counts)[tile]
    score = np.full(size, np.nan, np.float32)
    score[high] = arrays["tail"]
    score[low] = np.asarray(arrays["bulk"], np.float32)[(np.cumsum(retained) - retained)[tile] + place // BULK_STEP]
    return score
