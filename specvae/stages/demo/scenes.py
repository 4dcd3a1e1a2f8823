"""Synthetic scenes as GeoTIFF: bands named and with wavelengths, in a UTM zone, nodata declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from specvae.bands import Band
from specvae.export.geotiff import GeoTiff
from specvae.spectra import Window
from specvae.stages.demo.synthetic import BAND_NAMES, WAVELENGTHS, make_scene

__all__ = ["write_large_scene", "write_scene"]

PLACE = Affine(20.0, 0.0, 500_000.0, 0.0, -20.0, 5_800_000.0)
"""Pixels of 20 m in a UTM zone."""


def write_scene(
    path: Path, values: NDArray[Any], names: Sequence[str] = BAND_NAMES, nodata: float = 0, crs: str = "EPSG:32632"
) -> None:
    """Write values ``(bands, rows, cols)`` as a GeoTIFF of 20 m pixels, deflated and tiled."""
    wavelengths = WAVELENGTHS if tuple(names) == BAND_NAMES else (None,) * len(names)
    bands = [Band(name, wavelength) for name, wavelength in zip(names, wavelengths, strict=True)]
    size, rows, cols = values.shape
    file = GeoTiff((size, rows, cols), values.dtype.name, PLACE, crs, nodata=nodata, bands=bands)
    file.write(path, [(Window(0, 0, rows, cols), values)])


def write_large_scene(path: Path, size: int, bands: int, dtype: str = "uint16", seed: int = 0) -> None:
    """Write a ``size x size`` scene, deflated in tiles of 512: one synthetic landscape, shifted and repeated."""
    # A landscape of the full size would take more memory than the program that reads it.
    side = min(size, 1024)
    land = make_scene(side, side, seed, wavelengths=np.linspace(443, 2202, bands)).values
    land = (land / 40 if dtype == "uint8" else land).astype(dtype)
    collar = (land == 0).all(axis=0)
    # No nodata is declared here, so the collar is filled with ground: the scene is for timing, and all of it valid.
    land[:, collar] = land[:, ~collar][:, : int(collar.sum())]
    predictor = 3 if dtype == "float32" else 2
    GeoTiff((bands, size, size), dtype, PLACE, tile=512, predictor=predictor).write(path, _repeated(land, size))


def _repeated(land: NDArray[Any], size: int) -> Iterator[tuple[Window, NDArray[Any]]]:
    """Blocks that cover ``size x size`` pixels with a landscape ``(bands, side, side)``, shifted from block to block."""
    side = land.shape[1]
    for row in range(0, size, side):
        for col in range(0, size, side):
            # Shifted, so that no two blocks compress or score alike by having the same cells.
            block = np.roll(land, (row // 7, col // 5), axis=(1, 2))[:, : size - row, : size - col]
            yield Window(row, col, block.shape[1], block.shape[2]), block
