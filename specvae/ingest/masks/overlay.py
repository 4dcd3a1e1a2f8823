"""What lies over a scene: masks, normal areas and truths, from rasters on its grid or polygons in any CRS."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.grid import Grid
from specvae.ingest.masks.polygons import PlacedPolygons, Polygons, is_vector, open_polygons
from specvae.ingest.masks.quality_values import excluded_values
from specvae.ingest.masks.raster_overlay import RasterLayer, open_raster_layer
from specvae.ingest.options import IngestOptions
from specvae.spectra import Window

__all__ = ["Overlay", "open_overlay"]

Mask = NDArray[np.bool_]


class Overlay(Protocol):
    """A mask over a scene, given window by window."""

    def marked(self, window: Window) -> Mask:
        """Where it is non-zero, or inside: ``(rows, cols)``."""

    def excluded(self, window: Window, values: tuple[str, ...]) -> Mask:
        """Where it excludes pixels as a ``--mask``."""

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """1 anomalous, 0 normal, 255 unknown."""

    def close(self) -> None:
        """Let the file go."""


class RasterOverlay:
    """A raster on the scene's grid."""

    def __init__(self, layer: RasterLayer) -> None:
        self.layer = layer

    def marked(self, window: Window) -> Mask:
        """Where it is non-zero and not nodata."""
        values, known = self.layer.read(window)
        return np.asarray((values != 0) & known)

    def excluded(self, window: Window, values: tuple[str, ...]) -> Mask:
        """Where its values are among those told, or the usual ones of its kind."""
        stored, known = self.layer.read(window)
        return excluded_values(stored, known, values, self.layer.hint)

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """Non-zero = 1, anomalous; 255 and nodata (but a nodata of 0, which many masks declare) = 255, unknown."""
        values, known = self.layer.read(window, zero_is_known=True)
        return np.where(known & (values != 255), (values != 0).astype(np.uint8), np.uint8(255))

    def close(self) -> None:
        """Let the file go."""
        self.layer.close()


class PolygonOverlay:
    """Polygons, inside = marked."""

    def __init__(self, polygons: Polygons | PlacedPolygons, path: str) -> None:
        self.polygons, self.path = polygons, path

    def marked(self, window: Window) -> Mask:
        """Where a pixel's centre lies inside."""
        return self.polygons.inside(window)

    def excluded(self, window: Window, values: tuple[str, ...]) -> Mask:
        """Inside = masked."""
        if values:
            raise InputError(f"--mask-values names values of a raster, but --mask {self.path} holds polygons")
        return self.polygons.inside(window)

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """Inside = 1, anomalous; all is known."""
        return self.polygons.inside(window).astype(np.uint8)

    def close(self) -> None:
        """Nothing is open."""


def open_overlay(path: str, grid: Grid, what: str, options: IngestOptions) -> Overlay:
    """The mask at ``path`` for a scene of this grid. Raises InputError where it does not fit."""
    if is_vector(path):
        return PolygonOverlay(open_polygons(path, grid, what), path)
    if what == "aoi":
        raise InputError(f"--aoi {path} is not a vector file; give polygons (GeoPackage, Shapefile, GeoJSON)")
    return RasterOverlay(open_raster_layer(path, grid, what, options))
