"""What every open scene promises: cubes of physical values with reasons, window by window, on a grid of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from specvae.bands import BandMatch, BandSet
from specvae.ingest.decision import Decision
from specvae.ingest.grid import Grid
from specvae.ingest.scene.area import pixel_areas
from specvae.ingest.scene.plan import Plan
from specvae.ingest.scene.windows import tile
from specvae.ingest.validity import Mask
from specvae.spectra import Cube, Window

__all__ = ["Scene"]


class Scene(ABC):
    """An open scene, a context manager; it pickles as its plan and is opened again where it arrives.

    Its pixels are those of the file (``PixelScene``) or patches of these (``PatchScene``); rows, cols, grid, block and
    windows count whichever they are.
    """

    def __init__(self, plan: Plan, side: int = 1) -> None:
        """``side``: how many of the file's pixels lie along a side of one of this scene's; 1 where they are the same."""
        self.plan, self.side = plan, side

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def open(self) -> Self:
        """Open the files and the masks over them, which checks that they fit; reading does so by itself."""

    @abstractmethod
    def close(self) -> None:
        """Close the files; reading opens them again."""

    @property
    @abstractmethod
    def grid(self) -> Grid:
        """Size and georeferencing."""

    @property
    @abstractmethod
    def block(self) -> tuple[int, int]:
        """Rows and columns that the file decodes at once."""

    @property
    @abstractmethod
    def cell(self) -> int:
        """Side of the cells in which torch scores this scene; the offsets of :meth:`windows` are multiples of it."""

    @abstractmethod
    def cached(self, size: int, rows: int = 0) -> AbstractContextManager[None]:
        """Read with GDAL's block cache bounded to ``size`` bytes; with ``rows``, hold whole rows of so many bytes."""

    @abstractmethod
    def read(self, window: Window) -> Cube:
        """Physical values and reasons of a window inside the scene. Raises ReadError where the file is damaged."""

    @abstractmethod
    def normal(self, window: Window) -> Mask:
        """Where --normal says that pixels are normal, ``(rows, cols)``; everywhere without it."""

    @abstractmethod
    def near_mask(self, window: Window, pixels: int) -> Mask:
        """Where a pixel lies within so many pixels of what the masks leave out, ``(rows, cols)``; nowhere without masks."""

    @abstractmethod
    def truth(self, window: Window) -> NDArray[np.uint8] | None:
        """``(rows, cols)``: 1 anomalous, 0 normal, 255 unknown; None where no truth was given."""

    @abstractmethod
    def under(self, window: Window) -> Cube:
        """The file's pixels under a window, ``(bands, rows * side, cols * side)``; no data beyond the scene."""

    @abstractmethod
    def on_pixels(self, window: Window, values: NDArray[np.float32]) -> tuple[Window, NDArray[np.float32]]:
        """A window and values made of it, ``(n, rows, cols)`` or as ``read`` gives them, on the file's own pixels."""

    @property
    def pixel_grid(self) -> Grid:
        """Size and georeferencing of the file's own pixels."""
        return self.plan.grid

    def windows(self, pixels: int) -> list[Window]:
        """Windows of about ``pixels`` in reading order, cut so that no block is decoded twice."""
        return tile(self.shape, self.block, pixels, self.cell)

    @property
    def has_truth(self) -> bool:
        """Whether a truth was given."""
        return self.plan.options.truth is not None

    @property
    def path(self) -> str:
        """What the user pointed at."""
        return self.plan.product.path

    @property
    def name(self) -> str:
        """The scene's name: its file or folder without the ending."""
        return self.plan.product.name

    @property
    def key(self) -> str:
        """Folder of its report, below the output folder."""
        return self.plan.key

    @property
    def bands(self) -> BandSet:
        """The bands read, in order."""
        return self.plan.bands

    @property
    def before(self) -> Plan | None:
        """How the earlier date is read, whose bands are delivered behind the scene's own; None for a scene of one date."""
        return self.plan.before

    @property
    def depth(self) -> int:
        """Values that are delivered of one of the file's pixels: of two dates those of both."""
        return self.plan.depth

    @property
    def band_match(self) -> BandMatch | None:
        """How the bands serve the model given to ``open_scene``; None without one."""
        return self.plan.match

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each band, empty where unknown."""
        return tuple(band.unit for band in self.bands)

    @property
    def dtype(self) -> str:
        """The type as stored, of the widest band."""
        layers = self.plan.layers + (self.before.layers if self.before else ())
        return str(np.result_type(*{np.dtype(layer.dtype) for layer in layers}))

    @property
    def notes(self) -> list[str]:
        """What a user should know about how this is read, the decisions that were guessed among it."""
        return self.plan.said

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided about how this is read, and on what evidence."""
        return self.plan.decisions

    @property
    def datetime(self) -> str | None:
        """Acquisition, ISO 8601, where its metadata or name say it."""
        return self.plan.product.datetime

    @property
    def level(self) -> str | None:
        """Processing level, where known."""
        return self.plan.product.level

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.grid.shape

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.grid.rows

    @property
    def cols(self) -> int:
        """Number of columns."""
        return self.grid.cols

    @property
    def crs(self) -> CRS | None:
        """Coordinate reference system of the transform, or None."""
        return self.grid.crs

    @property
    def transform(self) -> Affine:
        """From (column, row) to coordinates; the identity where there is none."""
        return self.grid.transform

    @property
    def pixel_size(self) -> float | None:
        """Side of a pixel in units of the CRS, None without a transform."""
        return float(abs(self.transform.determinant) ** 0.5) if self.grid.placed else None

    @property
    def pixel_area_m2(self) -> float | None:
        """Square metres of a pixel (in a geographic CRS, of the middle row), None where they are not known."""
        areas = pixel_areas(self.grid, self.rows // 2, 1)
        return None if areas is None else float(areas[0])
