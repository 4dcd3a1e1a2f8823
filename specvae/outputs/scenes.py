"""Synthetic scenes as GeoTIFF: bands named and with wavelengths, in a UTM zone, nodata declared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from numpy.typing import NDArray

from specvae.outputs.atomic import atomic_file
from specvae.synthetic import BAND_NAMES, WAVELENGTHS

__all__ = ["write_scene"]

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
