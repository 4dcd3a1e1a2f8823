"""GeoTIFF files of scenes that are made rather than read: tiled, deflated, with the bands' names and wavelengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window as RasterioWindow

from specvae.bands import Band
from specvae.files.atomic import atomic_file
from specvae.spectra import Window

__all__ = ["GeoTiff"]

THREADS = 2
"""Threads that compress blocks."""


@dataclass(frozen=True)
class GeoTiff:
    """How a scene is stored as GeoTIFF, without its values."""

    shape: tuple[int, int, int]
    """(bands, rows, cols)."""
    dtype: str
    """Type of the stored values, as numpy names it."""
    transform: Affine
    """The transform from (col, row) to coordinates."""
    crs: str = "EPSG:32632"
    tile: int = 256
    """Side of a block in pixels."""
    nodata: float | None = None
    """Stored value that marks a missing pixel; None = none is declared."""
    predictor: int = 2
    """TIFF's predictor: 2 takes differences of neighbours, 3 is made for floating point."""
    bands: Sequence[Band] = ()
    """Names and wavelengths of the bands; () = the file has none."""
    taken: str | None = None
    """When it was acquired, ``YYYY:MM:DD hh:mm:ss`` as TIFF writes it; None = the file does not say."""

    def write(self, path: Path, blocks: Iterable[tuple[Window, NDArray[Any]]]) -> None:
        """Write blocks ``(bands, rows, cols)``, each at its window; the file appears whole or not at all."""
        # Written beside its place and renamed: a demo or a benchmark that is killed leaves no half a scene to be fitted.
        with atomic_file(path) as beside, rasterio.open(beside, "w", **self._profile()) as dataset:
            for window, values in blocks:
                place = RasterioWindow(window.col, window.row, window.cols, window.rows)
                dataset.write(values, window=place)
            if self.taken is not None:
                dataset.update_tags(TIFFTAG_DATETIME=self.taken)
            for number, band in enumerate(self.bands, start=1):
                dataset.set_band_description(number, band.name)
                if band.wavelength is not None:
                    dataset.update_tags(number, wavelength=str(band.wavelength), wavelength_units="nm")

    def _profile(self) -> dict[str, Any]:
        """Rasterio's keywords for a new file."""
        bands, rows, cols = self.shape
        return {
            "driver": "GTiff",
            "count": bands,
            "height": rows,
            "width": cols,
            "dtype": self.dtype,
            "crs": self.crs,
            "transform": self.transform,
            "nodata": self.nodata,
            "compress": "deflate",
            "predictor": self.predictor,
            "tiled": True,
            "blockxsize": self.tile,
            "blockysize": self.tile,
            "num_threads": THREADS,
        }
