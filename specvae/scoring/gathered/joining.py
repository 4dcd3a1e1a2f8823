"""Connected components of the anomalous pixels, joined across window borders without ever holding the scene.

Of each window, in any order, only what an object needs is held: its sums, and its pixels on the window's border. Two
windows share an object where their border pixels are neighbours, so that the objects of all windows are the nodes of a
graph, such neighbours its edges, and its connected components the objects of the scene. The graph is joined when the
table has grown, not at each window. An object none of whose border pixels has a neighbour in a window yet to come can
grow no more: it is ranked by its evidence, and beyond a cap the lowest are only counted. Those inside a window are so
from the start, and are counted before they are gathered or explained where their evidence is too little. Memory so depends on
the cap and on the objects that are open, not on the scene nor on how much of it is anomalous.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from specvae.components import components, label
from specvae.scoring.gathered.object_table import BAND_SUMS, JoinedObjects, ObjectTable, Omitted, no_objects
from specvae.scoring.gathered.window_objects import objects_in, with_bands
from specvae.spectra import ScoredWindow, Window, positions

__all__ = ["Components"]

CAP = 10_000
"""Objects that are held at most, once they can grow no more."""
FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Steps to half of the eight neighbours, down and right: each pair of neighbours is met once."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Components:
    """Accumulator of the 8-connected objects of a scene, the same for any order and size of windows."""

    def __init__(self, cap: int = CAP, min_pixels: int = 1) -> None:
        """Hold at most ``cap`` objects of at least ``min_pixels`` pixels; the others are counted."""
        self.cap, self.min_pixels = cap, min_pixels
        self._table: ObjectTable | None = None
        self._borders = np.zeros((3, 0), np.int64)
        """Row, column and object (a position in the table) of pixels on a window's border."""
        self._windows: list[Window] = []
        self._omitted = (Omitted(), Omitted())
        """Counts of the objects beyond the cap, and of those that are too small."""
        self._cut = -math.inf
        """The least evidence of as many closed objects as the cap allows: a closed one below it can be among them no more."""

    def update(self, piece: ScoredWindow) -> None:
        """Take in one window; no two may overlap."""
        self._windows.append(piece.window)
        if not piece.anomalous.any():
            return
        labels, count = label(piece.anomalous)
        table, borders = objects_in(piece, labels, count), _border(piece.window, labels)
        held = self._held(table, borders)
        # Explained last, since that costs most: only objects that can still be among those of the cap.
        self._add(with_bands(table.take(held), piece, labels, held), _renumbered(borders, held))

    def merge(self, other: Components) -> None:
        """Take in what another gathered of other windows of the same scene."""
        self._windows += other._windows
        self._omitted = (self._omitted[0] + other._omitted[0], self._omitted[1] + other._omitted[1])
        self._cut = max(self._cut, other._cut)
        if other._table is not None:
            self._add(other._table, other._borders)

    def finish(self) -> JoinedObjects:
        """The objects of all windows so far; more windows may follow."""
        # Closed in a copy: its objects are final, while here they may grow with windows yet
        # to come. No array is changed in place, so the copy shares them.
        closed = Components(self.cap, self.min_pixels)
        closed._table, closed._borders, closed._omitted = self._table, self._borders, self._omitted
        if closed._table is None:
            return JoinedObjects(no_objects(), *self._omitted)
        closed._join()
        closed._close(np.zeros(closed._borders.shape[1], bool))
        table = closed._table
        return JoinedObjects(table.take(table.ranked()), *closed._omitted)

    def _add(self, table: ObjectTable, borders: Ints) -> None:
        """Append objects and their border pixels; join and close objects once enough have come to be worth it."""
        start = 0 if self._table is None else len(self._table)
        self._table = table if self._table is None else ObjectTable.joined([self._table, table])
        self._borders = np.hstack([self._borders, borders + np.array([[0], [0], [start]])])
        # Joining costs as much as the table is long. As it waits until most of the table can be closed, its cost an
        # object stays constant however many windows come.
        if len(self._table) > 2 * self.cap + 4 * len(np.unique(self._borders[2])):
            self._join()
            self._close(self._still_open())

    def _join(self) -> None:
        """Make one object of those whose border pixels touch."""
        assert self._table is not None
        edges = _touching(self._borders)
        if not edges.shape[1]:
            return
        group = components(len(self._table), *edges)
        count = int(group.max()) + 1
        if count < len(self._table):
            self._table = _merged(self._table, *_grouping(self._table, group, count))
            self._borders = np.vstack([self._borders[:2], group[self._borders[2]]])

    def _still_open(self) -> NDArray[np.bool_]:
        """Which border pixels have a neighbour that lies in no window so far."""
        rows, cols, _ = self._borders
        still_open = np.zeros(rows.size, bool)
        boxes = np.array([(w.row, w.col, w.row + w.rows, w.col + w.cols) for w in self._windows], np.int64).T
        # A pixel on the edge of the scene stays open to the end, since the size of the scene is not known here.
        for down, right in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b):
            still_open |= ~_covered(rows + down, cols + right, boxes)
        return still_open

    def _close(self, still_open: NDArray[np.bool_]) -> None:
        """Drop the border pixels that are not ``still_open``, then of the closed objects those that are not held."""
        assert self._table is not None
        self._borders = self._borders[:, still_open]
        held = self._held(self._table, self._borders)
        if not held.all():
            self._borders = _renumbered(self._borders, held)
            self._table = self._table.take(held)

    def _held(self, table: ObjectTable, borders: Ints) -> NDArray[np.bool_]:
        """Which objects to hold: those on borders, and the highest of the others up to the cap; the rest are counted."""
        is_open = np.zeros(len(table), bool)
        is_open[borders[2]] = True
        small = ~is_open & (table.pixels < self.min_pixels)
        beyond = ~(is_open | small) & (table.evidence.astype(np.float32) < self._cut)
        order = np.flatnonzero(~(is_open | small | beyond))
        order = order[table.ranked(order)]
        beyond[order[self.cap :]] = True
        if order.size >= self.cap > 0:
            self._cut = float(table.evidence.astype(np.float32)[order[self.cap - 1]])
        capped, tiny = (Omitted.of(table, which) for which in (beyond, small))
        self._omitted = (self._omitted[0] + capped, self._omitted[1] + tiny)
        return ~(small | beyond)


def _renumbered(borders: Ints, held: NDArray[np.bool_]) -> Ints:
    """Border pixels of objects of which only the ``held`` remain in their table, all of those here among them."""
    return np.vstack([borders[:2], (np.cumsum(held) - 1)[borders[2]]])


def _covered(rows: Ints, cols: Ints, boxes: Ints, at_once: int = 4096) -> NDArray[np.bool_]:
    """Which positions lie in one of the boxes ``(4, m)`` of top, left, bottom, right; some thousands of them at once."""
    covered = np.zeros(rows.size, bool)
    for start in range(0, rows.size, at_once):
        row, col = rows[start : start + at_once, None], cols[start : start + at_once, None]
        inside = (row >= boxes[0]) & (col >= boxes[1]) & (row < boxes[2]) & (col < boxes[3])
        covered[start : start + at_once] = inside.any(axis=1)
    return covered


def _border(window: Window, labels: NDArray[np.int32]) -> Ints:
    """Row, column and 0-based object, ``(3, n)``, of the anomalous pixels on the window's border."""
    ring = np.zeros(labels.shape, bool)
    ring[[0, -1]] = True
    ring[:, [0, -1]] = True
    rows, cols = positions(ring & (labels > 0))
    return np.vstack([rows + window.row, cols + window.col, labels[rows, cols] - 1]).astype(np.int64)


def _touching(borders: Ints) -> Ints:
    """Pairs of objects, ``(2, m)``, that have 8-adjacent border pixels."""
    rows, cols, owner = borders
    if not rows.size:
        return np.zeros((2, 0), np.int64)
    # Places are numbered along rows with a free column on both sides, so that no step right or left enters another row;
    # sorted, the neighbour of every pixel in one direction is then a single search.
    rows, cols = rows - rows.min(), cols - cols.min() + 1
    width = int(cols.max()) + 2
    place = rows * width + cols
    order = np.argsort(place, kind="stable")
    place, owner = place[order], owner[order]
    pairs = []
    for down, right in FORWARD:
        other = place + down * width + right
        at = np.minimum(np.searchsorted(place, other), place.size - 1)
        hit = place[at] == other
        pairs.append(np.vstack([owner[hit], owner[at[hit]]]))
    return np.hstack(pairs)


def _grouping(table: ObjectTable, group: NDArray[np.integer], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """An order that brings each group together, its highest peak first, and where each group starts in it."""
    # lexsort goes by its last key first. The place breaks ties of the
    # peak, so that no order of windows changes the result.
    order = np.lexsort((table.peak_col, table.peak_row, -table.peak, group))
    return order, np.searchsorted(group[order], np.arange(count))


def _sums(values: NDArray[np.floating], order: NDArray[np.intp], starts: NDArray[np.intp]) -> Floats:
    """Sums over groups of ``(bands, n)``, band by band, so that no second copy of all is made."""
    summed = [np.add.reduceat(band[order], starts, dtype=np.float64) for band in values]
    return np.stack(summed) if summed else np.zeros((0, starts.size))


def _merged(table: ObjectTable, order: NDArray[np.intp], starts: NDArray[np.intp]) -> ObjectTable:
    """One object for each group: sums added, boxes united, the highest peak with its spectrum taken."""
    # reduceat adds from each start to the next, which is right as long as
    # no group is empty; labels and components have no gaps.
    changes = {
        name: np.add.reduceat(getattr(table, name)[order], starts)
        for name in ("pixels", "score", "reconstruction", "kl", "surprise", "row_sum", "col_sum")
    }
    changes |= {name: _sums(getattr(table, name), order, starts) for name in BAND_SUMS}
    changes |= {name: np.minimum.reduceat(getattr(table, name)[order], starts) for name in ("row", "col")}
    changes |= {name: np.maximum.reduceat(getattr(table, name)[order], starts) for name in ("bottom", "right")}
    return replace(table.take(order[starts]), **changes)
