"""A survey of a table's columns: what all of their cells hold, not the first ones alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from specvae.ingest.table.arrow_arrays import to_numpy
from specvae.ingest.table.cells import MISSING, read_cells
from specvae.ingest.table.number_format import POINTS, NumberFormat

__all__ = ["Column", "Survey", "is_number"]

MOST_TEXT = 0.2
"""Share of cells that may be words in a column of numbers."""
CENSORED = (
    r"(?i)^(?:[<>≤≥~]\s*.*|(?:n|b)\.?\s?d\.?(?:\s?l\.?)?|[bn]\.?\s?q\.?|(?:below\s)?(?:lod|loq|dl|mdl|detection limit)|"
    r"trace|tr\.?|not detected|no ?data|missing|nv|over(?:flow|range)?|sat(?:urated)?|[.*]+|#.*|-?1\.#.*)$"
)
"""Words that stand for a number which could not be measured: below the limit of detection, not determined, an error."""
Values: TypeAlias = pa.Array | pa.ChunkedArray


@dataclass(frozen=True)
class Column:
    """What all cells of one column say."""

    name: str
    numbers: int = 0
    """Cells that are finite numbers."""
    censored: int = 0
    """Words that stand for a number that could not be measured, such as ``<LOD``."""
    words: int = 0
    """Other cells that are neither numbers nor missing."""
    examples: tuple[str, ...] = ()
    """Three of these words and of the censored, at most."""
    flag: bool = False
    """Whether there is no number but 0 and 1."""
    counting: bool = False
    """Whether it goes up by one from row to row."""
    running: bool = False
    """Whether it only rises, or only falls, from row to row."""
    low: float = np.nan
    high: float = np.nan
    """Its smallest and largest number."""

    @property
    def numeric(self) -> bool:
        """Whether it is a column of numbers, some of which may be missing."""
        return self.numbers > 0 and self.words <= MOST_TEXT * (self.numbers + self.censored + self.words)


def is_number(kind: pa.DataType) -> bool:
    """Whether a type of pyarrow is one of numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


@dataclass
class Survey:
    """The survey of one column, chunk by chunk."""

    name: str
    form: NumberFormat = POINTS
    """How its numbers are written, where it is text."""
    rows: int = 0
    numbers: int = 0
    censored: int = 0
    words: int = 0
    examples: dict[str, None] = field(default_factory=dict)
    flag: bool = True
    steps: set[int] = field(default_factory=set)
    """Signs of the differences from row to row."""
    by_one: bool = True
    last: float | None = None
    """The number before those that come next."""
    low: float = np.inf
    high: float = -np.inf

    def update(self, column: Values) -> None:
        """Add some rows."""
        self.rows += len(column)
        if is_number(column.type):
            self._add_numbers(np.asarray(to_numpy(column), np.float64))
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            cells = read_cells(column, self.form)
            self._add_numbers(cells.numbers)
            self._add_words(cells.words)
        else:
            self.words += len(column) - column.null_count

    def finish(self) -> Column:
        """What the column holds."""
        whole = self.numbers == self.rows > 1
        counting = whole and self.rows > 2 and self.by_one
        running = whole and len(self.steps) == 1 and 0 not in self.steps
        flag = bool(self.numbers) and self.flag
        counts = self.numbers, self.censored, self.words
        return Column(self.name, *counts, tuple(self.examples), flag, counting, running, self.low, self.high)

    def _add_numbers(self, values: NDArray[np.float64]) -> None:
        values = values[np.isfinite(values)]
        if not values.size:
            return
        self.numbers += values.size
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self.flag = self.flag and bool(((values == 0) | (values == 1)).all())
        # Once it has gone up and down, or stood still, no further row changes that it does not run on.
        if len(self.steps) < 2 or self.by_one:
            rising = np.diff(values, prepend=values[:1] if self.last is None else self.last)
            rising = rising[1:] if self.last is None else rising
            self.steps |= set(np.unique(np.sign(rising)).astype(int).tolist())
            self.by_one = self.by_one and bool((rising == 1).all()) and float(values[0]).is_integer()
        self.last = float(values[-1])

    def _add_words(self, words: Values | None) -> None:
        if words is None or not len(words):
            return
        censored = pc.sum(pc.match_substring_regex(words, CENSORED)).as_py() or 0
        self.censored += censored
        self.words += len(words) - censored
        if len(self.examples) < 3:
            first = dict.fromkeys(str(word) for word in words.slice(0, 100).to_pylist() if word not in MISSING)
            self.examples |= dict.fromkeys(list(first)[: 3 - len(self.examples)])
