"""The values that travel: windows, cubes of spectra with their validity, and scored parts.

Cubes are ``(bands, rows, cols)``, tables of spectra ``(n, bands)``. Valid means usable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CELL",
    "IMAGE_CELL",
    "Cube",
    "Explainer",
    "Explanation",
    "Invalid",
    "Parts",
    "Residuals",
    "ScoredWindow",
    "Window",
    "positions",
]

FloatArray = NDArray[np.float32]
CubeValues = NDArray[Any]
"""float32, or uint8, int16 or uint16: the integers of which float32 and every scorer make the same numbers."""

CELL = 64
"""Side in pixels of the cells, aligned to the scene's own grid, in which pixels are scored; windows begin at multiples of it.

A cell's 4,096 spectra are the columns of one product of matrices: enough to make the product efficient, few enough to stay
in the processor's cache.
"""
IMAGE_CELL = 16
"""The same side where a pixel is an image or a patch of hundreds of values: 256 of them fill the cache as well."""


class Invalid(IntEnum):
    """Why a pixel is not usable; ``VALID`` is 0, so that ``reason == 0`` is the valid mask."""

    # The order is one of precedence: of two reasons for one pixel the smaller is reported.
    VALID = 0
    NODATA = 1
    MASK = 2
    NAN = 3
    SATURATED = 4
    OUTSIDE = 5

    @property
    def label(self) -> str:
        """The key in ``pixels.invalid_by_reason`` of a report."""
        return {1: "nodata", 2: "mask", 3: "nan", 4: "saturated", 5: "outside"}.get(int(self), "valid")


@dataclass(frozen=True, order=True)
class Window:
    """A rectangle of a raster: offsets and sizes in pixels. Offsets may be negative (beyond the raster).

    Examples
    --------
    >>> Window(0, 64, 64, 64).grow(7).clip(Window(0, 0, 100, 100))
    Window(row=0, col=57, rows=71, cols=43)
    """

    row: int
    col: int
    rows: int
    cols: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices into an array whose origin is (0, 0)."""
        return slice(self.row, self.row + self.rows), slice(self.col, self.col + self.cols)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.rows * self.cols

    def grow(self, margin: int) -> Window:
        """The window with ``margin`` pixels more on each side."""
        return Window(self.row - margin, self.col - margin, self.rows + 2 * margin, self.cols + 2 * margin)

    def clip(self, other: Window) -> Window:
        """The part of this window inside ``other``; rows or cols are 0 where they do not meet."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        bottom = min(self.row + self.rows, other.row + other.rows)
        right = min(self.col + self.cols, other.col + other.cols)
        # Windows that do not meet overlap by a negative length; as empty windows they need no special case later.
        return Window(row, col, max(0, bottom - row), max(0, right - col))

    def shift(self, row: int, col: int) -> Window:
        """The window moved by (row, col)."""
        return Window(self.row + row, self.col + col, self.rows, self.cols)


def positions(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], ...]:
    """Rows and columns ``(n,)`` where a mask ``(rows, cols)`` holds, as numpy's ``nonzero`` gives them, at a tenth of its cost.

    Examples
    --------
    >>> [at.tolist() for at in positions(np.array([[False, True], [True, False]]))]
    [[0, 1], [1, 0]]
    """
    return np.unravel_index(np.flatnonzero(mask), mask.shape)


@dataclass(frozen=True)
class Cube:
    """Spectra of a window of a scene, in physical units; ValueError for shapes that do not belong together.

    Examples
    --------
    >>> cube = Cube(np.ones((3, 4, 5), np.float32), np.zeros((4, 5), np.uint8), Window(10, 20, 4, 5))
    >>> cube.crop(Window(11, 20, 1, 2)).values.shape, int(cube.valid.sum())
    ((3, 1, 2), 20)
    """

    values: CubeValues
    """``(bands, rows, cols)``, physical units, as integers where a file holds them so and a scorer reads them so.

    The values of an invalid pixel mean nothing and may be NaN.
    """
    reason: NDArray[np.uint8]
    """``(rows, cols)`` of :class:`Invalid`."""
    window: Window
    """Where in the scene this lies."""

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[1:] != self.reason.shape:
            raise ValueError(f"values {self.values.shape} and reason {self.reason.shape} do not belong together")
        if self.reason.shape != (self.window.rows, self.window.cols):
            raise ValueError(f"reason {self.reason.shape} is not of the size of {self.window}")

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """``(rows, cols)``, True = usable; not to be written to."""
        valid = np.asarray(self.reason == Invalid.VALID)
        # The array is cached and handed to all who ask: one who wrote to it would change the mask of the others.
        valid.flags.writeable = False
        return valid

    def spectra(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> FloatArray:
        """The spectra ``(bands, n)`` at these rows and columns ``(n,)`` of the cube."""
        return np.asarray(self.values[:, rows, cols], np.float32)

    def crop(self, window: Window) -> Cube:
        """The part inside ``window`` (scene coordinates), which must lie within this cube."""
        rows, cols = window.shift(-self.window.row, -self.window.col).slices
        return Cube(self.values[:, rows, cols], self.reason[rows, cols], window)


@dataclass(frozen=True)
class Parts:
    """The score and its two terms, in nats; NaN where invalid. ``score == reconstruction + kl`` exactly.

    Examples
    --------
    >>> Parts(np.float32([5.0]), np.float32([3.0]), np.float32([2.0])).kl.tolist()
    [2.0]
    """

    score: FloatArray
    """``(rows, cols)`` of a map or ``(n,)`` of a table; higher = more anomalous."""
    reconstruction: FloatArray
    kl: FloatArray


@dataclass(frozen=True)
class Residuals:
    """What each band has in the reconstruction term alone, at the posterior mean; ``(bands, n)`` each.

    Examples
    --------
    >>> part = Residuals(np.float32([[0.1], [4.5]]), np.float32([[0.4], [-3.0]]), np.float32([[0.2], [0.3]]))
    >>> int(part.contribution[:, 0].argmax()), float(part.deviation[1, 0])
    (1, -3.0)
    """

    contribution: FloatArray
    """Share of each band in the reconstruction term, nats; sums to it over bands."""
    deviation: FloatArray
    """Signed (x - mu) / sigma, positive = brighter than reconstructed."""
    reconstructed: FloatArray
    """The reconstructed spectrum in physical units; ``(bands, 0)`` where it was not asked for."""


@dataclass(frozen=True)
class Explanation:
    """Why some spectra score as they do; ``(bands, n)`` each.

    Examples
    --------
    >>> alone = np.float32([[0.1], [4.5]])
    >>> why = Explanation(alone, np.float32([[0.4], [-3.0]]), np.float32([[0.2], [0.3]]), alone, 0 * alone, 0 * alone)
    >>> int(why.contribution[:, 0].argmax()), float(why.deviation[1, 0])
    (1, -3.0)
    """

    contribution: FloatArray
    """Nats of each band; over bands they add up to the score, KL and all (:mod:`specvae.scoring.reasons`)."""
    deviation: FloatArray
    """Signed (x - expected) in units of the band's spread in training, positive = brighter than expected."""
    expected: FloatArray
    """What the surroundings let expect, physical units; of a model without context, the nearest kind of normal spectrum."""
    alone: FloatArray
    """Nats by which the score falls where this band alone is put back to what was expected, measured; may be negative."""
    surroundings: FloatArray
    """Nats of the contribution that the surroundings cost by themselves."""
    by_itself: FloatArray
    """Nats that the value costs by itself, without the other bands: those of the band's own distribution, before anything is
    put back; 0 for a model that has none."""


class Explainer(Protocol):
    """Explains pixels of one window when asked, for of most scenes few pixels need it, and of others too many at once."""

    def __call__(self, rows: NDArray[np.intp], cols: NDArray[np.intp], /) -> Explanation:
        """Why the valid pixels ``(n,)`` at these places of the window score as they do."""


@dataclass(frozen=True)
class ScoredWindow:
    """What every accumulator is given for one window of a scene."""

    cube: Cube
    """The window's spectra, without halo."""
    parts: Parts
    """The window's score and terms, ``(rows, cols)``."""
    anomalous: NDArray[np.bool_]
    """``(rows, cols)``: score above the threshold; False where invalid."""
    explain: Explainer | None = field(default=None)
    """Explains pixels of the window; None where nobody asks."""
    before: FloatArray | None = None
    """``(earlier bands, rows, cols)``: the same ground on the earlier date; None for a model of one date."""
    surprise: FloatArray | None = None
    """``(rows, cols)``: -log of the p-value of each anomalous pixel, 0 elsewhere; None where no calibration gives one."""

    @property
    def window(self) -> Window:
        """Where in the scene this lies."""
        return self.cube.window
