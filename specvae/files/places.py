"""Places of outputs: the folder that ``--out`` names, and what lies below it."""

from __future__ import annotations

from pathlib import Path

from specvae.files.store_address import is_store, mirror_of, refuse_store

__all__ = ["local_place", "output_place", "shown_place"]


def output_place(out: str | Path, *below: str) -> Path:
    """The folder ``out``, or the place ``below`` it, such as that of a scene by its key.

    Of an address in object storage it is the place in its mirror on this machine. Every command and pipeline asks here for
    where an output goes and where an earlier one lies, so that what ``out`` may be is decided once.

    Examples
    --------
    >>> output_place("reports", "site/tonight").as_posix()
    'reports/site/tonight'
    """
    return mirror_of(str(out)).joinpath(*below) if is_store(out) else Path(out, *below)


def shown_place(out: str | Path, *below: str) -> str:
    """The place as people know it: a path, or the address in object storage.

    Examples
    --------
    >>> shown_place("s3://bucket/reports/", "tonight")
    's3://bucket/reports/tonight'
    """
    return "/".join([str(out).rstrip("/"), *below]) if is_store(out) else str(Path(out, *below))


def local_place(out: str | Path, *below: str) -> Path:
    """The place of an output that is written to this machine alone. Raises UsageError for object storage."""
    refuse_store(Path(out))
    return Path(out, *below)
