"""A scene seen in patches: the same files, each patch one pixel of a coarser grid with all its pixels' values."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Self

import numpy as np
from affine import Affine, TransformNotInvertibleError
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint

from specvae.ingest.grid import Grid
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.scene.plan import Plan
from specvae.ingest.scene.scene import Scene
from specvae.ingest.validity import Mask
from specvae.model.patches import Lattice, to_patches, to_pixels
from specvae.spectra import IMAGE_CELL, Cube, Invalid, Window

__all__ = ["PatchScene", "in_patches"]


def in_patches(scene: PixelScene, side: int | None) -> Scene:
    """The scene in patches of ``side`` x ``side`` pixels; the scene itself where ``side`` is None."""
    return scene if side is None else PatchScene(scene.plan, side, scene)


class PatchScene(Scene):
    """A scene whose pixels are patches. Its bands are the scene's, its cubes have every pixel's value of each of them.

    A patch is valid where all its pixels are, normal where all are, and anomalous where any of them is.
    """

    def __init__(self, plan: Plan, side: int, pixels: PixelScene | None = None) -> None:
        super().__init__(plan, side)
        self.lattice = Lattice.over(plan.grid.shape, side, _corner(plan.grid))
        self._pixels = pixels or PixelScene(plan)

    def __reduce__(self) -> tuple[type[PatchScene], tuple[Plan, int]]:
        return PatchScene, (self.plan, self.side)

    def open(self) -> Self:
        """Open the files and the masks over them, which checks that they fit; reading does so by itself."""
        self._pixels.open()
        return self

    def close(self) -> None:
        """Close the files; reading opens them again."""
        self._pixels.close()

    @property
    def grid(self) -> Grid:
        """Size and georeferencing of the patches; RPCs, which speak of the file's pixels, are dropped."""
        pixels, at = self.plan.grid, self.lattice
        move = Affine.translation(at.col, at.row) * Affine.scale(self.side)
        points = tuple(
            GroundControlPoint((p.row - at.row) / self.side, (p.col - at.col) / self.side, p.x, p.y, p.z, p.id, p.info)
            for p in pixels.gcps
        )
        transform = pixels.transform * move if pixels.placed else pixels.transform
        return replace(pixels, rows=at.rows, cols=at.cols, transform=transform, gcps=points, rpcs=None)

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of patches that the file decodes at once, rounded down."""
        rows, cols = self.plan.block
        return max(1, rows // self.side), max(1, cols // self.side)

    @property
    def cell(self) -> int:
        """Side, in patches, of the cells in which a model of patches scores."""
        return IMAGE_CELL

    @property
    def notes(self) -> list[str]:
        """What a user should know about how this is read."""
        anchored = "anchored in the CRS" if self.plan.grid.placed else "anchored at the first pixel, as it has no CRS"
        return [*self.plan.said, f"rows, cols and pixels are patches of {self.side} x {self.side} pixels, {anchored}"]

    def cached(self, size: int, rows: int = 0) -> AbstractContextManager[None]:
        """Read with GDAL's block cache bounded to ``size`` bytes; with ``rows``, hold whole rows of so many bytes."""
        return self._pixels.cached(size, rows)

    def read(self, window: Window) -> Cube:
        """Physical values ``(bands * side * side, rows, cols)`` of a window of patches, and their reasons."""
        pixels = self.under(window)
        # Of the reasons in a patch the largest is reported; any other than 0 makes the patch invalid.
        return Cube(to_patches(pixels.values, self.side), self._by_patch(pixels.reason).max(axis=0), window)

    def under(self, window: Window) -> Cube:
        """The pixels under a window of patches, ``(bands, rows * side, cols * side)``; no data beyond the scene."""
        around, inside = self._pixels_under(window)
        cube = self._pixels.read(inside)
        values = np.zeros((len(self.bands), around.rows, around.cols), np.float32)
        reason = np.full((around.rows, around.cols), Invalid.NODATA, np.uint8)
        rows, cols = inside.shift(-around.row, -around.col).slices
        values[:, rows, cols], reason[rows, cols] = cube.values, cube.reason
        return Cube(values, reason, around)

    def on_pixels(self, window: Window, values: NDArray[np.float32]) -> tuple[Window, NDArray[np.float32]]:
        """The pixels under a window of patches, as far as the scene goes, and their values.

        Values ``(n * side * side, rows, cols)``, in the order in which ``read`` gives them, become ``(n, rows, cols)``
        of pixels.
        """
        around, inside = self._pixels_under(window)
        rows, cols = inside.shift(-around.row, -around.col).slices
        return inside, to_pixels(values, self.side)[:, rows, cols]

    def normal(self, window: Window) -> Mask:
        """Where all pixels of a patch are normal; pixels beyond the scene are not."""
        around, inside = self._pixels_under(window)
        out = np.zeros((around.rows, around.cols), bool)
        out[inside.shift(-around.row, -around.col).slices] = self._pixels.normal(inside)
        return np.asarray(self._by_patch(out).all(axis=0))

    def near_mask(self, window: Window, pixels: int) -> Mask:
        """Where any pixel of a patch lies within so many pixels of what the masks leave out."""
        around, inside = self._pixels_under(window)
        out = np.zeros((around.rows, around.cols), bool)
        out[inside.shift(-around.row, -around.col).slices] = self._pixels.near_mask(inside, pixels)
        return np.asarray(self._by_patch(out).any(axis=0))

    def truth(self, window: Window) -> NDArray[np.uint8] | None:
        """1 where any pixel is anomalous, else 255 where any is unknown, else 0; None where no truth was given."""
        around, inside = self._pixels_under(window)
        truth = self._pixels.truth(inside)
        if truth is None:
            return None
        # What lies beyond the scene is unknown, as what the truth itself leaves open.
        out = np.full((around.rows, around.cols), 255, np.uint8)
        out[inside.shift(-around.row, -around.col).slices] = truth
        by_patch = self._by_patch(out)
        return np.where((by_patch == 1).any(axis=0), 1, by_patch.max(axis=0)).astype(np.uint8)

    def _pixels_under(self, window: Window) -> tuple[Window, Window]:
        """The pixels under a window of patches: all of them, which may reach beyond the scene, and those inside it."""
        around = self.lattice.pixels(window)
        return around, around.clip(self.plan.grid.window)

    def _by_patch(self, plane: NDArray[Any]) -> NDArray[Any]:
        """A plane ``(rows * side, cols * side)`` of pixels as ``(side * side, rows, cols)``: its values by patch."""
        n = self.side
        rows, cols = plane.shape[0] // n, plane.shape[1] // n
        return plane.reshape(rows, n, cols, n).transpose(1, 3, 0, 2).reshape(n * n, rows, cols)


def _corner(grid: Grid) -> tuple[float, float]:
    """Row and column of the scene's corner among the pixels of its CRS, counted from the CRS's origin."""
    if not grid.placed:
        return 0.0, 0.0
    t = grid.transform
    try:
        # Counted from the CRS's origin, so that neighbouring scenes of one grid are cut into the same patches.
        col, row = ~Affine(t.a, t.b, 0.0, t.d, t.e, 0.0) * (t.c, t.f)
    except TransformNotInvertibleError:
        return 0.0, 0.0
    return float(row), float(col)
