"""Pictures of many small images side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["write_grid"]

GAP = 1
"""Grey pixels between two images."""
LEAST = 1120
"""Pixels of the longer side that a grid is enlarged to, as far as an integer factor comes near."""


def write_grid(path: Path, rows: list[NDArray[np.floating]], shape: tuple[int, int, int]) -> None:
    """Rows of images ``(n, channels * height * width)`` in 0..1 as a PNG: grey, or the first three channels as colours."""
    channels, height, width = shape
    lines = []
    for images in rows:
        cells = np.asarray(images, np.float64).reshape(len(images), channels, height, width)
        cells = np.pad(cells, ((0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=0.5)
        lines.append(np.concatenate(list(cells), axis=2))
    grid = np.concatenate(lines, axis=1)
    grid = grid[:3] if channels >= 3 else np.repeat(grid[:1], 3, axis=0)
    picture = np.moveaxis(np.clip(np.round(255 * np.nan_to_num(grid)), 0, 255).astype(np.uint8), 0, 2)
    # An integer factor and the nearest pixel: every value stays a square of one colour, which no smoothing invents.
    factor = max(1, LEAST // max(picture.shape[:2]))
    Image.fromarray(np.ascontiguousarray(picture)).resize(
        (picture.shape[1] * factor, picture.shape[0] * factor), Image.Resampling.NEAREST
    ).save(path)
