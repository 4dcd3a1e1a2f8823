"""Connected components of the anomalous pixels, joined across window borders without ever holding the scene.

Of each window, in any order, only what an object needs is kept: its sums, and where it touches the window's border.
Objects that can grow no more are ranked by their peak score, and beyond a cap the lowest are only counted.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from specvae.scoring.gathered.object_table import Found, LeftOut, ObjectTable, no_objects
from specvae.spectra import ScoredWindow, Window, positions

__all__ = ["Components"]

EIGHT_CONNECTED = np.ones((3, 3), np.int8)
CAP = 10_000
FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Half of the eight neighbours; each pair of pixels is met once."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Components:
    """Accumulator of the 8-connected objects of a scene."""

    def __init__(self, cap: int = CAP, min_pixels: int = 1) -> None:
        self.cap, self.min_pixels = cap, min_pixels
        self._table: ObjectTable | None = None
        self._borders = np.zeros((3, 0), np.int64)
        """Row, column and object (a position in the table) of pixels on a window's border."""
        self._windows: list[Window] = []
        self._left = (LeftOut(), LeftOut())

    def update(self, piece: ScoredWindow) -> None:
        """Take in one window; no two may overlap."""
        self._windows.append(piece.window)
        if not piece.anomalous.any():
            return
        labels, count = ndimage.label(piece.anomalous, EIGHT_CONNECTED)
        self._take(_table(piece, labels, count), _border(piece.window, labels))

    def merge(self, other: Components) -> None:
        """Take in what another gathered of other windows of the same scene."""
        self._windows += other._windows
        self._left = (self._left[0] + other._left[0], self._left[1] + other._left[1])
        if other._table is not None:
            self._take(other._table, other._borders)

    def finish(self) -> Found:
        """The objects of all windows so far; more windows may follow."""
        whole = Components(self.cap, self.min_pixels)
        whole._table, whole._borders, whole._left = self._table, self._borders, self._left
        if whole._table is None:
            return Found(no_objects(), *self._left)
        whole._join()
        whole._drop_borders(np.zeros(whole._borders.shape[1], bool))
        table = whole._table
        return Found(table.take(table.ranked()), *whole._left)

    def _take(self, table: ObjectTable, borders: Ints) -> None:
        start = 0 if self._table is None else len(self._table)
        self._table = table if self._table is None else ObjectTable.joined([self._table, table])
        self._borders = np.hstack([self._borders, borders + np.array([[0], [0], [start]])])
        if len(self._table) > 2 * self.cap + 4 * len(np.unique(self._borders[2])):
            self._join()
            self._drop_borders(self._still_open())

    def _join(self) -> None:
        """Make one of objects whose border pixels touch."""
        assert self._table is not None
        edges = _touching(self._borders)
        if not edges.shape[1]:
            return
        n = len(self._table)
        graph = sparse.coo_array((np.ones(edges.shape[1], bool), (edges[0], edges[1])), shape=(n, n))
        count, group = sparse.csgraph.connected_components(graph, directed=False)
        if count < n:
            self._table = _merged(self._table, *_grouping(self._table, group, count))
            self._borders = np.vstack([self._borders[:2], group[self._borders[2]]])

    def _still_open(self) -> NDArray[np.bool_]:
        """Which border pixels have a neighbour in no window seen so far."""
        rows, cols, _ = self._borders
        rest = np.zeros(rows.size, bool)
        boxes = np.array([(w.row, w.col, w.row + w.rows, w.col + w.cols) for w in self._windows], np.int64).T
        for down, right in ((a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b):
            rest |= ~_covered(rows + down, cols + right, boxes)
        return rest

    def _drop_borders(self, still_open: NDArray[np.bool_]) -> None:
        """Forget border pixels whose joins are all made, then what is too small or beyond the cap among closed objects."""
        assert self._table is not None
        self._borders = self._borders[:, still_open]
        n = len(self._table)
        is_open = np.zeros(n, bool)
        is_open[self._borders[2]] = True
        small = ~is_open & (self._table.pixels < self.min_pixels)
        order = self._table.ranked()
        order = order[~(is_open | small)[order]]
        beyond = np.zeros(n, bool)
        beyond[order[self.cap :]] = True
        capped, tiny = (LeftOut.of(self._table.take(which)) for which in (beyond, small))
        self._left = (self._left[0] + capped, self._left[1] + tiny)
        keep = ~(small | beyond)
        if not keep.all():
            self._borders = self._borders.copy()
            self._borders[2] = (np.cumsum(keep) - 1)[self._borders[2]]
            self._table = self._table.take(keep)


def _covered(rows: Ints, cols: Ints, boxes: Ints, at_once: int = 4096) -> NDArray[np.bool_]:
    """Which positions lie in one of the boxes ``(4, m)``: top, left, bottom, right."""
    found = np.zeros(rows.size, bool)
    for start in range(0, rows.size, at_once):
        r, c = rows[start : start + at_once, None], cols[start : start + at_once, None]
        inside = (r >= boxes[0]) & (c >= boxes[1]) & (r < boxes[2]) & (c < boxes[3])
        found[start : start + at_once] = inside.any(axis=1)
    return found


def _border(window: Window, labels: NDArray[np.int32]) -> Ints:
    """``(3, n)``: row, column and 0-based object of the anomalous pixels on the window's border."""
    ring = np.zeros(labels.shape, bool)
    ring[[0, -1]] = True
    ring[:, [0, -1]] = True
    rows, cols = positions(ring & (labels > 0))
    return np.vstack([rows + window.row, cols + window.col, labels[rows, cols] - 1]).astype(np.int64)


def _touching(borders: Ints) -> Ints:
    """``(2, m)``: pairs of objects that have 8-adjacent border pixels."""
    rows, cols, owner = borders
    if not rows.size:
        return np.zeros((2, 0), np.int64)
    rows, cols = rows - rows.min(), cols - cols.min() + 1
    wide = int(cols.max()) + 2
    place = rows * wide + cols
    order = np.argsort(place, kind="stable")
    place, owner = place[order], owner[order]
    pairs = []
    for down, right in FORWARD:
        other = place + down * wide + right
        at = np.minimum(np.searchsorted(place, other), place.size - 1)
        hit = place[at] == other
        pairs.append(np.vstack([owner[hit], owner[at[hit]]]))
    return np.hstack(pairs)


def _table(piece: ScoredWindow, labels: NDArray[np.int32], count: int) -> ObjectTable:
    """The objects of one window: each anomalous pixel an object at first, then merged by label."""
    rows, cols = positions(labels > 0)
    group = labels[rows, cols] - 1
    score = piece.parts.score[rows, cols]
    r, c = rows.astype(np.int64) + piece.window.row, cols.astype(np.int64) + piece.window.col
    real = [a.astype(np.float64) for a in (score, piece.parts.reconstruction[rows, cols], piece.parts.kl[rows, cols])]
    none, short = np.zeros((0, r.size)), np.zeros((0, r.size), np.float32)
    pixels = ObjectTable(
        np.ones(r.size, np.int64), r, c, r + 1, c + 1, score, r, c, real[0], real[1], real[2],
        r.astype(np.float64), c.astype(np.float64), none, none, short, short,
    )  # fmt: skip
    order, starts = _grouping(pixels, group, count)
    table = _merged(pixels, order, starts)
    told = piece.explanation
    if told is None:
        return table
    first = order[starts]
    return replace(
        table,
        deviation=_sums(told.deviation, order, starts),
        contribution=_sums(told.contribution, order, starts),
        spectrum=piece.cube.values[:, rows[first], cols[first]],
        expected=told.expected[:, first],
    )


def _grouping(table: ObjectTable, group: NDArray[np.integer], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """An order that brings each group together, its highest peak first, and where each group starts in it."""
    order = np.lexsort((table.peak_col, table.peak_row, -table.peak, group))
    return order, np.searchsorted(group[order], np.arange(count))


def _sums(values: NDArray[np.floating], order: NDArray[np.intp], starts: NDArray[np.intp]) -> Floats:
    """Sums over groups of ``(bands, n)``, band by band, so that no second copy of all is made."""
    summed = [np.add.reduceat(band[order], starts, dtype=np.float64) for band in values]
    return np.stack(summed) if summed else np.zeros((0, starts.size))


def _merged(table: ObjectTable, order: NDArray[np.intp], starts: NDArray[np.intp]) -> ObjectTable:
    """One object for each group: sums summed, boxes joined, the highest peak kept with its spectrum."""
    changes = {
        name: np.add.reduceat(getattr(table, name)[order], starts)
        for name in ("pixels", "score", "reconstruction", "kl", "row_sum", "col_sum")
    }
    changes |= {name: _sums(getattr(table, name), order, starts) for name in ("deviation", "contribution")}
    changes |= {name: np.minimum.reduceat(getattr(table, name)[order], starts) for name in ("row", "col")}
    changes |= {name: np.maximum.reduceat(getattr(table, name)[order], starts) for name in ("bottom", "right")}
    return replace(table.take(order[starts]), **changes)
