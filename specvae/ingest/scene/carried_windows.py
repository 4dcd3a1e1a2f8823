"""Windows with their surroundings, each block of the scene's files read once: what windows share is carried along.

Reading each window with its halo would decode the blocks on its border twice, those at its corners four times. So the
scene is read in rectangles of whole blocks, in row-major order. What is scored with a rectangle lags behind it by the
halo, for the pixels beyond its lower and right edges have not been read yet; the last rows and columns, which later
windows need again, are carried over in memory: columns to the next rectangle, rows to the next row of rectangles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.scene.windows import Step, pieces, steps
from specvae.spectra import Cube, Window

__all__ = ["CarryingReader", "Fillable"]

FLOAT = np.dtype(np.float32)
Values = NDArray[Any]
Reasons = NDArray[np.uint8]
Arrays = tuple[NDArray[Any], NDArray[Any]]
"""Values ``(bands, rows, cols)`` and reasons ``(rows, cols)``."""


class Fillable(Protocol):
    """A scene whose windows can be written into arrays that are there already."""

    def fill(self, window: Window, values: Values, reason: Reasons) -> None:
        """Write ``(bands, rows, cols)`` physical values and ``(rows, cols)`` reasons."""


class CarryingReader:
    """Reads ``windows`` of a scene in their order, each with ``halo`` pixels around it as far as the scene goes."""

    def __init__(
        self,
        scene: Fillable,
        bands: int,
        shape: tuple[int, int],
        step: tuple[int, int],
        halo: int,
        largest: int,
        areas: Sequence[Window] = (),
        held: np.dtype[Any] = FLOAT,
        multiple: int = 1,
    ) -> None:
        """``step`` is the size of a rectangle, ``largest`` the pixels of a window; ``areas``, if any, are all that is read.

        Windows begin at multiples of ``multiple``; ``held`` is the type in which cubes hold their values.
        """
        self._scene, self._bands, self._halo, self._held = scene, bands, halo, held
        self._scene_window = Window(0, 0, *shape)
        self._plans: list[tuple[list[Step], list[Step], list[list[Window]]]] = []
        """The rows and columns of each area's rectangles, and the windows scored with each, in row-major order."""
        for area in areas or [self._scene_window]:
            rows = steps(area.row, area.row + area.rows, shape[0], step[0], halo, multiple)
            cols = steps(area.col, area.col + area.cols, shape[1], step[1], halo, multiple)
            scored = [Window(r.scored, c.scored, r.until - r.scored, c.until - c.scored) for r in rows for c in cols]
            self._plans.append((rows, cols, [pieces(window, largest, multiple) for window in scored]))
        self.windows: Sequence[Window] = [
            window for _, _, scored in self._plans for windows in scored for window in windows
        ]
        self._cubes = self._walk()

    def read(self, window: Window) -> Cube:
        """The cube of the next of ``windows`` and its surroundings. Raises ValueError for any other window."""
        cube, expected = next(self._cubes)
        if window != expected:
            raise ValueError(f"{window} is read out of turn; {expected} is next")
        return cube

    def _walk(self) -> Iterator[tuple[Cube, Window]]:
        """The cubes of all windows in their order; a rectangle is read when the first of its windows is asked for."""
        for rows, cols, scored in self._plans:
            carried = _Carried(self._bands, self._held, rows, cols)
            for number, windows in enumerate(scored):
                i, j = divmod(number, len(cols))
                cube = carried.assemble(i, j, self._scene)
                carried.keep(i, j, cube)
                for window in windows:
                    yield cube.crop(window.grow(self._halo).clip(self._scene_window)), window
                del cube  # before the next one is allocated


class _Carried:
    """Pixels read already that are needed again: of the rows above, and of the columns before a rectangle."""

    def __init__(self, bands: int, held: np.dtype[Any], rows: Sequence[Step], cols: Sequence[Step]) -> None:
        self.rows, self.cols, self.bands, self.held = rows, cols, bands, held
        depth = max((r.begin - r.needed for r in rows), default=0)
        width = cols[-1].end - cols[0].begin
        self._above: Arrays = np.empty((bands, depth, width), held), np.empty((depth, width), np.uint8)
        self._before: Arrays = np.empty((bands, 0, 0), held), np.empty((0, 0), np.uint8)

    def assemble(self, i: int, j: int, scene: Fillable) -> Cube:
        """The cube of rectangle (i, j) with all that its windows need: carried where it was read before, else read."""
        r, c = self.rows[i], self.cols[j]
        window = Window(r.needed, c.needed, r.end - r.needed, c.end - c.needed)
        values = np.empty((self.bands, window.rows, window.cols), self.held)
        reason = np.zeros((window.rows, window.cols), np.uint8)
        arrays: Arrays = values, reason
        above, before = r.begin - r.needed, c.begin - c.needed
        columns = self._columns(c)
        for array, rows_above, columns_before in zip(arrays, self._above, self._before, strict=True):
            array[..., :above, before:] = rows_above[..., :above, columns]
            # The columns carried reach up as far as the rows above do, so they bring the corner with them.
            if before:
                array[..., :before] = columns_before
        unread = Window(r.begin, c.begin, r.end - r.begin, c.end - c.begin)
        scene.fill(unread, values[:, above:, before:], reason[above:, before:])
        return Cube(values, reason, window)

    def keep(self, i: int, j: int, cube: Cube) -> None:
        """Copy what the next rectangle to the right and the one below need again."""
        c = self.cols[j]
        if j + 1 < len(self.cols):
            width = self.cols[j + 1].begin - self.cols[j + 1].needed
            if width:
                # Copied, for a view would hold the memory of the rectangle that it is a part of.
                self._before = cube.values[..., -width:].copy(), cube.reason[..., -width:].copy()
        if i + 1 < len(self.rows):
            depth = self.rows[i + 1].begin - self.rows[i + 1].needed
            arrays: Arrays = cube.values, cube.reason
            for rows_above, array in zip(self._above, arrays, strict=True):
                last_rows = array[..., array.shape[-2] - depth :, c.begin - c.needed :]
                rows_above[..., :depth, self._columns(c)] = last_rows

    def _columns(self, c: Step) -> slice:
        """Where the columns of a rectangle lie in the rows above, which begin with the first rectangle's."""
        return slice(c.begin - self.cols[0].begin, c.end - self.cols[0].begin)
