"""Masks of clouds and their shadows, for a benchmark whose scenes come with masks that miss many of them.

The product itself takes masks and makes none: this is a rule for one place of forest, made by eye, and no detector of clouds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

__all__ = ["usable_ground", "write_usable_ground"]

BLUE, RED, NARROW_INFRARED, SHORTWAVE = "B2", "B4", "B8A", "B11"
CLOUD, BRIGHT, WHITE = 2.2, 0.7, 0.85
"""What is called cloud: blue of at least CLOUD times its median in the scene, near infrared of at least BRIGHT times its own, and
blue of at least WHITE times the red, for on bare ground red is far above blue."""
SHADOW, WATER = 0.5, 0.35
"""What is called shadow: near and short-wave infrared below SHADOW times their medians in the scene. Short-wave infrared below
WATER times its median is water instead."""
BESIDE_CLOUD, BESIDE_SHADOW = 4, 3
"""Pixels by which clouds and shadows are widened."""
Bits = NDArray[np.bool_]


def usable_ground(values: NDArray[np.floating], names: tuple[str, ...]) -> Bits:
    """``(rows, cols)``: where a scene ``(bands, rows, cols)``, 0 where missing, shows neither cloud nor shadow, by this rule."""
    valid = (values > 0).all(axis=0)
    blue, red, near, short = (
        np.asarray(values[names.index(name)], np.float64) for name in (BLUE, RED, NARROW_INFRARED, SHORTWAVE)
    )
    usual = [float(np.median(band[valid])) if valid.any() else 1.0 for band in (blue, red, near, short)]
    water = (short < WATER * usual[3]) | (short < red)
    cloud = valid & ~water & (blue > CLOUD * usual[0]) & (near > BRIGHT * usual[2]) & (blue > WHITE * red)
    shadow = valid & ~water & (near < SHADOW * usual[2]) & (short < SHADOW * usual[3]) & (red < 0.9 * usual[1])
    hidden = binary_dilation(cloud, iterations=BESIDE_CLOUD) | binary_dilation(shadow, iterations=BESIDE_SHADOW)
    return np.asarray(valid & ~hidden)


def write_usable_ground(scene: Path, mask: Path) -> None:
    """Write the mask of a scene: 1 where it is usable, 0 elsewhere, on the scene's grid."""
    with rasterio.open(scene) as read:
        usable = usable_ground(read.read(), tuple(read.descriptions))
        grid = {name: read.profile[name] for name in ("width", "height", "crs", "transform")}
    with rasterio.open(mask, "w", driver="GTiff", count=1, dtype="uint8", **grid) as written:
        written.write(usable.astype(np.uint8), 1)
