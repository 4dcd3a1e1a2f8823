"""Whole rows of a file, read once and handed out in pieces: for blocks that span the width or exceed the memory."""

from __future__ import annotations

import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.formats.gdal_reader import GdalReader
from specvae.spectra import Window

__all__ = ["RowReader"]

Array = NDArray[Any]
Masks = tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]


class RowReader:
    """A reader that fetches all columns of the rows asked for, and keeps them for the next window beside.

    Where one row of the file's blocks has more than ``allowed`` bytes, it is decoded once, block by block, into a
    nameless file on disk, and rows come from there.
    """

    def __init__(self, reader: GdalReader, cols: int, allowed: int) -> None:
        self.layers, self._reader, self._cols = reader.layers, reader, cols
        rows, self._tall, self._wide = reader.rows, *reader.block
        self._item = np.dtype(reader.dtype).itemsize * len(reader.layers)
        self._rows, self._allowed = rows, allowed
        self._spooling = min(self._tall, rows) * cols * self._item > allowed
        self._kept: tuple[tuple[int, int], Array] | None = None
        self._masks: tuple[tuple[int, int], Masks] | None = None
        self._spool: tuple[int, IO[bytes]] | None = None

    def read(self, window: Window) -> Array:
        """Stored values ``(bands, rows, cols)`` in the file's own type."""
        key = (window.row, window.rows)
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # the old rows go before the new ones come
            self._kept = key, self._spooled(*key) if self._spooling else self._reader.read(self._across(window))
        return self._kept[1][:, :, window.col : window.col + window.cols]

    def masked(self, window: Window) -> Masks:
        """Where the file's own fill rule and its masks say that there is nothing: (nodata, mask), None = nowhere."""
        if not self._reader.has_mask:
            return None, None
        key = (window.row, window.rows)
        if self._masks is None or self._masks[0] != key:
            self._masks = key, self._reader.masked(self._across(window))
        cols = slice(window.col, window.col + window.cols)
        fill, mask = self._masks[1]
        return None if fill is None else fill[:, cols], None if mask is None else mask[:, cols]

    def close(self) -> None:
        """Let the files go."""
        self.release()
        self._reader.close()

    def release(self) -> GdalReader:
        """The reader behind, the rows let go."""
        if self._spool is not None:
            self._spool[1].close()
        self._kept = self._masks = self._spool = None
        return self._reader

    def _across(self, window: Window) -> Window:
        return Window(window.row, 0, window.rows, self._cols)

    def _spooled(self, row: int, rows: int) -> Array:
        """Rows of all bands from disk, through as many rows of blocks as they touch."""
        out = np.empty((len(self.layers), rows, self._cols), self._reader.dtype)
        at = row
        while at < row + rows:
            top = at // self._tall * self._tall
            bottom = min(top + self._tall, self._rows)
            until = min(row + rows, bottom)
            file = self._block_row(top, bottom)
            for band in range(len(out)):
                file.seek(((band * (bottom - top)) + at - top) * self._cols * out.itemsize)
                part = np.fromfile(file, out.dtype, (until - at) * self._cols)
                out[band, at - row : until - row] = part.reshape(-1, self._cols)
            at = until
        return out

    def _block_row(self, top: int, bottom: int) -> IO[bytes]:
        """The file that holds rows ``top`` to ``bottom - 1``, band by band, each block decoded once."""
        if self._spool is not None and self._spool[0] == top:
            return self._spool[1]
        if self._spool is not None:
            self._spool[1].close()
            self._spool = None
        file = tempfile.TemporaryFile()  # noqa: SIM115
        item, bands = np.dtype(self._reader.dtype).itemsize, len(self.layers)
        together = max(1, self._allowed // ((bottom - top) * self._wide * item))  # a block may hold all of them
        for col in range(0, self._cols, self._wide):
            block = Window(top, col, bottom - top, min(self._wide, self._cols - col))
            for first in range(0, bands, together):
                values = self._reader.read_bands(slice(first, first + together), block)
                for band, plane in enumerate(values, start=first):
                    self._put(file, plane, band * block.rows, col)
        file.flush()
        self._spool = top, file
        return file

    def _put(self, file: IO[bytes], plane: Array, row: int, col: int) -> None:
        """Write ``(rows, cols)`` at a row and column of the file."""
        if plane.shape[1] == self._cols:
            file.seek(row * self._cols * plane.itemsize)
            file.write(np.ascontiguousarray(plane).data)
            return
        for at, line in enumerate(plane, start=row):
            file.seek((at * self._cols + col) * plane.itemsize)
            file.write(line.tobytes())
