"""Objects: what is known of each connected component of anomalous pixels, and of those that were left out."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["Found", "LeftOut", "ObjectTable", "no_objects"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """Objects, one an entry of each array ``(n,)``; bands first where there are bands."""

    pixels: Ints
    row: Ints
    """First row of the bounding box; ``bottom`` is one past its last."""
    col: Ints
    bottom: Ints
    right: Ints
    peak: NDArray[np.float32]
    """Highest score, nats."""
    peak_row: Ints
    """Where it is: the first in row-major order of those that have it."""
    peak_col: Ints
    score: Floats
    """Sum of scores over the object's pixels, nats; so are the next two."""
    reconstruction: Floats
    kl: Floats
    row_sum: Floats
    """Sum of the pixels' rows, for the centroid."""
    col_sum: Floats
    deviation: Floats
    """``(bands, n)``: sum of signed deviations in standard units; no bands where nothing was explained."""
    contribution: Floats
    """``(bands, n)``: sum of the bands' contributions to the reconstruction term, nats."""
    spectrum: NDArray[np.float32]
    """``(bands, n)``: the spectrum at the peak, physical units."""
    expected: NDArray[np.float32]
    """``(bands, n)``: its reconstruction."""

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

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> ObjectTable:
        """These objects."""
        return ObjectTable(*(getattr(self, f.name)[..., index] for f in fields(self)))

    def ranked(self) -> NDArray[np.intp]:
        """Order by peak score, then size, then place: one for any order of windows."""
        return np.lexsort((self.peak_col, self.peak_row, -self.pixels, -self.peak))

    @classmethod
    def joined(cls, tables: list[ObjectTable]) -> ObjectTable:
        """One table after another."""
        return cls(*(np.concatenate([getattr(t, f.name) for t in tables], axis=-1) for f in fields(cls)))


@dataclass(frozen=True)
class LeftOut:
    """What a cap or a least size left out."""

    objects: int = 0
    pixels: int = 0
    peak: float | None = None
    """Highest score among them, nats."""

    def __add__(self, other: LeftOut) -> LeftOut:
        peaks = [p for p in (self.peak, other.peak) if p is not None]
        return LeftOut(self.objects + other.objects, self.pixels + other.pixels, max(peaks, default=None))

    @classmethod
    def of(cls, table: ObjectTable) -> LeftOut:
        """Everything in a table."""
        return cls(len(table), int(table.pixels.sum()), float(table.peak.max()) if len(table) else None)


@dataclass(frozen=True, eq=False)
class Found:
    """What ``Components.finish`` gives."""

    table: ObjectTable
    """Ranked: the highest peak first."""
    beyond_cap: LeftOut
    too_small: LeftOut

    @property
    def count(self) -> int:
        """Objects of at least the least size, kept or not."""
        return len(self.table) + self.beyond_cap.objects


def no_objects() -> ObjectTable:
    """A table of none."""
    whole, real, single = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.float32)
    banded, small = np.zeros((0, 0)), np.zeros((0, 0), np.float32)
    return ObjectTable(
        whole,
        whole,
        whole,
        whole,
        whole,
        single,
        whole,
        whole,
        real,
        real,
        real,
        real,
        real,
        banded,
        banded,
        small,
        small,
    )
