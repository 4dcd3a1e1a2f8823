"""Maps read back: which pixels of a window are anomalous, and what each band is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from specvae.spectra import Window

__all__ = ["anomalous_pixels", "map_bands", "map_windows"]


@contextmanager
def anomalous_pixels(path: Path) -> Iterator[Callable[[Window], NDArray[np.bool_]]]:
    """A function that gives the anomalous pixels ``(rows, cols)`` of a window of ``anomaly.tif``."""
    with rasterio.open(path) as flags:

        def read(window: Window) -> NDArray[np.bool_]:
            at = RasterWindow(window.col, window.row, window.cols, window.rows)
            return np.asarray(flags.read(1, window=at) == 1)

        yield read


@contextmanager
def map_windows(path: Path) -> Iterator[Callable[[Window], NDArray[np.float32]]]:
    """A function that gives the first band ``(rows, cols)`` of a window of a map."""
    with rasterio.open(path) as raster:

        def read(window: Window) -> NDArray[np.float32]:
            at = RasterWindow(window.col, window.row, window.cols, window.rows)
            return np.asarray(raster.read(1, window=at), np.float32)

        yield read


def map_bands(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """For each raster in ``folder``, its bands: name, description, unit, data type and nodata."""
    found = {}
    for path in sorted(folder.glob("*.tif")):
        with rasterio.open(path) as raster:
            nodata = raster.nodata
            nodata = "nan" if nodata is not None and np.isnan(nodata) else nodata
            found[path.name] = [
                {
                    "name": raster.descriptions[i - 1] or f"band {i}",
                    "description": raster.tags(i).get("description", ""),
                    "unit": raster.units[i - 1] or "1",
                    "data_type": raster.dtypes[i - 1],
                    "nodata": nodata,
                }
                for i in raster.indexes
            ]
    return found
