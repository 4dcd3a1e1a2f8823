"""Whole rows of a file, read once and handed out in pieces: for blocks that span the width or exceed the memory."""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np

from specvae.ingest.band_reader import BlockReader, FileMasks, StoredValues
from specvae.spectra import Window

__all__ = ["RowReader"]


class RowReader:
    """A reader that reads all columns of the rows asked for, and holds them for the next window beside.

    GDAL's cache would hold the blocks of a row as well, but drops all of them where they exceed it by one, and decodes
    each again for every window. Where one row of the file's blocks has more than ``allowed`` bytes, these rows do not
    fit in memory either: the row of blocks is decoded once, block by block, into a file on disk without a name, and
    rows come from there.
    """

    def __init__(self, reader: BlockReader, cols: int, allowed: int) -> None:
        self.layers, self._reader, self._cols, self._allowed = reader.layers, reader, cols, allowed
        self._block_rows, self._block_cols = reader.block
        pixel = np.dtype(reader.dtype).itemsize * len(reader.layers)
        self._on_disk = min(self._block_rows, reader.rows) * cols * pixel > allowed
        self._values: tuple[tuple[int, int], StoredValues] | None = None
        """The rows in memory by their first and number, ``(bands, rows, all columns)``."""
        self._masks: tuple[tuple[int, int], FileMasks] | None = None
        """The masks of the rows in memory."""
        self._spool: tuple[int, IO[bytes]] | None = None
        """The row of blocks on disk by its first row: its values band by band, row by row."""

    @property
    def in_blocks(self) -> None:
        """None: whole rows are held here already."""

    def read(self, window: Window) -> StoredValues:
        """Stored values ``(bands, rows, cols)`` in the file's own type."""
        rows = (window.row, window.rows)
        if self._values is None or self._values[0] != rows:
            self._values = None  # the old rows go before the new ones come
            across = Window(window.row, 0, window.rows, self._cols)
            self._values = rows, self._from_disk(*rows) if self._on_disk else self._reader.read(across)
        return self._values[1][:, :, window.col : window.col + window.cols]

    def masked(self, window: Window) -> FileMasks:
        """Where the file's own fill rule and its masks say that there is nothing: (nodata, mask), None = nowhere."""
        if not self._reader.has_mask:
            return None, None
        rows = (window.row, window.rows)
        if self._masks is None or self._masks[0] != rows:
            self._masks = rows, self._reader.masked(Window(window.row, 0, window.rows, self._cols))
        cols = slice(window.col, window.col + window.cols)
        fill, mask = self._masks[1]
        return None if fill is None else fill[:, cols], None if mask is None else mask[:, cols]

    def close(self) -> None:
        """Close the files and free the rows."""
        if self._spool is not None:
            self._spool[1].close()
        self._values = self._masks = self._spool = None
        self._reader.close()

    def _from_disk(self, row: int, rows: int) -> StoredValues:
        """Rows of all bands from disk, through as many rows of blocks as they touch."""
        out = np.empty((len(self.layers), rows, self._cols), self._reader.dtype)
        at = row
        while at < row + rows:
            top = at // self._block_rows * self._block_rows
            bottom = min(top + self._block_rows, self._reader.rows)
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
        # It has no name, so that the system frees it even where the process is killed.
        file = tempfile.TemporaryFile()  # noqa: SIM115
        item, bands = np.dtype(self._reader.dtype).itemsize, len(self.layers)
        # A pixel-interleaved block holds all bands: the more of them are taken at once, the fewer times it is decoded.
        at_once = max(1, self._allowed // ((bottom - top) * self._block_cols * item))
        for col in range(0, self._cols, self._block_cols):
            block = Window(top, col, bottom - top, min(self._block_cols, self._cols - col))
            for first in range(0, bands, at_once):
                values = self._reader.read_bands(slice(first, first + at_once), block)
                for band, plane in enumerate(values, start=first):
                    self._put(file, plane, band * block.rows, col)
        # np.fromfile reads by the descriptor, past Python's buffer: what was written must have left that.
        file.flush()
        self._spool = top, file
        return file

    def _put(self, file: IO[bytes], plane: StoredValues, row: int, col: int) -> None:
        """Write a plane ``(rows, cols)`` at a row and column of the file."""
        if plane.shape[1] == self._cols:
            file.seek(row * self._cols * plane.itemsize)
            file.write(np.ascontiguousarray(plane).data)
            return
        for at, line in enumerate(plane, start=row):
            file.seek((at * self._cols + col) * plane.itemsize)
            file.write(line.tobytes())
