"""Windows with what surrounds them, each block of the scene's files read once: what windows share is carried along.

The scene is read in rectangles of whole blocks, in row-major order. What is scored with a rectangle lags behind it by
the halo, so that everything around it has come by; the rows and columns that later windows need again stay in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.scene.windows import Step, pieces, steps
from specvae.spectra import Cube, Window

__all__ = ["CarryingReader", "Source"]

Values = NDArray[np.float32]
Reasons = NDArray[np.uint8]
Arrays = tuple[NDArray[Any], NDArray[Any]]
"""Values and reasons."""


class Source(Protocol):
    """What can fill arrays with the values and reasons of a window: a scene."""

    def fill(self, window: Window, values: Values, reason: Reasons) -> None:
        """Write ``(bands, rows, cols)`` physical values and ``(rows, cols)`` reasons."""


class CarryingReader:
    """Reads ``windows`` of a source in their order, each with ``halo`` pixels around it as far as the source goes."""

    def __init__(
        self,
        source: Source,
        bands: int,
        shape: tuple[int, int],
        step: tuple[int, int],
        halo: int,
        largest: int,
        areas: Sequence[Window] = (),
    ) -> None:
        self._source, self._bands, self._shape, self._halo = source, bands, shape, halo
        self._plans = [
            (steps(a.row, a.row + a.rows, shape[0], step[0], halo), steps(a.col, a.col + a.cols, shape[1], step[1], halo))
            for a in areas or [Window(0, 0, *shape)]
        ]  # fmt: skip
        self._largest = largest
        self.windows: Sequence[Window] = [
            window
            for rows, cols in self._plans
            for r in rows
            for c in cols
            for window in pieces(_scored(r, c), largest)
        ]
        self._cubes = self._walk()

    def read(self, window: Window) -> Cube:
        """The cube of the next of ``windows`` and its surroundings."""
        cube, expected = next(self._cubes)
        if window != expected:
            raise ValueError(f"{window} is read out of turn; {expected} is next")
        return cube

    def _walk(self) -> Iterator[tuple[Cube, Window]]:
        whole = Window(0, 0, *self._shape)
        for rows, cols in self._plans:
            carried = _Carried(self._bands, rows, cols)
            for i, r in enumerate(rows):
                for j, c in enumerate(cols):
                    cube = carried.assemble(i, j, self._source)
                    carried.keep(i, j, cube)
                    for window in pieces(_scored(r, c), self._largest):
                        yield cube.crop(window.grow(self._halo).clip(whole)), window
                    del cube


class _Carried:
    """What is kept of the rows above and of the columns to the left."""

    def __init__(self, bands: int, rows: Sequence[Step], cols: Sequence[Step]) -> None:
        self.rows, self.cols, self.bands = rows, cols, bands
        depth = max((r.begin - r.needed for r in rows), default=0)
        width = cols[-1].end - cols[0].begin
        self._above: Arrays = np.empty((bands, depth, width), np.float32), np.empty((depth, width), np.uint8)
        self._left: Arrays = np.empty((bands, 0, 0), np.float32), np.empty((0, 0), np.uint8)

    def assemble(self, i: int, j: int, source: Source) -> Cube:
        """The cube of rectangle (i, j) with all that its windows need: carried where it came by, else read."""
        r, c = self.rows[i], self.cols[j]
        window = Window(r.needed, c.needed, r.end - r.needed, c.end - c.needed)
        values = np.empty((self.bands, window.rows, window.cols), np.float32)
        reason = np.zeros((window.rows, window.cols), np.uint8)
        above, left = r.begin - r.needed, c.begin - c.needed
        at = slice(c.begin - self.cols[0].begin, c.end - self.cols[0].begin)
        arrays: Arrays = (values, reason)
        for fresh, kept, beside in zip(arrays, self._above, self._left, strict=True):
            fresh[..., :above, left:] = kept[..., :above, at]
            if left:
                fresh[..., :left] = beside
        fresh_window = Window(r.begin, c.begin, r.end - r.begin, c.end - c.begin)
        source.fill(fresh_window, values[:, above:, left:], reason[above:, left:])
        return Cube(values, reason, window)

    def keep(self, i: int, j: int, cube: Cube) -> None:
        """Copy what the next rectangle to the right and the one below need again."""
        arrays: Arrays = (cube.values, cube.reason)
        c = self.cols[j]
        if j + 1 < len(self.cols):
            width = self.cols[j + 1].begin - self.cols[j + 1].needed
            self._left = (cube.values[..., -width:].copy(), cube.reason[..., -width:].copy()) if width else self._left
        if i + 1 < len(self.rows):
            depth = self.rows[i + 1].begin - self.rows[i + 1].needed
            at = slice(c.begin - self.cols[0].begin, c.end - self.cols[0].begin)
            for kept, a in zip(self._above, arrays, strict=True):
                kept[..., :depth, at] = a[..., a.shape[-2] - depth :, c.begin - c.needed :]


def _scored(r: Step, c: Step) -> Window:
    return Window(r.scored, c.scored, r.until - r.scored, c.until - c.scored)
