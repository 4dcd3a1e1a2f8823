"""Masks and truths that are rasters on a scene's grid, and the names of common quality values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from specvae.errors import InputError, UsageError
from specvae.raster.grid import Grid
from specvae.spectra import Window

__all__ = ["NAMES", "MaskRaster"]

NAMES: dict[str, tuple[str, tuple[int, ...]]] = {
    "scl": ("values", (0, 1, 3, 8, 9, 10)),
    "qa_pixel": ("bits", (0, 1, 2, 3, 4)),
    "pixel_qa": ("bits", (0, 3, 5)),
    "fmask": ("bits", (1, 2, 3)),
}
"""What is left out by name: SCL no data, saturated, cloud shadow, clouds, cirrus; Landsat Collection 2 QA_PIXEL bits
fill, dilated cloud, cirrus, cloud, shadow; Collection 1 pixel_qa bits fill, shadow, cloud; HLS Fmask bits cloud,
adjacent, shadow."""


class MaskRaster:
    """A one-band raster of a scene's own size."""

    def __init__(self, path: str, grid: Grid, scene: str, values: Sequence[str] = ()) -> None:
        try:
            self.dataset: Any = rasterio.open(path, sharing=False)
        except (rasterio.errors.RasterioError, rasterio.errors.RasterioIOError) as error:
            raise InputError(f"the mask {path} cannot be read: {error}") from None
        shape = (self.dataset.height, self.dataset.width)
        if shape != (grid.rows, grid.cols):
            raise InputError(
                f"the mask {path} has {shape[0]} x {shape[1]} pixels, the scene {scene} has {grid.rows} x {grid.cols}: "
                "a mask lies on the scene's own grid"
            )
        self.rules = _rules(values)

    def close(self) -> None:
        """Close the file."""
        self.dataset.close()

    def _read(self, window: Window) -> Any:
        return self.dataset.read(1, window=RasterWindow(window.col, window.row, window.cols, window.rows))

    def excluded(self, window: Window) -> NDArray[np.bool_]:
        """``(rows, cols)``: True where the mask leaves a pixel out; without values, where it is 0 or nodata."""
        codes = self._read(window)
        if not self.rules:
            return np.asarray(~self._inside(codes))
        out = np.zeros(codes.shape, bool)
        for kind, numbers in self.rules:
            if kind == "bits":
                out |= (codes.astype(np.int64) & sum(1 << n for n in numbers)) != 0
            else:
                out |= np.isin(codes, numbers)
        return out

    def _inside(self, codes: Any) -> Any:
        nodata = self.dataset.nodata
        good = codes != 0
        if codes.dtype.kind == "f":
            good &= ~np.isnan(codes)
        return good if nodata is None else good & (codes != nodata)

    def inside(self, window: Window) -> NDArray[np.bool_]:
        """``(rows, cols)``: True where non-zero."""
        return np.asarray(self._inside(self._read(window)))

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """``(rows, cols)``: 1 anomalous (non-zero), 0 normal, 255 unknown (255 or nodata)."""
        codes = self._read(window)
        nodata = self.dataset.nodata
        unknown = (
            codes == 255 if codes.dtype == np.uint8 else np.isnan(codes) if codes.dtype.kind == "f" else codes < -1e30
        )
        if nodata is not None and nodata != 0:
            unknown = unknown | (codes == nodata)
        return np.where(unknown, np.uint8(255), (codes != 0).astype(np.uint8)).astype(np.uint8)


def _rules(values: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    rules = []
    for item in (part.strip().lower() for value in values for part in str(value).split(",")):
        bits = re.fullmatch(r"bits?:(\d+(?:-\d+)?)", item)
        numbers = re.fullmatch(r"(-?\d+)(?:-(\d+))?", item)
        if item in NAMES:
            rules.append(NAMES[item])
        elif bits:
            low, _, high = bits.group(1).partition("-")
            rules.append(("bits", tuple(range(int(low), int(high or low) + 1))))
        elif numbers:
            low_, high_ = int(numbers.group(1)), int(numbers.group(2) or numbers.group(1))
            rules.append(("values", tuple(range(low_, high_ + 1))))
        elif item:
            raise UsageError(f"--mask-values: {item!r} is no number, range, bits:N or name ({', '.join(NAMES)})")
    return rules
