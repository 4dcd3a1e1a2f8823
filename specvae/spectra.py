"""The values that travel: bands, windows, cubes of spectra with their validity, and scored parts.

Cubes are ``(bands, rows, cols)``, tables of spectra ``(n, bands)``. Valid means usable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from specvae.errors import ModelError

__all__ = ["Band", "BandMatch", "BandSet", "Cube", "Explanation", "Invalid", "Parts", "ScoredWindow", "Window",
           "positions"]  # fmt: skip

FloatArray = NDArray[np.float32]


class Invalid(IntEnum):
    """Why a pixel is not usable; ``VALID`` is 0, so that ``reason == 0`` is the valid mask."""

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


@dataclass(frozen=True)
class Band:
    """One spectral band.

    Examples
    --------
    >>> Band("nir", wavelength=842.0, width=115.0).wavelength
    842.0
    """

    name: str = ""
    """Name as the source gives it; empty where it gives none."""
    wavelength: float | None = None
    """Centre wavelength in nanometres, where known."""
    width: float | None = None
    """Full width at half maximum in nanometres, where known."""
    unit: str = ""
    """Unit of the values (``reflectance``, ``DN``, ...), where known."""


@dataclass(frozen=True)
class BandMatch:
    """How the bands of a source serve a model.

    Examples
    --------
    >>> BandMatch((2, 0), "order").warning
    'bands were matched by their order alone, since names or wavelengths are missing on one side'
    """

    order: tuple[int, ...]
    """For each band of the model, the 0-based index in the source."""
    by: str
    """``name``, ``wavelength`` or ``order``."""

    @property
    def warning(self) -> str | None:
        """What to tell the user, or None."""
        if self.by != "order":
            return None
        return "bands were matched by their order alone, since names or wavelengths are missing on one side"


@dataclass(frozen=True)
class BandSet:
    """The ordered bands of a source or a model.

    Examples
    --------
    >>> model = BandSet((Band("red"), Band("nir")))
    >>> model.match(BandSet((Band("nir"), Band("red"), Band("swir"))))
    BandMatch(order=(1, 0), by='name')
    """

    bands: tuple[Band, ...]

    def __len__(self) -> int:
        return len(self.bands)

    def __iter__(self) -> Iterator[Band]:
        return iter(self.bands)

    def __getitem__(self, index: int) -> Band:
        return self.bands[index]

    @property
    def names(self) -> tuple[str, ...]:
        """Names, empty strings where there are none."""
        return tuple(band.name for band in self.bands)

    @property
    def labels(self) -> tuple[str, ...]:
        """A word for each band: its name, else its wavelength, else its 1-based number."""
        return tuple(
            b.name or (f"{b.wavelength:g} nm" if b.wavelength is not None else f"band {i}")
            for i, b in enumerate(self.bands, start=1)
        )

    @property
    def wavelengths(self) -> tuple[float, ...] | None:
        """Centre wavelengths in nanometres, or None unless every band has one."""
        known = tuple(b.wavelength for b in self.bands if b.wavelength is not None)
        return known if len(known) == len(self.bands) and known else None

    def take(self, order: tuple[int, ...]) -> BandSet:
        """The bands at these 0-based indices."""
        return BandSet(tuple(self.bands[i] for i in order))

    def match(self, source: BandSet) -> BandMatch:
        """How ``source`` provides the bands of this (the model's) set: by name, else wavelength, else order.

        Raises ModelError where they do not correspond, listing both sides.
        """
        mine, theirs = self._unique_names(), source._unique_names()
        if mine and theirs and set(mine) <= set(theirs):
            order = tuple(theirs.index(name) for name in mine)
            if self._same_light(source, order):
                return BandMatch(order, "name")
            if not (self.wavelengths and source.wavelengths):
                raise self._mismatch(source)
        if self.wavelengths and source.wavelengths:
            nearest = self._nearest(source)
            if nearest is not None:
                return BandMatch(nearest, "wavelength")
            raise self._mismatch(source)
        both_named = mine and theirs
        if both_named or len(self) != len(source):
            raise self._mismatch(source)
        return BandMatch(tuple(range(len(self))), "order")

    def _unique_names(self) -> list[str]:
        """Names folded for comparison, or [] where any is missing or two are alike."""
        names = [name.strip().casefold() for name in self.names]
        return names if all(names) and len(set(names)) == len(names) else []

    def _same_light(self, source: BandSet, order: tuple[int, ...]) -> bool:
        """Whether bands of one name are of one wavelength where both tell: Landsat's B5 is not Sentinel-2's."""
        pairs = [(mine, source[at]) for mine, at in zip(self.bands, order, strict=True)]
        told = [(a, b, a.wavelength, b.wavelength) for a, b in pairs]
        return all(
            one is None or other is None or abs(one - other) <= max((a.width or b.width or 0.0) / 2, 0.05 * one)
            for a, b, one, other in told
        )

    def _nearest(self, source: BandSet) -> tuple[int, ...] | None:
        """Index of the source band within half a band width of each of mine, or None if one has none."""
        centres = np.array(source.wavelengths, dtype=np.float64)
        order = []
        for band in self.bands:
            assert band.wavelength is not None
            nearest = int(np.argmin(np.abs(centres - band.wavelength)))
            width = band.width or source[nearest].width or self._spacing(band.wavelength)
            if abs(centres[nearest] - band.wavelength) > width / 2:
                return None
            order.append(nearest)
        return tuple(order) if len(set(order)) == len(order) else None

    def _spacing(self, wavelength: float) -> float:
        """Distance to the nearest other band of this set: the width assumed where none is stated."""
        others = np.array([w for w in self.wavelengths or () if w != wavelength])
        return float(np.min(np.abs(others - wavelength))) if others.size else 0.04 * wavelength

    def _mismatch(self, source: BandSet) -> ModelError:
        def side(bands: BandSet) -> str:
            shown = ", ".join(bands.labels[:16])
            return f"{len(bands)} ({shown}{', ...' if len(bands) > 16 else ''})"

        return ModelError(
            f"the bands do not match: the model has {side(self)}, the scene has {side(source)}; "
            "choose the scene's bands with --bands, or use a model fitted on such bands"
        )


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

    values: FloatArray
    """``(bands, rows, cols)``; what stands in an invalid pixel means nothing and may be NaN."""
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
        valid.flags.writeable = False
        return valid

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
class Explanation:
    """Why some spectra score as they do.

    Examples
    --------
    >>> told = Explanation(np.float32([[0.1], [4.5]]), np.float32([[0.4], [-3.0]]), np.float32([[0.2], [0.3]]))
    >>> int(told.contribution[:, 0].argmax()), float(told.deviation[1, 0])
    (1, -3.0)
    """

    contribution: FloatArray
    """``(bands, n)``: share of each band in the reconstruction term, nats; sums to it over bands."""
    deviation: FloatArray
    """``(bands, n)``: signed (x - mu) / sigma, positive = brighter than expected."""
    expected: FloatArray
    """``(bands, n)``: the reconstructed spectrum in physical units."""


@dataclass(frozen=True)
class ScoredWindow:
    """What every accumulator is given for one window of a scene."""

    cube: Cube
    """The window's spectra, without halo."""
    parts: Parts
    """The window's score and terms, ``(rows, cols)``."""
    anomalous: NDArray[np.bool_]
    """``(rows, cols)``: score above the threshold; False where invalid."""
    explanation: Explanation | None = field(default=None)
    """Of the anomalous pixels alone, in row-major order (n = anomalous.sum()), where asked for."""

    @property
    def window(self) -> Window:
        """Where in the scene this lies."""
        return self.cube.window
