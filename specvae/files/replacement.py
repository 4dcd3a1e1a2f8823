"""Replacement: whether an output is made, is done already, or may not take the place of what stands there."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

__all__ = ["Replacement", "replacement"]


class Replacement(Enum):
    """What is to happen where an output would go."""

    MAKE = "make"
    """Make it, in the place of whatever stands there."""
    DONE = "done"
    """It stands there already, made from the same inputs, model and settings: nothing is touched."""
    REFUSE = "refuse"
    """Something else stands there, which may not be replaced."""


def replacement(
    exists: bool, unchanged: Callable[[], bool], *, overwrite: bool = False, renew: bool = False
) -> Replacement:
    """What is to happen where an output would go.

    Parameters
    ----------
    exists
        Whether something stands there.
    unchanged
        Whether it was made from the same inputs, model and settings. It is called only where that matters, for
        it takes seconds where files are large.
    overwrite
        Make it in any case.
    renew
        Replace what was made otherwise, and only that.

    Examples
    --------
    >>> replacement(True, lambda: True).value, replacement(True, lambda: False).value
    ('done', 'refuse')
    >>> replacement(True, lambda: True, overwrite=True).value, replacement(True, lambda: False, renew=True).value
    ('make', 'make')
    """
    if overwrite or not exists:
        return Replacement.MAKE
    if unchanged():
        return Replacement.DONE
    return Replacement.MAKE if renew else Replacement.REFUSE
