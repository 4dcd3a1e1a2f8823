"""``--parts`` of a patch model: pixels.tif, what each pixel costs of its patch's reconstruction term."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from specvae.model_file import StoredModel
from specvae.outputs.maps import MapBand, MapWriter
from specvae.patches import to_pixels
from specvae.raster.patch_scene import PatchScene

__all__ = ["FILE", "write_pixels"]

FILE = "pixels.tif"
COST = MapBand("reconstruction", "the pixel's share of its patch's reconstruction term, all bands together", "nat")
VALUES = 1 << 23
"""Values of patches read at once."""


def write_pixels(folder: Path, scene: PatchScene, model: StoredModel, threads: int) -> None:
    """Write pixels.tif on the scene's own grid; the pixels of a patch add up to its reconstruction term."""
    detector, whole, side = model.detector, scene.plan.grid, scene.side
    tags = {"specvae_model_sha256": model.sha256, "direction": "higher is more anomalous", "unit": "nat"}
    with MapWriter(folder / FILE, whole, [COST], "float32", float("nan"), tags, threads) as writer:
        for window in scene.windows(VALUES // (side**2 * len(scene.bands))):
            cube = scene.read(window)
            costs = np.full((side**2, window.rows, window.cols), np.nan, np.float32)
            costs[:, cube.valid] = detector.pixel_costs(cube.values[:, cube.valid])
            around = scene.lattice.pixels(window)
            inside = around.clip(whole.window)
            writer.write(inside, to_pixels(costs, side)[(slice(None), *inside.shift(-around.row, -around.col).slices)])
        writer.close()
