"""Windows that were read last, which are held for the next look: to decode one place may take most of an inspection."""

from __future__ import annotations

import itertools
import os
import threading
from contextlib import AbstractContextManager, nullcontext

import rasterio

from specvae.ingest.band_reader import BandReader, BlockReader, FileMasks, StoredValues
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.spectra import Window

__all__ = ["RememberingReader", "small_cache"]

HELD = 4 << 20
"""Values of windows that are held, at most."""
CACHE = 32 << 20
"""Bytes of decoded blocks that GDAL holds while a scene of many bands is looked at, each block once."""
READERS = itertools.count()
"""Numbers of readers that share with no other: an address in memory may be given to another reader later."""
Read = tuple[StoredValues, FileMasks]
"""What a window holds, and where the file says that there is nothing."""


class _Recent:
    """The windows that were read last, of all readers of this process."""

    def __init__(self) -> None:
        self._held: dict[tuple[object, ...], Read] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> Read | None:
        """What was read under a key; None where it is not held."""
        with self._lock:
            return self._held.get(key)

    def add(self, key: tuple[object, ...], read: Read) -> None:
        """Hold what was read, and let go of older windows beyond ``HELD`` values."""
        if read[0].size > HELD:
            return
        with self._lock:
            self._held[key] = read
            while sum(values.size for values, _ in self._held.values()) > HELD:
                self._held.pop(next(iter(self._held)))


RECENT = _Recent()


class RememberingReader:
    """A reader that holds the small windows that were read last, by itself or by another reader of the same bands."""

    def __init__(self, reader: BandReader, grid: Grid) -> None:
        self.layers: tuple[Layer, ...] = reader.layers
        self._reader = reader
        path = reader.layers[0].path
        # A dataset inside another file, or far away, has no status, and a virtual one says nothing of the files that it is made
        # of: what is held of them serves this reader alone.
        state = os.stat(path) if os.path.isfile(path) and not str(path).lower().endswith(".vrt") else None
        identity = (state.st_size, state.st_mtime_ns) if state else next(READERS)
        places = tuple((*layer.place, layer.dtype) for layer in reader.layers)
        self._key = (places, identity, grid.shape, grid.transform)

    @property
    def in_blocks(self) -> BlockReader | None:
        """The reader itself where its file is decoded block by block."""
        return self._reader.in_blocks

    def read(self, window: Window) -> StoredValues:
        """Stored values of a window."""
        return self._both(window)[0]

    def masked(self, window: Window) -> FileMasks:
        """Where the file itself says that there is nothing."""
        return self._both(window)[1]

    def _both(self, window: Window) -> Read:
        key = (*self._key, window)
        both = RECENT.get(key)
        if both is None:
            values = self._reader.read(window)
            both = values, self._reader.masked(window)
            RECENT.add(key, both)
        return both

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def small_cache(is_costly: bool) -> AbstractContextManager[object]:
    """GDAL's cache of decoded blocks bounded to ``CACHE`` where a look is costly: its blocks of all bands are large."""
    return rasterio.Env(GDAL_CACHEMAX=CACHE) if is_costly else nullcontext()  # rasterio counts it in bytes
