"""What a format gives a scene: a reader of bands that lie in one file, and the way in which such a reader is opened."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.spectra import Window

__all__ = ["BandReader", "BandStorage", "BlockReader", "FileMasks", "StoredValues"]

StoredValues = NDArray[Any]
"""``(bands, rows, cols)`` in the file's own type, before scale and offset."""
FileMasks = tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]
"""Two masks ``(rows, cols)``, True = nothing there: by a fill rule of the file, and by a mask in it; None = nowhere."""


class BandReader(Protocol):
    """An open file, of which some bands are read window by window."""

    layers: tuple[Layer, ...]
    """The bands read, in the order in which they are delivered."""

    @property
    def in_blocks(self) -> BlockReader | None:
        """The reader itself where its file is decoded block by block; None where values come as cheaply in any piece."""

    def read(self, window: Window) -> StoredValues:
        """Stored values of a window, ``(bands, rows, cols)`` in the file's own type."""

    def masked(self, window: Window) -> FileMasks:
        """Where the file itself says, beyond the nodata value of a band, that there is nothing."""

    def close(self) -> None:
        """Close the file."""


class BlockReader(BandReader, Protocol):
    """A reader of a file that is decoded block by block, so that a block read twice costs twice."""

    @property
    def rows(self) -> int:
        """Rows of the scene's grid."""

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns that the file decodes at once."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The smallest type that holds every band as stored."""

    @property
    def has_mask(self) -> bool:
        """Whether the file itself says, beyond a nodata value, where there is nothing."""

    def read_bands(self, which: slice, window: Window) -> StoredValues:
        """Stored values of some of the bands, ``(bands, rows, cols)``, in the type that holds all of them."""


class BandStorage(Protocol):
    """How the bands of a product are stored: a small picklable value, so that every worker opens them the same way."""

    def open(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool) -> BandReader:
        """A reader of ``layers``, which lie in one file, on the scene's ``grid``. Raises InputError."""
