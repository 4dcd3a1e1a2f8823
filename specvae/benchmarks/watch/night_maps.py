"""Maps of scores of one more night at a large place: noise on all, a cloud over some rows, and, where asked, thousands of fires."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

__all__ = ["VARIANTS", "write_night"]

VARIANTS = 4
"""Maps of scores that the dates take turns with: sixty of a hundred million pixels each would fill a disk."""
NOISE, CLOUDED, ROWS = 0.04, 0.15, 512
"""Spread of what a night adds to the logarithm of a score, share of the place under clouds, rows that are written at once."""
FIRE_SIDE, FIRE_EVERY, STRONGER = 26, 180, 40.0
"""Side of a fire and of the square of ground that has one, pixels: 2.1 % of the ground, one fire in 32,400 pixels; and how many
times the scores of normal ground its scores are."""


def write_night(source: Path, target: Path, number: int, fires: bool = False) -> Path:
    """A map of the scores of ``source`` on another night; ``fires``: with one in each square, on all such nights the same."""
    rng = np.random.default_rng(number)
    with rasterio.open(source) as read:
        profile = {name: read.profile[name] for name in ("width", "height", "dtype", "nodata", "crs", "transform")}
        tiles = {"tiled": True, "blockxsize": ROWS, "blockysize": ROWS}
        packed = {"compress": "zstd", "zstd_level": 1, "predictor": 3, "num_threads": "ALL_CPUS"}
        with rasterio.open(target, "w", driver="GTiff", count=1, **profile, **tiles, **packed) as written:
            for window, scores in _rows(read):
                noise = rng.standard_normal(scores.shape, dtype=np.float32)
                scores *= np.exp(np.float32(NOISE) * noise)
                if fires:
                    scores *= np.where(_burning(window), np.float32(STRONGER), np.float32(1))
                middle = window.row_off / read.height - number / VARIANTS
                if 0 <= middle < CLOUDED:
                    scores[:] = np.nan
                written.write(scores, 1, window=window)
    return target


def _burning(window: RasterWindow) -> NDArray[np.bool_]:
    """Where the window burns."""
    row = np.arange(window.row_off, window.row_off + window.height) % FIRE_EVERY < FIRE_SIDE
    col = np.arange(window.width) % FIRE_EVERY < FIRE_SIDE
    return np.asarray(row[:, None] & col)


def _rows(read: rasterio.io.DatasetReader) -> Iterator[tuple[RasterWindow, NDArray[np.float32]]]:
    for row in range(0, read.height, ROWS):
        window = RasterWindow(0, row, read.width, min(ROWS, read.height - row))
        yield window, read.read(1, window=window)
