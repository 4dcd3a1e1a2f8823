"""A night of a giant place in pieces: rows as shards, wherever, joined into the very state of one process.

A shard reads its rows of the scores and of the past, writes the past after the night into the one file that all shards fill, and
hands back its pixels of alerts. What looks at all of them (which touch, which are confirmed, their ids) is done where they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.night_effect import NightEffect, Survey
from specvae.alerts.past import UnseenPast
from specvae.alerts.place import Place, rows_after
from specvae.alerts.seen import Night
from specvae.ingest.aligned_rows import AlignedRows
from specvae.ingest.grid import Grid
from specvae.stages.watch.dates import ScoredDate
from specvae.stages.watch.frames import HighestScores
from specvae.stages.watch.past_file import PastFile

__all__ = ["NightShard", "RowsRead", "ShardOut", "ShardsDone", "SharedRows", "compute_shard", "night_shards"]


@dataclass(frozen=True, eq=False)
class NightShard:
    """Some rows of a place in one night, to be computed by any process that sees the files."""

    scored: ScoredDate
    grid: Grid
    before: Path | None
    """File of the past before the night; None: there was no night."""
    after: Path
    """File of the past after it, which is there already and of which the rows are filled."""
    rows: range
    near: NDArray[np.void]
    """The pixels of alerts in these rows and the ones next to them."""
    effect: NightEffect
    nights: int
    """Nights before."""
    close_after: int


@dataclass(frozen=True, eq=False)
class ShardOut:
    """What a shard hands back."""

    pixels: NDArray[np.void]
    highest: NDArray[np.float32]
    """The highest score of each small square of the place, NaN where it saw none."""


ShardsDone = Callable[[Sequence[NightShard]], Sequence[ShardOut]]
"""Has shards computed, and gives what came out in their order. Raises SpecvaeError where one fails."""


@dataclass(frozen=True)
class SharedRows:
    """How the rows of a night are shared out."""

    rows: int
    """Rows of a shard; a place that has no more is computed in one piece."""
    compute: ShardsDone


class RowsRead:
    """Reads the scores of a night, from one thread at a time, as GDAL wants it, and remembers the highest of each small square."""

    def __init__(self, rows: AlignedRows, highest: HighestScores) -> None:
        self.highest, self._rows, self._lock = highest, rows, Lock()

    def __call__(self, first: int, stop: int) -> NDArray[np.float32]:
        with self._lock:
            scores = self._rows.read(first, stop)
        self.highest.add(first, scores)
        return scores


def compute_shard(shard: NightShard, threads: int = 1) -> ShardOut:
    """Compute a shard: the past after the night is written, the rest is handed back."""
    shape = shard.grid.shape
    past = UnseenPast(*shape) if shard.before is None else PastFile(shard.before, *shape)
    place = Place(past, shard.near, survey=Survey(shard.nights))
    with AlignedRows(shard.scored.scores, shard.grid) as rows, PastFile(shard.after, *shape) as after:
        read = RowsRead(rows, HighestScores(*shape))
        night = Night(shard.scored.day, read, shard.scored.curve())
        pixels = rows_after(place, night, shard.effect, after, shard.rows, shard.close_after, threads)
    return ShardOut(pixels, read.highest.values)


def night_shards(
    place: Place, scored: ScoredDate, grid: Grid, after: Path, rows: int, effect: NightEffect, close_after: int
) -> list[NightShard]:
    """The shards of a night, of ``rows`` rows each."""
    before = place.past.path if isinstance(place.past, PastFile) else None
    shards = []
    for first in range(0, grid.rows, rows):
        own = range(first, min(first + rows, grid.rows))
        near = place.within(max(0, own.start - 1), own.stop + 1)
        shards.append(NightShard(scored, grid, before, after, own, near, effect, place.survey.nights, close_after))
    return shards
