"""Objects: what is known of each connected component of anomalous pixels, and the counts of those that were omitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BAND_SUMS", "PEAK_BANDS", "JoinedObjects", "ObjectTable", "Omitted", "no_objects", "unexplained"]

BAND_SUMS = ("deviation", "contribution", "alone", "surroundings", "observed", "foreseen")
"""What is summed over an object's pixels band by band."""
PEAK_BANDS = ("spectrum", "expected", "at_peak")
"""What is known of each band at its peak."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """Objects, one an entry of each array ``(n,)``; bands first where there are bands."""

    pixels: Ints
    """Number of pixels."""
    row: Ints
    """First row of the bounding box."""
    col: Ints
    """First column of the bounding box."""
    bottom: Ints
    """One past the last row of the bounding box."""
    right: Ints
    """One past the last column of the bounding box."""
    peak: NDArray[np.float32]
    """Highest score, nats."""
    peak_row: Ints
    """Row of the peak: of the first pixel in row-major order that has it."""
    peak_col: Ints
    """Column of the peak."""
    score: Floats
    """Sum of the scores of the object's pixels, nats."""
    reconstruction: Floats
    """Sum of their reconstruction terms, nats."""
    kl: Floats
    """Sum of their KL terms, nats."""
    surprise: Floats
    """Sum of -log of their p-values; 0 where no calibration gives any."""
    row_sum: Floats
    """Sum of the pixels' rows, for the centroid."""
    col_sum: Floats
    """Sum of the pixels' columns, for the centroid."""
    deviation: Floats
    """``(bands, n)``: sum of signed deviations in standard units; no bands where nothing was explained.

    Of an object of many pixels this and the five sums below are estimates, by a part of its pixels.
    """
    contribution: Floats
    """``(bands, n)``: sum of the bands' contributions, nats; over bands they add up to ``score``."""
    alone: Floats
    """``(bands, n)``: sum of what the scores fall by where a band alone is put back to what was expected, nats."""
    surroundings: Floats
    """``(bands, n)``: sum of the parts of the contributions that the surroundings cost by themselves, nats."""
    observed: Floats
    """``(bands, n)``: sum of the pixels' spectra, physical units."""
    foreseen: Floats
    """``(bands, n)``: sum of what was expected of them, physical units."""
    spectrum: NDArray[np.float32]
    """``(bands, n)``: the spectrum at the peak, physical units."""
    expected: NDArray[np.float32]
    """``(bands, n)``: what was expected at the peak, physical units."""
    at_peak: NDArray[np.float32]
    """``(bands, n)``: the bands' contributions at the peak, nats; over bands they add up to ``peak``."""

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def mean(self) -> Floats:
        """Mean score, nats."""
        return np.asarray(self.score / self.pixels)

    @property
    def centroid(self) -> tuple[Floats, Floats]:
        """Row and column of the pixels' mean centre; the first pixel's centre is (0.5, 0.5)."""
        return self.row_sum / self.pixels + 0.5, self.col_sum / self.pixels + 0.5

    def explained(self, sums: Mapping[str, Floats], peaks: Mapping[str, NDArray[np.float32]]) -> ObjectTable:
        """The objects with what the bands did: ``sums`` by the names of ``BAND_SUMS``, ``peaks`` by those of ``PEAK_BANDS``."""
        columns: dict[str, Any] = {**sums, **peaks}
        return replace(self, **columns)

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> ObjectTable:
        """The objects at these positions, or where a mask is True."""
        return ObjectTable(*(getattr(self, f.name)[..., index] for f in fields(self)))

    @property
    def evidence(self) -> Floats:
        """``(n,)``: the pixels' -log p summed, nats; where no calibration gives p-values, the sum of their scores."""
        return np.where(self.surprise > 0, self.surprise, self.score)

    def ranked(self, among: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.intp]:
        """Positions ``among`` these objects by descending evidence, peak, size, then place, which no order of windows changes."""
        # Rounded, so that sums of the same pixels in another order are the same evidence.
        keys = (self.peak_col, self.peak_row, -self.pixels, -self.peak, -self.evidence.astype(np.float32))
        return np.lexsort(tuple(key[among] for key in keys))

    @classmethod
    def joined(cls, tables: list[ObjectTable]) -> ObjectTable:
        """The objects of all ``tables``, one table after another."""
        # Along the last axis, which is that of the objects with bands and without.
        return cls(*(np.concatenate([getattr(t, f.name) for t in tables], axis=-1) for f in fields(cls)))


@dataclass(frozen=True)
class Omitted:
    """Counts of the objects that a cap or a least size left out of a table."""

    objects: int = 0
    pixels: int = 0
    peak: float | None = None
    """Highest score among them, nats; None where there are none."""

    def __add__(self, other: Omitted) -> Omitted:
        peaks = [p for p in (self.peak, other.peak) if p is not None]
        return Omitted(self.objects + other.objects, self.pixels + other.pixels, max(peaks, default=None))

    @classmethod
    def of(cls, table: ObjectTable, which: NDArray[np.bool_]) -> Omitted:
        """The counts of the objects of a table for which ``which`` holds."""
        peak = float(table.peak[which].max()) if which.any() else None
        return cls(int(np.count_nonzero(which)), int(table.pixels[which].sum()), peak)


@dataclass(frozen=True, eq=False)
class JoinedObjects:
    """The objects of a scene, which ``Components.finish`` gives."""

    table: ObjectTable
    """The objects in the order of :meth:`ObjectTable.ranked`: the most evidence first."""
    beyond_cap: Omitted
    """Objects of the least size or larger whose evidence is too little for the cap."""
    too_small: Omitted
    """Objects smaller than the least size."""

    @property
    def count(self) -> int:
        """Objects of at least the least size, in the table or beyond the cap."""
        return len(self.table) + self.beyond_cap.objects


def unexplained(count: int) -> dict[str, Any]:
    """The columns of a table that say what the bands did, for objects of which nobody explains a pixel: without bands."""
    sums, peaks = np.zeros((0, count)), np.zeros((0, count), np.float32)
    return {**dict.fromkeys(BAND_SUMS, sums), **dict.fromkeys(PEAK_BANDS, peaks)}


def no_objects() -> ObjectTable:
    """A table without objects."""
    ints, floats = np.zeros(0, np.int64), np.zeros(0)
    return ObjectTable(
        pixels=ints,
        row=ints,
        col=ints,
        bottom=ints,
        right=ints,
        peak=np.zeros(0, np.float32),
        peak_row=ints,
        peak_col=ints,
        score=floats,
        reconstruction=floats,
        kl=floats,
        surprise=floats,
        row_sum=floats,
        col_sum=floats,
        **unexplained(0),
    )
