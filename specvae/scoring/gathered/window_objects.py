"""The objects of one window: sums over the pixels of each component, and what the bands did in them.

Pixels are taken a strip of some thousands at a time, so that memory stays small however many of them are anomalous.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from specvae.scoring.gathered.object_table import BAND_SUMS, PEAK_BANDS, ObjectTable, unexplained
from specvae.spectra import Explanation, ScoredWindow, Window

__all__ = ["MANY_PIXELS", "ONE_IN", "chosen_pixels", "objects_in", "thinning", "with_bands"]

AT_ONCE = 1 << 14
"""Pixels of a strip of the window, of which one is taken at a time."""
ENOUGH = 1 << 12
"""Pixels that are explained at once, where there are so many."""
MANY_PIXELS = 4096
"""Pixels of an object in a window up to which all are explained."""
ONE_IN = 11
"""One pixel in so many of an object larger than that is explained, of one so many times larger one in its square, and of one
larger by that square one in its cube. That leaves hundreds: explaining costs more than scoring."""
FEW_BANDS = 32
"""Bands up to which these two hold; of more, each pixel costs so much that fewer of them are explained."""
SLANT = 3
"""Columns by which the explained pixels of a row lie before those of the row above.

So every line of pixels along rows, columns or diagonals has its share, such as that of a failed detector.
"""

Ints = NDArray[np.int64]
Places = NDArray[np.intp]
Labels = NDArray[np.int32]


def objects_in(piece: ScoredWindow, labels: Labels, count: int) -> ObjectTable:
    """The ``count`` components of one window, ``labels`` ``(rows, cols)`` counted from 1; without bands."""
    sums = _Sums(piece, count)
    for strip in _strips(piece.window):
        at = _places(labels[strip], strip)
        if at.size:
            sums.add(at, labels.reshape(-1)[at] - 1)
    return sums.table()


class _Sums:
    """What is known of the objects of a window by the pixels so far."""

    def __init__(self, piece: ScoredWindow, count: int) -> None:
        self.window, self.count = piece.window, count
        parts = piece.parts
        self.score = parts.score.reshape(-1)
        self.terms = {
            "score": self.score,
            "reconstruction": parts.reconstruction.reshape(-1),
            "kl": parts.kl.reshape(-1),
            "surprise": (np.zeros_like(parts.score) if piece.surprise is None else piece.surprise).reshape(-1),
        }
        self.sums = {name: np.zeros(count) for name in (*self.terms, "row_sum", "col_sum")}
        self.pixels, self.first = np.zeros(count, np.int64), np.full(count, -1, np.int64)
        self.bottom, self.right = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.col = np.full(count, self.window.cols, np.int64)
        self.peak, self.peak_at = np.full(count, -np.inf, np.float32), np.zeros(count, np.int64)

    def add(self, at: Places, owner: Labels) -> None:
        """Add pixels at these flat positions, in row-major order, each of the object ``owner``.

        Runs of pixels along a row are summed first: in what fills a window they are long, and one is then added at once.
        """
        begins = np.diff(owner, prepend=-1) != 0
        begins |= (np.diff(at, prepend=-2) != 1) | (at % self.window.cols == 0)
        start = np.flatnonzero(begins)
        owner, length = owner[start], np.diff(start, append=at.size)
        rows, cols = np.divmod(at[start], self.window.cols)
        self.pixels += np.bincount(owner, length, self.count).astype(np.int64)
        for name, term in self.terms.items():
            of_runs = np.add.reduceat(term[at].astype(np.float64), start)
            self.sums[name] += np.bincount(owner, of_runs, self.count)
        self.sums["row_sum"] += np.bincount(owner, length * (rows + float(self.window.row)), self.count)
        middle = cols + (length - 1) / 2
        self.sums["col_sum"] += np.bincount(owner, length * (middle + float(self.window.col)), self.count)
        # Assigned from the last run to the first, it is the first of each object that stays.
        earliest = np.full(self.count, -1, np.int64)
        earliest[owner[::-1]] = at[start[::-1]]
        self.first = np.where(self.first < 0, earliest, self.first)
        self.bottom[owner] = rows + 1
        np.minimum.at(self.col, owner, cols)
        np.maximum.at(self.right, owner, cols + length)
        self._raise_peaks(at, start, owner, length)

    def _raise_peaks(self, at: Places, start: Places, owner: Labels, length: Ints) -> None:
        """Raise each peak to the highest of the runs' scores, and move it to the first pixel that has it."""
        score, before = self.score[at], self.peak.copy()
        highest = np.maximum.reduceat(score, start)
        np.maximum.at(self.peak, owner, highest)
        raising = (highest == self.peak[owner]) & (highest > before[owner])
        pixels = np.flatnonzero(np.repeat(raising, length) & (score == np.repeat(highest, length)))[::-1]
        self.peak_at[np.repeat(owner, length)[pixels]] = at[pixels]

    def table(self) -> ObjectTable:
        """The objects, at their places in the scene."""
        row, col, width = self.window.row, self.window.col, self.window.cols
        return ObjectTable(
            pixels=self.pixels,
            row=self.first // width + row,
            col=self.col + col,
            bottom=self.bottom + row,
            right=self.right + col,
            peak=self.peak,
            peak_row=self.peak_at // width + row,
            peak_col=self.peak_at % width + col,
            score=self.sums["score"],
            reconstruction=self.sums["reconstruction"],
            kl=self.sums["kl"],
            surprise=self.sums["surprise"],
            row_sum=self.sums["row_sum"],
            col_sum=self.sums["col_sum"],
            **unexplained(self.count),
        )


def with_bands(table: ObjectTable, piece: ScoredWindow, labels: Labels, held: NDArray[np.bool_]) -> ObjectTable:
    """``table``, the ``held`` ones of a window's components, with what the bands did in them and at their peaks."""
    explain, count = piece.explain, len(table)
    if explain is None:
        return table
    bands = len(piece.cube.values)
    explained, sums = np.zeros(count, np.int64), np.zeros((len(BAND_SUMS), bands, count))
    number = np.zeros(held.size + 1, np.int32)
    number[1:][held] = np.arange(1, count + 1)
    thinned = [(np.concatenate([[False], table.pixels > most]), one_in) for most, one_in in thinning(bands)]
    thinned = [(many, one_in) for many, one_in in thinned if many.any()]
    for at in _gathered(_explained_places(piece.window, number, labels, thinned)):
        owner = number[labels.reshape(-1)[at]] - 1
        explained += np.bincount(owner, minlength=count)
        rows, cols = np.divmod(at, labels.shape[1])
        for total, values in zip(sums, _summed(explain(rows, cols), piece.cube.spectra(rows, cols)), strict=True):
            for band, of_pixels in zip(total, values, strict=True):
                band += np.bincount(owner, of_pixels, count)
    rows, cols = table.peak_row - piece.window.row, table.peak_col - piece.window.col
    peaks, spectrum = explain(rows, cols), piece.cube.spectra(rows, cols)
    alone = explained == 0  # a line of pixels between the chosen ones: its peak speaks for it
    sums[:, :, alone] = np.stack(_summed(peaks, spectrum))[:, :, alone]
    banded = _of_all_pixels(table, np.maximum(explained, 1), dict(zip(BAND_SUMS, sums, strict=True)))
    at_peaks = (spectrum, peaks.expected, peaks.contribution)
    return table.explained(banded, dict(zip(PEAK_BANDS, at_peaks, strict=True)))


def _explained_places(
    window: Window, number: Labels, labels: Labels, thinned: list[tuple[NDArray[np.bool_], int]]
) -> Iterator[Places]:
    """Flat positions, a strip at a time, of the pixels that are explained, of the objects whose ``number`` is not 0."""
    for strip in _strips(window):
        owners = number[labels[strip]]
        for many, one_in in thinned:
            owners[many[owners] & ~chosen_pixels(_part(window, strip), one_in)] = 0
        yield _places(owners, strip)


def _gathered(strips: Iterator[Places]) -> Iterator[Places]:
    """The same positions, of as many strips as it takes to make calls on them worth while; none is empty."""
    held: list[Places] = []
    for at in strips:
        held.append(at)
        if sum(part.size for part in held) >= ENOUGH:
            yield np.concatenate(held)
            held = []
    if any(part.size for part in held):
        yield np.concatenate(held)


def _summed(why: Explanation, spectra: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """What is summed of each pixel, ``(bands, n)`` each, in the order of ``BAND_SUMS``."""
    return [why.deviation, why.contribution, why.alone, why.surroundings, spectra, why.expected]


def thinning(bands: int) -> list[tuple[int, int]]:
    """Pixels of an object in a window beyond which one in so many is explained; of all that hold, the last one counts.

    To explain a pixel takes some three scores a band. One that is chosen among fewer is chosen among more as well.
    """
    if bands > FEW_BANDS:
        return [(MANY_PIXELS // bands, ONE_IN**2)]
    return [(MANY_PIXELS * ONE_IN**power, ONE_IN ** (power + 1)) for power in range(3)]


def chosen_pixels(window: Window, one_in: int = ONE_IN) -> NDArray[np.bool_]:
    """``(rows, cols)``: the pixels by which objects of many pixels are explained.

    They are counted from the scene's first pixel, so that neither order nor size of windows changes the choice.
    """
    chosen = np.zeros((window.rows, window.cols), bool)
    for i, row in enumerate(chosen, start=window.row):
        row[-(SLANT * i + window.col) % one_in :: one_in] = True
    return chosen


def _of_all_pixels(
    table: ObjectTable, explained: Ints, sums: dict[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Sums ``(bands, n)`` over the explained pixels, brought to all pixels of each object."""
    partly = explained < table.pixels
    share = table.pixels[partly] / explained[partly]
    # Contributions add up to the score, of which the sum over all pixels is known exactly.
    total = sums["contribution"][:, partly].sum(axis=0)
    in_nats = np.where(total > 0, table.score[partly] / np.where(total > 0, total, 1), share)
    for name, values in sums.items():
        values[:, partly] *= in_nats if name in ("contribution", "alone", "surroundings") else share
    return sums


def _strips(window: Window) -> list[slice]:
    """The rows of a window some at a time."""
    rows = max(1, AT_ONCE // window.cols)
    return [slice(start, min(window.rows, start + rows)) for start in range(0, window.rows, rows)]


def _part(window: Window, strip: slice) -> Window:
    """A strip of a window, in the scene."""
    return Window(window.row + strip.start, window.col, strip.stop - strip.start, window.cols)


def _places(marked: Labels, strip: slice) -> Places:
    """Flat positions in the window of the pixels of a strip that are not 0."""
    return np.asarray(np.flatnonzero(marked) + strip.start * marked.shape[1])
