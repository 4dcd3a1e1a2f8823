"""Which states of a place stay on the disk, so that a date that comes late does not cost the whole past."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["checkpoints_of", "first_to_go_on_from"]

STEPS = (4, 16, 64)
"""Dates between the states that stay; of each step the last two, so that one is older than any date up to a step ago."""


def checkpoints_of(dates: int) -> list[int]:
    """After how many dates the state stays on the disk once there are so many, the most first.

    After the newest date and the one before, and after the last two multiples of each of STEPS. What stays after one more date is
    among these and that date: nothing is computed again for its own sake, and a date that comes ``n`` dates late costs at most
    eight nights where n is up to 4, 32 where it is up to 16, and 128 where it is up to 64.

    Examples
    --------
    >>> checkpoints_of(61)
    [61, 60, 56, 48, 32]
    >>> checkpoints_of(3)
    [3, 2]
    """
    multiples = [dates // step * step - back for step in STEPS for back in (0, step)]
    return sorted({count for count in (dates, dates - 1, *multiples) if count > 0}, reverse=True)


def first_to_go_on_from(stored: Sequence[int], same: int, dates: int) -> int:
    """After how many dates to go on, of the states ``stored``, where the first ``same`` dates are as they were; 0 = from none.

    The states that are to stay after ``dates`` dates and are not computed anew must be there too.
    """
    wanted = checkpoints_of(dates)
    for count in sorted(stored, reverse=True):
        if count <= same and all(earlier in stored for earlier in wanted if earlier <= count):
            return count
    return 0
