"""A quality layer of a product: a raster beside its bands that says which pixels its provider would not use."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QualityLayer"]


@dataclass(frozen=True)
class QualityLayer:
    """Bands of a raster whose values leave pixels out."""

    path: str
    """GDAL's name of the raster."""
    what: str
    """What it marks, in words: ``clouds``."""
    bands: tuple[int, ...] = (1,)
    """Its 1-based bands that mark something."""
    values: tuple[int, ...] = ()
    """Values that leave a pixel out; () = all but 0."""
