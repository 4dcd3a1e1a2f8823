"""Places of outputs: the folder that ``--out`` names, and what lies below it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["output_place"]


def output_place(out: str | Path, *below: str) -> Path:
    """The folder ``out``, or the place ``below`` it, such as that of a scene by its key.

    Every command and pipeline asks here for where an output goes and where an earlier one lies, so that what ``out``
    may be is decided once.

    Examples
    --------
    >>> output_place("reports", "site/tonight").as_posix()
    'reports/site/tonight'
    """
    return Path(out, *below)
