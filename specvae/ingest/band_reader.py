"""What a format gives a scene: a reader of bands that lie in one file, and the way in which such a reader is opened."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.spectra import Window

__all__ = ["BandReader", "BandStorage", "FileMasks", "StoredValues"]

StoredValues = NDArray[Any]
"""``(bands, rows, cols)`` in the file's own type, before scale and offset."""
FileMasks = tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]
"""Two masks ``(rows, cols)``, True = nothing there: by a fill rule of the file, and by a mask in it; None = nowhere."""


class BandReader(Protocol):
    """An open file, of which some bands are read window by window."""

    layers: tuple[Layer, ...]
    """The bands read, in the order in which they are delivered."""

    def read(self, window: Window) -> StoredValues:
        """Stored values of a window, ``(bands, rows, cols)`` in the file's own type."""

    def masked(self, window: Window) -> FileMasks:
        """Where the file itself says, beyond the nodata value of a band, that there is nothing."""

    def close(self) -> None:
        """Close the file."""


class BandStorage(Protocol):
    """How the bands of a product are stored: a small picklable value, so that every worker opens them the same way."""

    def open(self, layers: tuple[Layer, ...], grid: Grid, *, allow_remote: bool) -> BandReader:
        """A reader of ``layers``, which lie in one file, on the scene's ``grid``. Raises InputError."""
