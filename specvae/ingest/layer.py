"""A layer: one band of a source as it will be read, with its file, scale, fill and the reason for not using it."""

from __future__ import annotations

from dataclasses import dataclass

from specvae.bands import Band, nanometres_label

__all__ = ["Layer"]


@dataclass(frozen=True)
class Layer:
    """A band in a file. Physical value = stored value * scale + offset."""

    path: str
    """GDAL's name of the dataset, or the path of an array file."""
    index: int
    """1-based band within it."""
    band: Band
    """Name, wavelength and unit."""
    dtype: str = "float32"
    """Stored type, as numpy names it."""
    scale: float = 1.0
    """Factor from stored to physical values."""
    offset: float = 0.0
    """Added after scaling, in physical units."""
    nodata: float | None = None
    """Stored value that marks a missing pixel; may be NaN."""
    saturated: float | None = None
    """Stored value that marks a saturated pixel, where the product says so."""
    left_out: str | None = None
    """Why the band is not spectral or not usable (``alpha``, ``thermal``, ``bad band``, ...); None = used."""

    @property
    def place(self) -> tuple[str, int]:
        """The file and the band within it, which identify the layer among those of a product."""
        return self.path, self.index

    @property
    def label(self) -> str:
        """The band in messages: its name, else its wavelength, else its number."""
        if self.band.name:
            return self.band.name
        return nanometres_label(self.band.wavelength) if self.band.wavelength is not None else f"band {self.index}"
