"""What is planted into a synthetic series: where, from when to when, and how much of a pixel it fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LASTING", "Event", "plant_events"]

LASTING = ("fire", "felled", "dieback")
"""The kinds that a watch is meant to confirm; a spill of two nights may be, and a ship of one may not."""
RECOVERY = 250.0
"""Days in which a burn scar's share of a pixel falls to 1 / e."""
DYING = 240.0
"""Days in which a stand dies."""
VISIBLE = 0.25
"""Share of a pixel from which on an event counts as there."""


@dataclass(frozen=True, eq=False)
class Event:
    """One event."""

    kind: str
    """``fire``, ``felled``, ``dieback``, ``spill`` or ``ship``."""
    place: NDArray[np.bool_]
    """``(rows, cols)``."""
    onset: int
    """Day of its beginning."""
    ends: int
    """The first day on which it is gone; a spill and a ship stay for two nights and one."""

    def fill(self, day: int) -> float:
        """Its share of a pixel on a day, 0..1."""
        age = day - self.onset
        if age < 0 or day >= self.ends:
            return 0.0
        if self.kind == "fire":
            return 0.9 * float(np.exp(-age / RECOVERY))
        return 0.9 * min(1.0, age / DYING) if self.kind == "dieback" else 0.9

    def visible(self, day: int) -> bool:
        """Whether a person would see it: it fills a quarter of its pixels."""
        return self.fill(day) >= VISIBLE


def plant_events(
    rng: np.random.Generator, shape: tuple[int, int], days: NDArray[np.int64], free: NDArray[np.bool_]
) -> list[Event]:
    """The events of a place, one of each kind, in its second half where it is ``free`` and apart from each other.

    ``days`` ``(dates,)``: of the looks, ascending.
    """
    begin = int(days[0] + (days[-1] - days[0]) * 0.45)
    later = days[days >= begin]
    events: list[Event] = []
    taken = ~free
    for kind, rows, cols in (
        ("fire", 22, 26),
        ("felled", 16, 20),
        ("dieback", 18, 18),
        ("spill", 10, 16),
        ("ship", 2, 5),
    ):
        place = _somewhere(rng, shape, rows, cols, taken, round_shape=kind in ("fire", "dieback"))
        taken |= _grown(place, 8)
        at = int(rng.integers(0, max(1, later.size // 4)))
        nights = {"spill": 2, "ship": 1}.get(kind)
        ends = int(later[at + nights]) if nights else int(days[-1]) + 1
        events.append(Event(kind, place, int(later[at]), ends))
    return events


def _somewhere(
    rng: np.random.Generator, shape: tuple[int, int], rows: int, cols: int, taken: NDArray[np.bool_], round_shape: bool
) -> NDArray[np.bool_]:
    """A rectangle or an ellipse of this size where nothing is taken; anywhere, where there is no such place."""
    r, c = np.mgrid[: shape[0], : shape[1]]
    place = np.zeros(shape, bool)
    for _ in range(200):
        row, col = (int(rng.integers(4, size - side - 4)) for size, side in zip(shape, (rows, cols), strict=True))
        if round_shape:
            radius = ((r - row - rows / 2) / (rows / 2)) ** 2 + ((c - col - cols / 2) / (cols / 2)) ** 2
            place = radius <= 1
        else:
            place = (r >= row) & (r < row + rows) & (c >= col) & (c < col + cols)
        if not taken[place].any():
            break
    return place


def _grown(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, iterations=reach))
