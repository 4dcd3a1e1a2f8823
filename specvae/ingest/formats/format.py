"""A format: how one kind of file, folder or archive becomes a product. Every format is one file here and one value.

To add one, write a file beside this one that ends in ``FORMAT = Format(...)`` and name it in ``registry.FORMATS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from specvae.ingest.options import IngestOptions
from specvae.ingest.product import Product
from specvae.ingest.source import Source

__all__ = ["Format"]


@dataclass(frozen=True)
class Format:
    """One kind of scene on disk."""

    name: str
    """What it is, in words, for a reader of the list."""
    product: Callable[[Source, IngestOptions], Product | None]
    """The product of a source; None where the source is of another format. Raises InputError for a damaged one."""
    folder_mark: re.Pattern[str] | None = None
    """Matches the name of a file that makes the folder it lies in one scene; None for a format of single files.

    Where its group ``product`` differs between the files of a folder, the folder holds several scenes and is none.
    """
    archive_mark: re.Pattern[str] | None = None
    """Matches the name of a member that makes a zip or tar file one scene; None for a format of single files."""
