"""Frames: small maps of each date, for the slider of the page: status and score, at one in ``step`` pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specvae.alerts.normal_scores import PValueCurve
from specvae.alerts.pixels import Status
from specvae.alerts.place import Place

__all__ = ["MOST_SIDE", "UNSEEN", "Frames", "HighestScores", "status_frame"]

MOST_SIDE = 512
"""Longest side of a frame: 60 dates of a square place then fit into a page of 8 MB."""
UNSEEN = 255
"""Byte of a score's frame where there was no look."""
PAGE_PIXELS, LEVEL = 6_000_000, 12
"""Pixels of all scores on a page, and the step of their bytes there: the eye sees twenty colours, and noise does not compress."""
LOW, HIGH = -2.0, 8.0
"""Normal scores that the first and the last byte of a score stand for."""
ORDER = np.array(
    [Status.NEVER_SEEN, Status.NOTHING, Status.CLOSED, Status.FIRST, Status.PROVISIONAL, Status.CONFIRMED], np.uint8
)
"""Statuses from the least to the most that a person needs to see: of the pixels that become one, the last one shows."""
RANK = np.zeros(256, np.uint8)
RANK[ORDER] = np.arange(ORDER.size)


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of all dates so far, ``(dates, rows, cols)`` each."""

    status: NDArray[np.uint8]
    score: NDArray[np.uint8]
    colour: tuple[bytes, ...] = ()
    """A JPEG of each date; empty where its report page holds no picture."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The frames as arrays by name; :meth:`from_arrays` is the inverse."""
        ends = np.cumsum([len(picture) for picture in self.colour], dtype=np.int64)
        pictures = np.frombuffer(b"".join(self.colour), np.uint8)
        return {"status": self.status, "score": self.score, "colour": pictures, "ends": ends}

    @staticmethod
    def from_arrays(arrays: dict[str, NDArray[Any]]) -> Frames:
        """The frames that :meth:`to_arrays` gave."""
        pictures = np.split(arrays["colour"], arrays["ends"][:-1])
        return Frames(arrays["status"], arrays["score"], tuple(each.tobytes() for each in pictures))

    @staticmethod
    def of(rows: int, cols: int) -> Frames:
        """No frame yet, of a place of so many pixels."""
        step = Frames.step(rows, cols)
        empty = np.zeros((0, -(-rows // step), -(-cols // step)), np.uint8)
        return Frames(empty, empty)

    @staticmethod
    def step(rows: int, cols: int) -> int:
        """Pixels of the place to the side of one of a frame."""
        return max(1, -(-max(rows, cols) // MOST_SIDE))

    def for_page(self) -> Frames:
        """The frames in as few pixels and levels as a page of 8 MB holds of so many dates."""
        factor = max(1, int(np.ceil(np.sqrt(self.score.size / PAGE_PIXELS))))
        status = [_lessened(each, factor) for each in self.status]
        # One more, and UNSEEN, the highest byte, overflows to 0, the lowest.
        score = [_highest(each + np.uint8(1), factor, 0) - np.uint8(1) for each in self.score]
        coarse = [np.where(each == UNSEEN, UNSEEN, each // LEVEL * LEVEL).astype(np.uint8) for each in score]
        return Frames(np.stack(status), np.stack(coarse), self.colour) if status else self

    def first(self, count: int) -> Frames:
        """The frames of the first dates alone."""
        return Frames(self.status[:count], self.score[:count], self.colour[:count])

    def plus(self, status: NDArray[np.uint8], score: NDArray[np.uint8], colour: bytes) -> Frames:
        """The frames with those of one more date."""
        both = np.concatenate([self.status, status[None]]), np.concatenate([self.score, score[None]])
        return Frames(both[0], both[1], (*self.colour, colour))


def status_frame(place: Place) -> NDArray[np.uint8]:
    """The status of a place at one in ``step`` pixels, the one of each square that most needs to be seen."""
    rows, cols = place.shape
    step = Frames.step(rows, cols)
    begins = range(0, rows, step * max(1, 128 // step))
    pieces = (place.past.looks(row, min(row + begins.step, rows)) for row in begins)
    seen = np.concatenate([_highest_of_squares(looks, step, range(0, len(looks), step)) > 0 for looks in pieces])
    ranks = np.where(seen, RANK[Status.NOTHING], RANK[Status.NEVER_SEEN])
    row, col = np.divmod(place.pixels["at"], cols)
    np.maximum.at(ranks, (row // step, col // step), RANK[place.pixels["status"]])
    return np.asarray(ORDER[ranks])


def _highest_of_squares(values: NDArray[Any], step: int, begins: Sequence[int]) -> NDArray[Any]:
    """The highest value of each square of ``step`` columns and the rows from each of ``begins`` on; of NaN and a number, this."""
    ends = [*begins[1:], len(values)]
    # A row of squares at a time: numpy's own reduction over groups takes twenty times as long.
    tall = np.stack([np.fmax.reduce(values[row:end], axis=0) for row, end in zip(begins, ends, strict=True)])
    return np.asarray(np.fmax.reduceat(tall, np.arange(0, values.shape[1], step), axis=1))


def _lessened(status: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Status ``(rows, cols)`` at one in ``step`` pixels, the one that most needs to be seen."""
    return np.asarray(ORDER[_highest(RANK[status], step, 0)])


class HighestScores:
    """The highest score of each ``step`` x ``step`` pixels of a night, of rows that are added in any order, also twice."""

    def __init__(self, rows: int, cols: int) -> None:
        self._step = Frames.step(rows, cols)
        self._lock = Lock()
        self._best = np.full((-(-rows // self._step), -(-cols // self._step)), np.nan, np.float32)

    def add(self, first: int, scores: NDArray[np.float32]) -> None:
        """Take the scores ``(rows, cols)`` from row ``first`` on; NaN is no look. Of any thread."""
        step = self._step
        begins = range(first - first % step, first + len(scores), step)
        best = _highest_of_squares(scores, step, [max(0, row - first) for row in begins])
        at = slice(first // step, first // step + len(best))
        with self._lock:
            np.fmax(self._best[at], best, out=self._best[at])

    @property
    def values(self) -> NDArray[np.float32]:
        """The highest scores, NaN where there was no look."""
        return self._best

    def join(self, others: NDArray[np.float32]) -> None:
        """Take the highest scores of other rows of the same night."""
        with self._lock:
            np.fmax(self._best, others, out=self._best)

    def to_bytes(self, curve: PValueCurve) -> NDArray[np.uint8]:
        """Their normal scores as bytes 0..254; UNSEEN where there was no look."""
        scaled = np.clip((curve.normal_scores(self._best) - LOW) / (HIGH - LOW), 0, 1) * (UNSEEN - 1)
        return np.where(np.isnan(scaled), np.float32(UNSEEN), np.rint(scaled)).astype(np.uint8)


def _highest(values: NDArray[Any], step: int, fill: float) -> NDArray[Any]:
    """The highest value of each square of ``step`` pixels."""
    rows, cols = (-(-size // step) for size in values.shape)
    padded = np.full((rows * step, cols * step), fill, values.dtype)
    padded[: values.shape[0], : values.shape[1]] = values
    highest: NDArray[Any] = padded.reshape(rows, step, cols, step).max(axis=(1, 3))
    return highest
