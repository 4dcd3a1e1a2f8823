"""What a report's page shows beside report.json: pictures, curves and spectra, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specvae.training.highest_squares import HighestSquares

__all__ = ["Case", "Cell", "Curves", "PageData", "Picture", "Spectra"]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Picture:
    """The map at one in ``step`` pixels; each picture pixel is the scene pixel with the highest score of its block."""

    step: int
    score: FloatArray
    """``(rows, cols)``, nats, NaN where invalid."""
    kl: FloatArray
    """``(rows, cols)``: the KL term of the same pixel."""
    composite: FloatArray
    """``(3, rows, cols)``: red, green, blue, physical units, NaN where invalid."""
    corners: tuple[tuple[float, float], ...] | None
    """Longitude and latitude of the upper left, upper right, lower right and lower left corner; None where unknown."""
    before: FloatArray | None = None
    """``(3, rows, cols)``: the earlier date's red, green and blue; None for a scene of one date."""


@dataclass(frozen=True, eq=False)
class Curves:
    """How many pixels score above any cut, here and in the normal held-out data."""

    score: NDArray[np.float64]
    """``(m,)`` ascending cuts, nats."""
    above: NDArray[np.int64]
    """``(m,)``: pixels of the full scene that score at least as much."""
    rate: NDArray[np.float64]
    """``(m,)``: false-alarm rate of each cut, from the calibration."""
    false_share: NDArray[np.float64]
    """``(m,)``: with 95 %, no larger share of what scores above each cut is false; NaN where unknown."""
    normal_score: NDArray[np.float64]
    """``(k,)`` ascending, nats."""
    normal_share: NDArray[np.float64]
    """``(k,)``: share of held-out normal pixels that score at least as much."""
    tail_share: NDArray[np.float64]
    """``(k,)``: that share by the fitted tail; NaN where the tail does not apply."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """Some spectra beside what was expected, and why they score as they do; of objects means over their pixels."""

    rows: NDArray[np.int64]
    """``(n,)``: row and column of each pixel; of a table, rows are the row numbers from 0."""
    cols: NDArray[np.int64]
    observed: FloatArray
    """``(bands, n)``, physical units."""
    expected: FloatArray
    """``(bands, n)``: what was expected."""
    contribution: FloatArray
    """``(bands, n)``, nats: what each band adds; over bands they add up to ``score``."""
    score: FloatArray
    """``(n,)``, nats."""
    kl: FloatArray

    def __len__(self) -> int:
        return len(self.rows)


Cell = str | int | float | bool | None
"""What stands in a cell of the page's table; None where it is unknown."""


@dataclass(frozen=True)
class Case:
    """One object, or one of a table's top rows: a row of the page's table."""

    cells: Mapping[str, Cell]
    """Its cells by column, the same columns in the same order for all cases of a page."""
    row: int | None = None
    """Row of an object's peak; None for a row of a table, which lies on no map."""
    col: int | None = None
    """Column of the peak."""
    box: tuple[int, int, int, int] | None = None
    """The object's bounding box: first row and column, and the row and column after the last."""


@dataclass(frozen=True, eq=False)
class PageData:
    """What the page of one scene or table shows beside report.json."""

    picture: Picture | None
    """None for a table."""
    curves: Curves
    envelope: FloatArray | None
    """``(3, bands)``: 5, 50 and 95 % of normal spectra, physical units."""
    samples: Spectra
    """Pixels on a lattice, or the first rows of a table, that a click shows."""
    sample_step: int
    """Spacing of the lattice; 1 = every valid pixel."""
    cases: Sequence[Case] = ()
    """Objects or top rows, most anomalous first."""
    case_spectra: Spectra | None = None
    """Spectra of the cases, in the same order, possibly of only the first of them."""
    surroundings: bool = False
    """Whether what is expected follows from the surroundings; else from the nearest kind of normal spectrum."""
    case_total: int = 0
    """Objects or rows in all, of which ``cases`` are the first."""
    highest: HighestSquares | None = None
    """The normal squares that set the cut; None where the model holds none."""
