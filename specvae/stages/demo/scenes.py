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

GROUND = 512
"""Side of the landscape that large scenes repeat, pixels."""
PLACE = Affine(20.0, 0.0, 500_000.0, 0.0, -20.0, 5_800_000.0)
"""Pixels of 20 m in a UTM zone."""


def write_scene(
    path: Path,
    values: NDArray[Any],
    names: Sequence[str] = BAND_NAMES,
    nodata: float = 0,
    crs: str = "EPSG:32632",
    taken: str | None = None,
) -> None:
    """Write values ``(bands, rows, cols)`` as a GeoTIFF of 20 m pixels, deflated and tiled.

    ``taken``: as :class:`GeoTiff` has it.
    """
    wavelengths = WAVELENGTHS if tuple(names) == BAND_NAMES else (None,) * len(names)
    bands = [Band(name, wavelength) for name, wavelength in zip(names, wavelengths, strict=True)]
    size, rows, cols = values.shape
    file = GeoTiff((size, rows, cols), values.dtype.name, PLACE, crs, nodata=nodata, bands=bands, taken=taken)
    file.write(path, [(Window(0, 0, rows, cols), values)])


def write_large_scene(
    path: Path, size: int, bands: int, dtype: str = "uint16", seed: int = 0, reverse: bool = False
) -> None:
    """Write a ``size x size`` scene, deflated in tiles of 512: one ground, mirrored at its edges, under fresh noise.

    Large and small scenes are of the same ground, so that a model of one flags the same share of any. With ``reverse`` the
    bands come in reverse order, as if the sensor had failed: nearly every pixel is then strange.
    """
    land = make_scene(GROUND, GROUND, seed, wavelengths=np.linspace(443, 2202, bands)).values
    collar = (land == 0).all(axis=0)
    # No nodata is declared here, so the collar is filled with ground: the scene is for timing, and all of it valid.
    land[:, collar] = land[:, ~collar][:, : int(collar.sum())]
    land = land[::-1] if reverse else land
    predictor = 3 if dtype == "float32" else 2
    blocks = _repeated(land.astype(np.float32), size, dtype, seed)
    GeoTiff((bands, size, size), dtype, PLACE, tile=512, predictor=predictor).write(path, blocks)


def _repeated(land: NDArray[np.float32], size: int, dtype: str, seed: int) -> Iterator[tuple[Window, NDArray[Any]]]:
    """Blocks that cover ``size x size`` pixels with a landscape ``(bands, side, side)``, each with noise of its own."""
    side = land.shape[1]
    # The shot noise of the synthetic sensor, in its counts: 40,000 electrons are 10,000 counts.
    deviation = np.sqrt(np.maximum(land, 1.0) / 4.0)
    for row in range(0, size, side):
        for col in range(0, size, side):
            # Neighbours mirror each other, so that the ground goes on across their edge as it does within them.
            flips = (slice(None), _mirrored(row // side), _mirrored(col // side))
            rng = np.random.default_rng((seed, row, col))
            noise = rng.standard_normal(land.shape, dtype=np.float32)
            block = (land + deviation * noise)[flips][:, : size - row, : size - col]
            block = np.clip(block / 40.0, 1, 255) if dtype == "uint8" else np.maximum(block, 1.0)
            yield Window(row, col, block.shape[1], block.shape[2]), block.astype(dtype)


def _mirrored(number: int) -> slice:
    """An axis as it is in blocks of even number, turned round in the others."""
    return slice(None, None, -1 if number % 2 else None)
