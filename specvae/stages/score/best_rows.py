"""The highest-scoring rows of a table, gathered while it is scored."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.table.arrow_arrays import from_numpy
from specvae.ingest.table.reading import Table
from specvae.spectra import Parts

__all__ = ["BestRows", "Rows"]

CARRIED = 3
"""The most columns beside the bands that the page shows of a row."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows, the highest score first."""

    at: NDArray[np.int64]
    """0-based numbers of the rows."""
    score: NDArray[np.float32]
    reconstruction: NDArray[np.float32]
    kl: NDArray[np.float32]
    p_value: NDArray[np.float64]
    values: NDArray[np.float32]
    """``(bands, n)``"""
    others: NDArray[np.object_]
    """``(columns, n)``: the text of the first columns that are no bands."""

    def take(self, order: NDArray[np.intp]) -> Rows:
        """The rows at these places, in this order."""
        return Rows(*(getattr(self, f.name)[..., order] for f in fields(self)))

    def join(self, other: Rows) -> Rows:
        """These rows and then the others."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Rows(*(np.concatenate(pair, axis=-1) for pair in pairs))


@dataclass
class BestRows:
    """Holds the ``count`` valid rows that score highest; of rows with equal scores, the earlier ones."""

    count: int
    names: tuple[str, ...] = ()
    rows: Rows | None = field(default=None)

    def update(self, table: Table, first: int, parts: Parts, p_values: NDArray[np.float64]) -> None:
        """Look at a chunk whose first row is the table's row ``first``."""
        if self.rows is None:
            own = set(table.bands.names)
            self.names = tuple(name for name in table.others.column_names if name not in own)[:CARRIED]
        full = self.rows is not None and len(self.rows.at) >= self.count
        least = float(self.rows.score[-1]) if full and self.rows is not None and self.count else -np.inf
        # Few rows of a chunk beat the lowest of those held, and only these are sorted. Sorts are stable, and the rows
        # held come first, so that of equal scores the earlier row stays, whatever the chunks.
        higher = np.flatnonzero(parts.score > least)
        order = np.argsort(-parts.score[higher], kind="stable")[: self.count]
        fresh = self._rows(table, higher[order], parts, p_values)
        fresh = replace(fresh, at=fresh.at + first)
        candidates = fresh if self.rows is None else self.rows.join(fresh)
        self.rows = candidates.take(np.argsort(-candidates.score, kind="stable")[: self.count])

    def _rows(self, table: Table, at: NDArray[np.intp], parts: Parts, p_values: NDArray[np.float64]) -> Rows:
        """The rows of a chunk at these places, with their scores."""
        picked = from_numpy(at)
        others = np.empty((len(self.names), len(at)), object)
        for line, name in zip(others, self.names, strict=True):
            line[:] = [str(value) for value in table.others.column(name).take(picked).to_pylist()]
        values = np.ascontiguousarray(table.values[at].T)
        three = (parts.score[at], parts.reconstruction[at], parts.kl[at])
        return Rows(at.astype(np.int64), *three, p_values[at], values, others)
