"""Small rasters with planted content, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

UTM = {"crs": "EPSG:32633", "transform": from_origin(400_000, 5_000_000, 10, 10)}


def ramp(bands: int = 3, rows: int = 40, cols: int = 50, dtype: str = "uint16", start: int = 100) -> NDArray[Any]:
    """``(bands, rows, cols)``, every value different from its neighbours and none zero."""
    values = start + np.arange(bands * rows * cols).reshape(bands, rows, cols) % 20_000
    return values.astype(dtype)


def write(path: Path, values: NDArray[Any], names: tuple[str, ...] = (), **profile: Any) -> Path:
    """A GeoTIFF (or another driver) of ``values``, on a 10 m UTM grid unless ``profile`` says otherwise."""
    options: dict[str, Any] = {"driver": "GTiff", **UTM, **profile}
    mask = options.pop("mask", None)
    tags = options.pop("band_tags", {})
    scales, offsets = options.pop("scales", None), options.pop("offsets", None)
    colorinterp = options.pop("colorinterp", None)
    count, rows, cols = values.shape
    options = {key: value for key, value in options.items() if value is not None}
    with rasterio.open(path, "w", width=cols, height=rows, count=count, dtype=values.dtype, **options) as file:
        file.write(values)
        for at, name in enumerate(names, start=1):
            file.set_band_description(at, name)
        for at, items in tags.items():
            file.update_tags(at, **items)
        if scales is not None:
            file.scales = scales
        if offsets is not None:
            file.offsets = offsets
        if colorinterp is not None:
            file.colorinterp = colorinterp
        if mask is not None:
            file.write_mask(mask)
    return path
