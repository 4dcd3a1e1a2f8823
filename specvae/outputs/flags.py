"""The anomaly map read back: which pixels of a window are anomalous."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from specvae.spectra import Window

__all__ = ["anomalous_pixels"]


@contextmanager
def anomalous_pixels(path: Path) -> Iterator[Callable[[Window], NDArray[np.bool_]]]:
    """A function that gives the anomalous pixels ``(rows, cols)`` of a window of ``anomaly.tif``."""
    with rasterio.open(path) as flags:

        def read(window: Window) -> NDArray[np.bool_]:
            at = RasterWindow(window.col, window.row, window.cols, window.rows)
            return np.asarray(flags.read(1, window=at) == 1)

        yield read
