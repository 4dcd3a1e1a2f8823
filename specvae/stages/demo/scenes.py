"""Synthetic scenes as GeoTIFF: bands named and with wavelengths, in a UTM zone, nodata declared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from specvae.files.atomic import atomic_file
from specvae.stages.demo.synthetic import BAND_NAMES, WAVELENGTHS, make_scene

__all__ = ["write_large_scene", "write_scene"]

PLACE = Affine(20.0, 0.0, 500_000.0, 0.0, -20.0, 5_800_000.0)


def write_scene(
    path: Path, values: NDArray[Any], names: Sequence[str] = BAND_NAMES, nodata: float = 0, crs: str = "EPSG:32632"
) -> None:
    """Write ``(bands, rows, cols)``, 20 m pixels, deflated and tiled."""
    profile = {
        "driver": "GTiff", "count": values.shape[0], "height": values.shape[1], "width": values.shape[2],
        "dtype": values.dtype.name, "crs": crs, "transform": PLACE, "nodata": nodata, "compress": "deflate",
        "predictor": 2, "tiled": True, "blockxsize": 256, "blockysize": 256,
    }  # fmt: skip
    with atomic_file(path) as beside, rasterio.open(beside, "w", **profile) as dataset:
        dataset.write(values)
        for i, name in enumerate(names, start=1):
            dataset.set_band_description(i, name)
            if tuple(names) == BAND_NAMES:
                dataset.update_tags(i, wavelength=str(WAVELENGTHS[i - 1]), wavelength_units="nm")


def write_large_scene(path: Path, size: int, bands: int, dtype: str = "uint16", seed: int = 0) -> None:
    """Write a ``size x size`` scene, deflated with predictor 2 in tiles of 512: one made land, shifted and repeated."""
    side = min(size, 1024)
    land = make_scene(side, side, seed, wavelengths=np.linspace(443, 2202, bands)).values
    land = (land / 40 if dtype == "uint8" else land).astype(dtype)
    collar = (land == 0).all(axis=0)
    land[:, collar] = land[:, ~collar][:, : int(collar.sum())]
    profile = {
        "driver": "GTiff", "count": bands, "height": size, "width": size, "dtype": dtype, "crs": "EPSG:32632",
        "transform": PLACE, "compress": "deflate", "predictor": 3 if dtype == "float32" else 2, "tiled": True,
        "blockxsize": 512, "blockysize": 512, "num_threads": 2,
    }  # fmt: skip
    with atomic_file(path) as beside, rasterio.open(beside, "w", **profile) as dataset:
        for row in range(0, size, side):
            for col in range(0, size, side):
                block = np.roll(land, (row // 7, col // 5), axis=(1, 2))[:, : size - row, : size - col]
                dataset.write(block, window=Window(col, row, block.shape[2], block.shape[1]))
