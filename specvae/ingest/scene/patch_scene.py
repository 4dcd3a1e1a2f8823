"""A scene seen in patches: the same reading, each patch one pixel of a coarser grid with all its pixels' values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from affine import Affine, TransformNotInvertibleError
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint

from specvae.ingest.grid import Grid
from specvae.ingest.scene.plan import Plan
from specvae.ingest.scene.scene import Scene
from specvae.ingest.scene.windows import tile
from specvae.ingest.validity import Mask
from specvae.model.patches import Lattice, to_patches
from specvae.spectra import IMAGE_CELL, Cube, Invalid, Window

__all__ = ["PatchScene", "in_patches"]


def in_patches(scene: Scene, side: int | None) -> Scene:
    """The scene in patches of ``side`` x ``side`` pixels; as it is without."""
    return scene if side is None else PatchScene(scene.plan, side, scene)


class PatchScene(Scene):
    """A scene whose pixels are patches. Its bands are the scene's, its cubes have every pixel's value of each of them.

    A patch is valid where all its pixels are, normal where all are, and anomalous where any of them is.
    """

    def __init__(self, plan: Plan, side: int, pixels: Scene | None = None) -> None:
        super().__init__(plan)
        self.side = side
        self.lattice = Lattice.over(plan.grid.shape, side, _corner(plan.grid))
        self._pixels = pixels or Scene(plan)

    def __reduce__(self) -> tuple[Any, ...]:
        return PatchScene, (self.plan, self.side)

    def open(self) -> Scene:
        """Open the files and the masks over them."""
        self._pixels.open()
        return self

    def close(self) -> None:
        """Let the files go."""
        self._pixels.close()

    @property
    def grid(self) -> Grid:
        """Size and georeferencing of the patches."""
        whole, at = self.plan.grid, self.lattice
        move = Affine.translation(at.col, at.row) * Affine.scale(self.side)
        points = tuple(
            GroundControlPoint((p.row - at.row) / self.side, (p.col - at.col) / self.side, p.x, p.y, p.z, p.id, p.info)
            for p in whole.gcps
        )
        transform = whole.transform * move if whole.placed else whole.transform
        return replace(whole, rows=at.rows, cols=at.cols, transform=transform, gcps=points, rpcs=None)

    @property
    def block(self) -> tuple[int, int]:
        """Patches that the file decodes at once, about."""
        rows, cols = self.plan.block
        return max(1, rows // self.side), max(1, cols // self.side)

    @property
    def notes(self) -> list[str]:
        """What a user should know about how this is read."""
        anchored = "anchored in the CRS" if self.plan.grid.placed else "anchored at the first pixel, as it has no CRS"
        return [*self.plan.notes, f"rows, cols and pixels are patches of {self.side} x {self.side} pixels, {anchored}"]

    def windows(self, pixels: int, multiple: int = IMAGE_CELL) -> list[Window]:
        """Windows of about ``pixels`` patches in reading order."""
        return tile(self.shape, self.block, pixels, IMAGE_CELL)

    def read(self, window: Window) -> Cube:
        """``(bands * side * side, rows, cols)`` physical values of a window of patches, and reasons."""
        under = self.under(window)
        return Cube(to_patches(under.values, self.side), self._each(under.reason).max(axis=0), window)

    def under(self, window: Window) -> Cube:
        """The pixels under a window of patches, ``(bands, rows * side, cols * side)``; no data beyond the scene."""
        around = self.lattice.pixels(window)
        inside = around.clip(self.plan.grid.window)
        cube = self._pixels.read(inside)
        values = np.zeros((len(self.bands), around.rows, around.cols), np.float32)
        reason = np.full((around.rows, around.cols), Invalid.NODATA, np.uint8)
        rows, cols = inside.shift(-around.row, -around.col).slices
        values[:, rows, cols], reason[rows, cols] = cube.values, cube.reason
        return Cube(values, reason, around)

    def normal(self, window: Window) -> Mask:
        """Where all pixels of a patch are normal."""
        found = self._overlaid(window, self._pixels.normal, False)
        return np.asarray(self._each(found).all(axis=0))

    def truth(self, window: Window) -> NDArray[np.uint8] | None:
        """1 where any pixel is anomalous, else 255 where any is unknown, else 0; None where no truth was given."""
        if not self.has_truth:
            return None
        each = self._each(self._overlaid(window, self._pixels.truth, 255))
        return np.where((each == 1).any(axis=0), 1, each.max(axis=0)).astype(np.uint8)

    def _overlaid(self, window: Window, read: Any, beyond: Any) -> NDArray[Any]:
        """A mask of the pixels under the patches; ``beyond`` outside the scene."""
        around = self.lattice.pixels(window)
        inside = around.clip(self.plan.grid.window)
        found = read(inside)
        out = np.full((around.rows, around.cols), beyond, found.dtype)
        out[inside.shift(-around.row, -around.col).slices] = found
        return out

    def _each(self, mask: NDArray[Any]) -> NDArray[Any]:
        """``(side * side, rows, cols)``: a mask's values by patch."""
        n = self.side
        rows, cols = mask.shape[0] // n, mask.shape[1] // n
        return mask.reshape(rows, n, cols, n).transpose(1, 3, 0, 2).reshape(n * n, rows, cols)


def _corner(grid: Grid) -> tuple[float, float]:
    """Row and column of the scene's corner among the pixels of its CRS, counted from the CRS's origin."""
    if not grid.placed:
        return 0.0, 0.0
    t = grid.transform
    try:
        col, row = ~Affine(t.a, t.b, 0.0, t.d, t.e, 0.0) * (t.c, t.f)
    except TransformNotInvertibleError:
        return 0.0, 0.0
    return float(row), float(col)
