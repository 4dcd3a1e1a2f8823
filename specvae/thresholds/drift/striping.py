"""Stripes of a scene: columns that stand out from those beside them more than rows do, or rows more than columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.thresholds.drift.squares import Squares

__all__ = ["Striping", "striping"]

FLOOR = 0.2
"""Added to both mean squares, so that a band without any texture has no ratio of two nothings."""
MOST = 25.0
"""A line counts as so many squared standard errors at most: an edge of the ground along it is no stripe."""
LONG_ENOUGH = 12
"""Usable pixels of a line from which on it counts."""
CHANCE = 0.014
"""Probability at which the standard error of few squares, by Student's t, is made to be that of a normal law: 2.2 errors."""
FEWEST_SQUARES = 3
"""Squares from which on the standard error over them is known at all."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Striping:
    """How much more columns stand out than rows, by band and last in all bands together; below 0: rows do."""

    excess: Floats
    """``(bands + 1,)``: logarithm of the ratio of their mean squares."""
    error: Floats
    """``(bands + 1,)``: its standard error, by leaving out square by square, wider where these are few."""


def striping(squares: Squares) -> Striping:
    """The striping of squares; none, and infinite errors, of rows of a table and of few squares.

    A line stands out by the median, along it, of its difference from the mean of the lines beside it, in standard errors of
    that median. Their mean square is 1 where only chance makes lines differ.
    """
    from scipy.special import ndtri, stdtrit  # only where stripes are looked for

    bands = squares.values.shape[1]
    if not squares.in_space or len(squares) < FEWEST_SQUARES:
        return Striping(np.zeros(bands + 1), np.full(bands + 1, np.inf))
    values = np.where(squares.usable[:, None], squares.values, np.nan).astype(np.float64)
    sums = [_standing_out(lines) for lines in (values, values.swapaxes(2, 3))]
    totals = [(square.sum(axis=0), count.sum(axis=0)) for square, count in sums]
    without = [(total - square, number - count) for (total, number), (square, count) in zip(totals, sums, strict=True)]
    left_out = _excess(*without)
    spread = np.square(left_out - left_out.mean(axis=0)).sum(axis=0)
    count = len(squares)
    few = float(stdtrit(count - 1, 1 - CHANCE) / ndtri(1 - CHANCE))
    return Striping(_excess(*totals), few * np.sqrt((count - 1) / count * spread) + 1e-9)


def _excess(columns: tuple[Floats, Floats], rows: tuple[Floats, Floats]) -> Floats:
    """The logarithm of the ratio of two mean squares, each given as a sum and a count."""
    of_columns, of_rows = (square / np.maximum(count, 1) + FLOOR for square, count in (columns, rows))
    return np.asarray(np.log(of_columns / of_rows))


def _standing_out(values: Floats) -> tuple[Floats, Floats]:
    """``(squares, bands + 1)`` each: sum over the columns of how far they stand out, squared, and the number of columns."""
    difference = values[..., 1:-1] - (values[..., :-2] + values[..., 2:]) / 2
    usable = np.isfinite(difference).sum(axis=2)
    # The median: an edge on the ground crosses a line of pixels, and a stripe goes along all of it.
    middle = _medians(difference, usable)
    deviation = 1.4826 * _medians(np.abs(difference - middle[:, :, None]), usable)
    present = np.isfinite(values)
    size = np.abs(values).sum(axis=(0, 2, 3), where=present) / np.maximum(present.sum(axis=(0, 2, 3)), 1)
    least = 1e-9 + 1e-3 * size[:, None]
    error = 1.2533 * deviation / np.sqrt(np.maximum(usable, 1)) + least
    counted = usable >= LONG_ENOUGH
    square = np.where(counted, np.minimum(np.square(np.nan_to_num(middle) / np.nan_to_num(error, nan=1.0)), MOST), 0.0)
    sums, counts = square.sum(axis=2), counted.sum(axis=2).astype(np.float64)
    return np.c_[sums, sums.sum(axis=1)], np.c_[counts, counts.sum(axis=1)]


def _medians(lines: Floats, usable: NDArray[np.int64]) -> Floats:
    """``(squares, bands, cols)``: medians over the rows of ``(squares, bands, rows, cols)``, of which ``usable`` are no NaN.

    One sort, whose end takes the NaNs: numpy's own median of numbers without NaNs goes by masked arrays, and takes four
    times as long. NaN where none is usable.
    """
    ordered = np.sort(lines, axis=2)
    last = np.maximum(usable - 1, 0)
    low, high = (np.take_along_axis(ordered, at[:, :, None], axis=2)[:, :, 0] for at in (last // 2, usable // 2))
    # Where the number of usable rows is 1 or odd both are the one in the middle.
    return np.asarray(np.where(usable > 0, (low + high) / 2, np.nan))
