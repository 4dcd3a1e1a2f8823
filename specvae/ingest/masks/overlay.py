"""What lies over a scene: masks, normal areas and truths, from rasters on its grid or polygons in any CRS."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.grid import Grid
from specvae.ingest.masks.polygons import open_polygons
from specvae.ingest.masks.raster_overlay import open_raster
from specvae.ingest.masks.vector_files import is_vector
from specvae.ingest.options import IngestOptions
from specvae.ingest.validity import Mask
from specvae.spectra import Window

__all__ = ["Overlay", "open_overlay"]


class Overlay(Protocol):
    """A mask over a scene, given window by window."""

    decisions: tuple[Decision, ...]
    """What was decided in reading it."""

    def marked(self, window: Window) -> Mask:
        """Where it is non-zero, or inside: ``(rows, cols)``."""

    def excluded(self, window: Window) -> Mask:
        """Where it excludes pixels as a ``--mask``, by the ``--mask-values`` of the options it was opened with."""

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """1 anomalous, 0 normal, 255 unknown."""

    def close(self) -> None:
        """Close the file."""


def open_overlay(path: str, grid: Grid, purpose: str, options: IngestOptions) -> Overlay:
    """The mask at ``path`` for a scene of this grid; ``purpose`` is the option that named it (``mask``, ``aoi`` ...).

    Raises InputError where it does not fit.
    """
    if is_vector(path):
        return open_polygons(path, grid, purpose, options)
    if purpose == "aoi":
        raise InputError(f"--aoi {path} is not a vector file; give polygons (GeoPackage, Shapefile, GeoJSON)")
    return open_raster(path, grid, purpose, options)
