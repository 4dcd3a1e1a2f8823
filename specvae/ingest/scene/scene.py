"""A scene: cubes of physical values with reasons, window by window, however its files are laid out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from specvae.bands import BandMatch, BandSet
from specvae.errors import ReadError
from specvae.ingest.formats.gdal import LIBRARY_ERRORS, errors_in_one_line
from specvae.ingest.grid import Grid
from specvae.ingest.masks.overlay import Overlay, open_overlay
from specvae.ingest.scene.area import pixel_areas
from specvae.ingest.scene.plan import FileStamp, Plan
from specvae.ingest.scene.reader import GdalReader, Reader, open_reader
from specvae.ingest.scene.whole_rows import RowReader
from specvae.ingest.scene.windows import tile
from specvae.ingest.validity import Mask, fill_reasons, keep_first, to_physical
from specvae.spectra import Cube, Invalid, Window

__all__ = ["Scene"]


class Scene:
    """An open scene. A context manager; pickled as its plan, and reopened where it arrives. Threads take turns."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._readers: list[tuple[tuple[int, ...], Reader]] | None = None
        self._overlays: dict[str, Overlay] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Scene:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Scene], tuple[Plan]]:
        return Scene, (self.plan,)

    def open(self) -> Scene:
        """Open the files and the masks over them, which checks that they fit; reading does so by itself."""
        with self._lock:
            if self._readers is None:
                self._readers = [(at, open_reader(layers, self.plan)) for at, layers in self.plan.groups()]
                told, corner = self.plan.options, Window(0, 0, 1, 1)
                for what, path in (
                    ("normal", told.normal),
                    ("truth", told.truth),
                    ("mask", told.mask),
                    ("aoi", told.aoi),
                ):
                    if path:
                        self._overlays[what] = open_overlay(path, self.plan.grid, what, told)
                if told.mask:
                    self._overlays["mask"].excluded(corner, told.mask_values)
        return self

    def close(self) -> None:
        """Let the files go; reading opens them again."""
        with self._lock:
            for _, reader in self._readers or []:
                reader.close()
            for overlay in self._overlays.values():
                overlay.close()
            self._readers, self._overlays = None, {}

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
        """Where its report goes, below the output folder."""
        return self.plan.key

    @property
    def bands(self) -> BandSet:
        """The bands delivered, in order."""
        return self.plan.bands

    @property
    def band_match(self) -> BandMatch | None:
        """How they serve the model given to ``open_scene``."""
        return self.plan.match

    @property
    def grid(self) -> Grid:
        """Size and georeferencing."""
        return self.plan.grid

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
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
    def block(self) -> tuple[int, int]:
        """Rows and columns that the file decodes at once."""
        return self.plan.block

    @property
    def dtype(self) -> str:
        """The type as stored, of the widest band."""
        return str(np.result_type(*{np.dtype(layer.dtype) for layer in self.plan.layers}))

    @property
    def notes(self) -> list[str]:
        """What a user should know about how this is read."""
        return list(self.plan.notes)

    @property
    def identity(self) -> tuple[FileStamp, ...]:
        """The files behind the scene with size and time."""
        return self.plan.stamps

    @property
    def datetime(self) -> str | None:
        """When it was taken, ISO 8601, where its metadata or name tell."""
        return self.plan.product.datetime

    @property
    def level(self) -> str | None:
        """Processing level, where known."""
        return self.plan.product.level

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each band, empty where unknown."""
        return tuple(band.unit for band in self.bands)

    @property
    def pixel_size(self) -> float | None:
        """Side of a pixel in units of the CRS, None without a transform."""
        return float(abs(self.transform.determinant) ** 0.5) if self.grid.placed else None

    @property
    def pixel_area_m2(self) -> float | None:
        """Square metres of a pixel (in a geographic CRS, of the middle row), None where they are not known."""
        areas = pixel_areas(self.grid, self.rows // 2, 1)
        return None if areas is None else float(areas[0])

    def pixel_areas(self, window: Window | None = None) -> NDArray[np.float64] | None:
        """Square metres of a pixel in each row of ``window``, ``(rows,)``; None where they are not known."""
        window = window or self.grid.window
        return pixel_areas(self.grid, window.row, window.rows)

    @contextmanager
    def cached(self, size: int, rows: int = 0) -> Iterator[None]:
        """Read with GDAL's block cache bounded to ``size`` bytes; with ``rows``, keep whole rows of so many bytes."""
        with rasterio.Env(GDAL_CACHEMAX=max(1 << 20, size)):  # rasterio counts it in bytes
            if rows:
                self.open()
                self._readers = [(at, self._by_rows(reader, rows)) for at, reader in self._readers or []]
            yield

    def _by_rows(self, reader: Reader, allowed: int) -> Reader:
        return RowReader(reader, self.cols, allowed) if isinstance(reader, GdalReader) else reader

    def windows(self, pixels: int, multiple: int = 64) -> list[Window]:
        """Windows of about ``pixels`` in reading order, cut so that no block is decoded twice."""
        return tile(self.shape, self.block, pixels, multiple)

    def read(self, window: Window) -> Cube:
        """Physical values and reasons of a window inside the scene. Raises ReadError where the file is damaged."""
        if window.clip(self.grid.window) != window or window.size == 0:
            raise ValueError(f"{window} does not lie inside the scene of {self.rows}x{self.cols}")
        values = np.empty((len(self.bands), window.rows, window.cols), np.float32)
        reason = np.zeros((window.rows, window.cols), np.uint8)
        self.fill(window, values, reason)
        return Cube(values, reason, window)

    def fill(self, window: Window, values: NDArray[np.float32], reason: NDArray[np.uint8]) -> None:
        """Write physical values ``(bands, rows, cols)`` of a window, and into ``reason``, 0 so far, why there are none."""
        with self._lock, errors_in_one_line(f"{self.path} cannot be read", ReadError, LIBRARY_ERRORS):
            self.open()
            for at, reader in self._readers or []:
                stored = reader.read(window)
                fill_reasons(reason, stored, reader.layers)
                to_physical(stored, reader.layers, [values[i] for i in at])
            for where, code in self._masks(window):
                if where is not None:
                    keep_first(reason, where, code)

    def _masks(self, window: Window) -> Iterator[tuple[Mask | None, Invalid]]:
        """What the files' own masks and the user's --mask and --aoi exclude."""
        for _, reader in self._readers or []:
            fill, mask = reader.masked(window)
            yield fill, Invalid.NODATA
            yield mask, Invalid.MASK
        if "mask" in self._overlays:
            yield self._overlays["mask"].excluded(window, self.plan.options.mask_values), Invalid.MASK
        if "aoi" in self._overlays:
            yield ~self._overlays["aoi"].marked(window), Invalid.OUTSIDE

    def normal(self, window: Window) -> Mask:
        """Where --normal says that pixels are normal, ``(rows, cols)``; everywhere without it."""
        with self._lock:
            overlay = self.open()._overlays.get("normal")
            return np.ones((window.rows, window.cols), bool) if overlay is None else overlay.marked(window)

    @property
    def has_truth(self) -> bool:
        """Whether a truth was given."""
        return self.plan.options.truth is not None

    def truth(self, window: Window) -> NDArray[np.uint8] | None:
        """``(rows, cols)``: 1 anomalous, 0 normal, 255 unknown; None where no truth was given."""
        with self._lock:
            overlay = self.open()._overlays.get("truth")
            return None if overlay is None else overlay.truth(window)
