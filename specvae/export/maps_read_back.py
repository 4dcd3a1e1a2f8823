"""Finished maps read window by window: what needs all of a scene's pixels at once need not hold them in memory.

Outlines need the flags, and pooling needs the scores, of places on both sides of the seams between scored windows. To
hold them instead would take a bit and 4 bytes a pixel, 10 GB of a scene of 50,000 x 50,000 pixels, whatever
``--max-memory`` says. Reading them back costs little: of 16 million pixels, 0.05 s of the 0.8 s that the outlines of
10,000 objects take, and 0.3 s of the 20 s of pooling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from specvae.spectra import Window

__all__ = ["anomalous_pixels", "map_windows"]


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
