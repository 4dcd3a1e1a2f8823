"""What lies over a scene: masks, normal areas and truths, from rasters on its grid or polygons in any CRS."""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["MASKS", "Overlay", "Widened", "open_overlay"]

MASKS = frozenset({"mask", "before-mask"})
"""The overlays that say what to leave out, by the option that names them."""


class Overlay(Protocol):
    """A mask over a scene, given window by window."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided in reading it."""

    def marked(self, window: Window) -> Mask:
        """Where it is non-zero, or inside: ``(rows, cols)``."""

    def excluded(self, window: Window) -> Mask:
        """Where it excludes pixels as a ``--mask``, by the ``--mask-values`` of the options it was opened with."""

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """1 anomalous, 0 normal, 255 unknown."""

    def close(self) -> None:
        """Close the file."""


@dataclass(frozen=True)
class Widened:
    """A mask that leaves out some pixels more around all that it leaves out."""

    mask: Overlay
    grid: Grid
    pixels: int
    """By how many, along rows, columns and diagonals alike."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided in reading the mask."""
        return self.mask.decisions

    def marked(self, window: Window) -> Mask:
        """Where the mask itself is non-zero, or inside."""
        return self.mask.marked(window)

    def excluded(self, window: Window) -> Mask:
        """Where the mask excludes pixels, or a pixel that is near enough: the same whatever the window."""
        from scipy.ndimage import maximum_filter  # most scenes have no mask that is widened

        around = window.grow(self.pixels).clip(self.grid.window)
        excluded = maximum_filter(self.mask.excluded(around).astype(np.uint8), 2 * self.pixels + 1, mode="constant")
        return np.asarray(excluded[window.shift(-around.row, -around.col).slices], bool)

    def truth(self, window: Window) -> NDArray[np.uint8]:
        """The mask's own."""
        return self.mask.truth(window)

    def close(self) -> None:
        """Close the mask's file."""
        self.mask.close()


def open_overlay(path: str, grid: Grid, purpose: str, options: IngestOptions) -> Overlay:
    """The mask at ``path`` for a scene of this grid; ``purpose`` is the option that named it (``mask``, ``aoi`` ...).

    Raises InputError where it does not fit.
    """
    if is_vector(path):
        overlay: Overlay = open_polygons(path, grid, purpose, options)
    elif purpose == "aoi":
        raise InputError(f"--aoi {path} is not a vector file; give polygons (GeoPackage, Shapefile, GeoJSON)")
    else:
        overlay = open_raster(path, grid, purpose, options)
    return Widened(overlay, grid, options.widening) if options.widening and purpose in MASKS else overlay
