"""A scene as its files hold it: every pixel of its grid, with the masks of the files and of the user over it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray

from specvae.errors import ReadError
from specvae.ingest.band_reader import BandReader
from specvae.ingest.formats.gdal import LIBRARY_ERRORS, errors_in_one_line
from specvae.ingest.grid import Grid
from specvae.ingest.masks.overlay import MASKS, Overlay, Widened, open_overlay
from specvae.ingest.masks.quality_overlay import QualityOverlay
from specvae.ingest.scene.looks import is_costly
from specvae.ingest.scene.plan import Plan
from specvae.ingest.scene.remembering import RememberingReader, small_cache
from specvae.ingest.scene.scene import Scene
from specvae.ingest.scene.whole_rows import RowReader
from specvae.ingest.validity import Mask, decode, keep_first
from specvae.spectra import CELL, Cube, Invalid, Window

__all__ = ["PixelScene"]

Readers = list[tuple[tuple[int, ...], BandReader]]
"""A reader of each file, with the positions of its bands in the order delivered."""
SMALLEST_CACHE = 1 << 20
"""Bytes; with less, GDAL may not hold the one block it is decoding."""


class PixelScene(Scene):
    """An open scene whose pixels are those of its files. Threads take turns in reading: GDAL's datasets have no lock."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._readers: Readers | None = None
        self._overlays: dict[str, Overlay] = {}
        self._quality: list[QualityOverlay] = []
        # Reentrant, for `normal` and `truth` open the scene while they hold it.
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[type[PixelScene], tuple[Plan]]:
        # Open datasets of GDAL cannot be pickled, and must not be shared by processes: each opens its own.
        return PixelScene, (self.plan,)

    def open(self) -> Self:
        """Open the files and the masks over them, which checks that they fit; reading does so by itself."""
        with self._lock:
            self._opened()
        return self

    def _opened(self) -> Readers:
        """The readers, opened where they are not; under the lock."""
        if self._readers is None:
            self._readers = list(self.plan.open_readers())
            options = self.plan.options
            given = {"normal": options.normal, "truth": options.truth, "mask": options.mask, "aoi": options.aoi}
            given["before-mask"] = options.before_mask
            for purpose, path in given.items():
                if path:
                    self._overlays[purpose] = open_overlay(path, self.plan.grid, purpose, options)
            for plan in (self.plan, self.plan.before):
                if plan is not None and plan.quality:
                    remote = self.plan.options.allow_remote
                    self._quality.append(QualityOverlay(plan.quality, self.plan.grid, allow_remote=remote))
            for name in (
                MASKS & self._overlays.keys()
            ):  # --mask-values that its kind does not know are refused now, not midway
                self._overlays[name].excluded(Window(0, 0, 1, 1))
        return self._readers

    def close(self) -> None:
        """Close the files; reading opens them again."""
        with self._lock:
            for _, reader in self._readers or []:
                reader.close()
            for overlay in self._overlays.values():
                overlay.close()
            for quality in self._quality:
                quality.close()
            self._readers, self._overlays, self._quality = None, {}, []

    @property
    def grid(self) -> Grid:
        """Size and georeferencing."""
        return self.plan.grid

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns that the file decodes at once."""
        return self.plan.block

    @property
    def cell(self) -> int:
        """Side of the cells in which torch scores this scene; the offsets of :meth:`windows` are multiples of it."""
        return CELL

    @contextmanager
    def cached(self, size: int, rows: int = 0) -> Iterator[None]:
        """Read with GDAL's block cache bounded to ``size`` bytes; with ``rows``, hold whole rows of so many bytes."""
        with rasterio.Env(GDAL_CACHEMAX=max(SMALLEST_CACHE, size)):  # rasterio counts it in bytes
            if rows:
                with self._lock:
                    self._readers = [
                        (at, RowReader(blocks, self.cols, rows) if (blocks := reader.in_blocks) else reader)
                        for at, reader in self._opened()
                    ]
            yield

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Read small windows as probes do: those that were read last are held, and large blocks are let go of."""
        with small_cache(is_costly(self.block, self.depth)), self._lock:
            plain = self._opened()
            self._readers = [(at, RememberingReader(reader, self.grid)) for at, reader in plain]
            try:
                yield
            finally:
                self._readers = plain if self._readers is not None else None

    def read(self, window: Window) -> Cube:
        """Physical values and reasons of a window inside the scene. Raises ReadError where the file is damaged."""
        if window.clip(self.grid.window) != window or window.size == 0:
            raise ValueError(f"{window} does not lie inside the scene of {self.rows}x{self.cols}")
        values = np.empty((self.depth, window.rows, window.cols), np.float32)
        reason = np.zeros((window.rows, window.cols), np.uint8)
        self.fill(window, values, reason)
        return Cube(values, reason, window)

    @property
    def held(self) -> np.dtype[Any]:
        """A type that holds the values of all bands exactly: as stored, where all are alike and nothing scales them."""
        layers = self.plan.layers + (self.before.layers if self.before else ())
        stored = {np.dtype(layer.dtype) for layer in layers}
        scaled = any(layer.scale != 1.0 or layer.offset != 0.0 for layer in layers)
        return np.dtype(np.float32) if scaled or len(stored) > 1 else stored.pop()

    def fill(self, window: Window, values: NDArray[Any], reason: NDArray[np.uint8]) -> None:
        """Write a window into arrays: physical values ``(depth, rows, cols)``, and reasons over what must be zeros.

        The values' type is float32 or :attr:`held`.
        """
        with self._lock, errors_in_one_line(f"{self.path} cannot be read", ReadError, LIBRARY_ERRORS):
            for at, reader in self._opened():
                decode(reader.read(window), reader.layers, [values[i] for i in at], reason)
                for where, code in zip(reader.masked(window), (Invalid.NODATA, Invalid.MASK), strict=True):
                    if where is not None:
                        keep_first(reason, where, code)
            for name in MASKS & self._overlays.keys():
                keep_first(reason, self._overlays[name].excluded(window), Invalid.MASK)
            for quality in self._quality:
                keep_first(reason, quality.excluded(window), Invalid.MASK)
            if "aoi" in self._overlays:
                keep_first(reason, ~self._overlays["aoi"].marked(window), Invalid.OUTSIDE)

    def under(self, window: Window) -> Cube:
        """The window itself, for its pixels are the file's."""
        return self.read(window)

    def on_pixels(self, window: Window, values: NDArray[np.float32]) -> tuple[Window, NDArray[np.float32]]:
        """The window and the values as they are, for they are on the file's own pixels."""
        return window, values

    def normal(self, window: Window) -> Mask:
        """Where --normal says that pixels are normal, ``(rows, cols)``; everywhere without it."""
        with self._lock:
            overlay = self.open()._overlays.get("normal")
            return np.ones((window.rows, window.cols), bool) if overlay is None else overlay.marked(window)

    def near_mask(self, window: Window, pixels: int) -> Mask:
        """Where a pixel lies within so many pixels of what the masks leave out, ``(rows, cols)``; nowhere without masks."""
        near = np.zeros((window.rows, window.cols), bool)
        with self._lock:
            for name in MASKS & self.open()._overlays.keys():
                near |= Widened(self._overlays[name], self.plan.grid, pixels).excluded(window)
        return near

    def truth(self, window: Window) -> NDArray[np.uint8] | None:
        """``(rows, cols)``: 1 anomalous, 0 normal, 255 unknown; None where no truth was given."""
        with self._lock:
            overlay = self.open()._overlays.get("truth")
            return None if overlay is None else overlay.truth(window)
