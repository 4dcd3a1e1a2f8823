"""The series of a place: its dates one after the other, from the last checkpoint that still holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.e_values import needed_evidence
from specvae.alerts.night_effect import NightEffect
from specvae.alerts.past import UnseenPast
from specvae.alerts.place import Elsewhere, Place, advance
from specvae.alerts.seen import Night
from specvae.export.contents import ITEM, PAGE
from specvae.export.watch.contents import FRAMES, checkpoint_names
from specvae.export.watch.report_page import colour_of
from specvae.files.fingerprint import sha256_of
from specvae.ingest.aligned_rows import AlignedRows
from specvae.ingest.grid import Grid
from specvae.stages.watch.checkpoint import duplicate, load_place, read_arrays, save_pixels, write_arrays
from specvae.stages.watch.dates import ScoredDate
from specvae.stages.watch.frames import Frames, HighestScores, status_frame
from specvae.stages.watch.past_file import PastFile
from specvae.stages.watch.request import WatchRequest
from specvae.stages.watch.shards import RowsRead, SharedRows, night_shards
from specvae.stages.watch.thinning import checkpoints_of, first_to_go_on_from

Checkpoints = dict[int, tuple[Path, Path]]
__all__ = ["DateRecord", "Series", "records_of", "walk"]

STATE_VERSION = 3
"""Raised when the arithmetic of the state changes, so that checkpoints of an earlier version are not gone on from."""


class DateRecord(TypedDict):
    """A date as ``watch.json`` lists it."""

    key: str
    date: str
    """ISO 8601, with the time where it is known."""
    sha256: str
    """Of the folder's item, which holds the checksums of its other files."""
    used: bool
    """False where the verdict is do-not-use: its looks are left out of the evidence."""


def records_of(dates: Sequence[ScoredDate]) -> list[DateRecord]:
    """The records of dates: what the state is a function of."""
    return [
        {"key": d.key, "date": d.moment, "sha256": sha256_of(d.folder / ITEM.name), "used": d.usable} for d in dates
    ]


@dataclass(frozen=True, eq=False)
class Series:
    """A place after all of its dates."""

    grid: Grid
    dates: tuple[ScoredDate, ...]
    place: Place
    frames: Frames
    needed: float
    """Nats of evidence that confirm."""
    warped: tuple[str, ...] = ()
    """Keys of dates whose grid is no shift of the first one's by whole pixels."""
    computed: int = 0
    """How many dates were computed now; the others are those of the checkpoint."""


@dataclass(frozen=True, eq=False)
class _Start:
    """Where the walk begins: after ``count`` dates."""

    count: int
    place: Place
    frames: Frames
    warped: tuple[str, ...] = ()
    files: Checkpoints = field(default_factory=dict)
    """The files of this state and of earlier ones."""


def walk(
    dates: Sequence[ScoredDate],
    grid: Grid,
    request: WatchRequest,
    folder: Path,
    stored: dict[str, Any],
    records: Sequence[DateRecord],
    work: Path,
    progress: Callable[[int, int], None] | None = None,
    shared: SharedRows | None = None,
) -> Series:
    """Compute the dates that no checkpoint in ``folder`` holds, and write the new checkpoints into ``work``.

    ``shared``: how rows are shared out among processes that see the same files; None: all are computed here.
    """
    start = _start(grid, request, folder, stored, records)
    kept = checkpoints_of(len(dates))
    walked = _Walk(grid, request, work, start.place, start.frames, list(start.warped), start.files, kept, shared)
    for number, scored in enumerate(dates[start.count :], start=start.count + 1):
        walked.add(scored, number)
        if progress:
            progress(number, len(dates))
    walked.finish()
    todo = len(dates) - start.count
    return Series(grid, tuple(dates), walked.place, walked.frames, walked.needed, tuple(walked.warped), todo)


def _start(
    grid: Grid, request: WatchRequest, folder: Path, stored: dict[str, Any], records: Sequence[DateRecord]
) -> _Start:
    """After the last of the stored states until which all dates are the same; else nowhere."""
    before: list[DateRecord] = stored.get("specvae:dates") or []
    usable = stored.get("specvae:state_version") == STATE_VERSION and not request.overwrite
    usable &= stored.get("specvae:settings") == request.settings() and stored.get("proj:shape") == list(grid.shape)
    names = {count: checkpoint_names(number) for number, count in enumerate(checkpoints_of(len(before)))}
    files = {count: (folder / past, folder / pixels) for count, (past, pixels) in names.items()}
    there = [count for count, pair in files.items() if all(file.is_file() for file in pair)]
    pairs = zip(before, records, strict=False)
    same = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(before), len(records)))
    count = first_to_go_on_from(there, same, len(records)) if usable else 0
    if not count:
        return _Start(0, Place(UnseenPast(*grid.shape)), Frames.of(*grid.shape))
    place = load_place(PastFile(files[count][0], *grid.shape), files[count][1])
    frames = Frames.from_arrays(read_arrays(folder / FRAMES.name)).first(count)
    keys = {record["key"] for record in records[:count]}
    warped = tuple(key for key in stored.get("specvae:warped", ()) if key in keys)
    return _Start(count, place, frames, warped, {count: files[count] for count in there if count <= same})


@dataclass(eq=False)
class _Walk:
    """The walk over the dates; the files of new states are in ``work``."""

    grid: Grid
    request: WatchRequest
    work: Path
    place: Place
    frames: Frames
    warped: list[str]
    files: Checkpoints
    """Files of the states after so many dates: the last one, and those that stay."""
    kept: Sequence[int]
    """After how many dates the state stays."""
    shared: SharedRows | None

    @property
    def needed(self) -> float:
        """Nats of evidence that confirm."""
        return needed_evidence(self.grid.rows * self.grid.cols, self.request.false_alert_rate)

    def add(self, scored: ScoredDate, number: int) -> None:
        """Take one date, the ``number``-th from 1 on."""
        past, pixels = self.work / f"past-{number}", self.work / f"pixels-{number}"
        if scored.usable:
            with (
                AlignedRows(scored.scores, self.grid) as rows,
                PastFile(past, *self.grid.shape, fresh=True) as out,
            ):
                read, curve = RowsRead(rows, HighestScores(*self.grid.shape)), scored.curve()
                night, elsewhere = Night(scored.day, read, curve), self._elsewhere(scored, past, read.highest)
                self.place = advance(self.place, night, out, self.needed, self.request.close_after, elsewhere)
                self._show(scored, read.highest.to_bytes(curve))
                if rows.warped:
                    self.warped.append(scored.key)
        else:
            self._pass_over(scored, past)
        save_pixels(pixels, self.place)
        self.files[number] = past, pixels
        if number - 1 in self.files and number - 1 not in self.kept:
            self._drop(number - 1)

    def _elsewhere(self, scored: ScoredDate, past: Path, highest: HighestScores) -> Elsewhere | None:
        """What has the rows of a date computed in other processes, where the place is worth it."""
        shared = self.shared
        if shared is None or self.grid.rows <= shared.rows:
            return None

        def compute(effect: NightEffect) -> NDArray[np.void]:
            close_after = self.request.close_after
            shards = night_shards(self.place, scored, self.grid, past, shared.rows, effect, close_after)
            done = shared.compute(shards)
            for each in done:
                highest.join(each.highest)
            return np.concatenate([each.pixels for each in done])

        return compute

    def _pass_over(self, scored: ScoredDate, past: Path) -> None:
        """A date whose looks do not count: the state stays, and nothing has changed since the date before."""
        if isinstance(self.place.past, PastFile):
            duplicate(self.place.past.path, past)
        else:
            PastFile(past, *self.grid.shape, fresh=True)
        self.place = replace(
            self.place, past=PastFile(past, *self.grid.shape), registry=self.place.registry.unchanged()
        )
        unseen = np.full(self.frames.score.shape[1:], 255, np.uint8)
        self._show(scored, unseen)

    def _show(self, scored: ScoredDate, score: NDArray[np.uint8]) -> None:
        """Add tonight's frames. The picture is taken out of the report's page once, not anew on each later night."""
        colour = colour_of(scored.folder / PAGE.name) or b""
        self.frames = self.frames.plus(status_frame(self.place), score, colour)

    def _drop(self, count: int) -> None:
        """Remove the files of a state that nothing is computed from any more, where they are of this walk."""
        for path in self.files.pop(count):
            if path.parent == self.work:
                path.unlink()

    def finish(self) -> None:
        """Give the checkpoints their names; those that were there already are taken from the stored result."""
        for number, count in enumerate(self.kept):
            for path, name in zip(self.files[count], checkpoint_names(number), strict=True):
                if path.parent == self.work:
                    path.rename(self.work / name)
                else:
                    duplicate(path, self.work / name)
        self.place = replace(self.place, past=PastFile(self.work / checkpoint_names(0)[0], *self.grid.shape))
        write_arrays(self.work / FRAMES.name, **self.frames.to_arrays())
