"""What a patch model's scene shows pixel by pixel: its picture, and with ``--parts`` each pixel's share of the nats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.export.contents import PIXELS
from specvae.export.maps import AssetBands, MapBand, MapWriter
from specvae.ingest.scene.scene import Scene
from specvae.model_file import StoredModel
from specvae.spectra import Window

__all__ = ["picture_of", "write_pixels"]

SHARE_BAND = MapBand(
    "reconstruction", "the pixel's share of its patch's reconstruction term, all bands together", "nat"
)
VALUES = 1 << 23
"""The most values of patches that are read at once."""
SHOWN, LARGE = 1 << 20, 1 << 24
"""The most pixels of a picture, and of a scene that is read a second time to draw one."""


def write_pixels(folder: Path, scene: Scene, model: StoredModel, threads: int) -> AssetBands:
    """Write pixels.tif on the scene's own grid, and give its bands.

    The pixels of a patch add up to the patch's reconstruction term.
    """
    detector, side = model.detector, scene.side
    tags = {"specvae_model_sha256": model.sha256, "direction": "higher is more anomalous", "unit": "nat"}
    with MapWriter(
        folder / PIXELS.name, scene.pixel_grid, [SHARE_BAND], "float32", float("nan"), tags, threads
    ) as writer:
        for window in scene.windows(VALUES // (side**2 * len(scene.bands))):
            cube = scene.read(window)
            costs = np.full((side**2, window.rows, window.cols), np.nan, np.float32)
            costs[:, cube.valid] = detector.pixel_costs(cube.values[:, cube.valid])
            writer.write(*scene.on_pixels(window, costs))
        writer.close()
    return writer.asset_bands


def picture_of(scene: Scene, rgb: tuple[int, int, int]) -> NDArray[np.float32] | None:
    """``(3, rows * k, cols * k)``: the scene in more detail than a pixel a patch, NaN where invalid; None of a large one.

    ``k``, the largest divisor of the patches' side that keeps the picture small, is more than 1.
    """
    size, side = scene.rows * scene.cols, scene.side
    fits = [k for k in range(2, side + 1) if side % k == 0 and size * k * k <= SHOWN]
    if not fits or size * side**2 > LARGE:
        return None
    # A divisor of the side, so that every patch becomes the same number of pixels and the flags lie on their patches.
    k, thin = fits[-1], side // fits[-1]
    out = np.empty((3, scene.rows * k, scene.cols * k), np.float32)
    for window in scene.windows(VALUES // (side**2 * len(scene.bands))):
        under = scene.under(window)
        shown = np.where(under.valid, under.values[list(rgb)], np.float32(np.nan))[:, ::thin, ::thin]
        place = Window(window.row * k, window.col * k, window.rows * k, window.cols * k)
        out[(slice(None), *place.slices)] = shown
    return out
