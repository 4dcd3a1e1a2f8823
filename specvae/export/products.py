"""The products of a score: which of the registry's result files it computes and writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specvae.errors import UsageError
from specvae.export.contents import PRODUCTS, REPORT, ResultFile

__all__ = ["Products"]


@dataclass(frozen=True)
class Products:
    """The products that a score writes; a result file is ``in`` them or is neither computed nor written.

    Examples
    --------
    >>> from specvae.export.contents import PAGE, QUICKLOOK
    >>> some = Products.of(["page, score"])
    >>> some.names, PAGE in some, QUICKLOOK in some
    (('score', 'page', 'report'), True, False)
    """

    names: tuple[str, ...] = PRODUCTS
    """In the order of :data:`PRODUCTS`."""

    @classmethod
    def of(cls, lists: Iterable[str]) -> Products:
        """The products of some lists of names with commas between them; of no list, all products.

        Raises UsageError for a name that is none.
        """
        entries = tuple(lists)
        if not entries:
            return cls()
        asked = {name.strip() for entry in entries for name in entry.split(",")}
        unknown = [name for name in sorted(asked) if name not in PRODUCTS]
        if unknown:
            raise UsageError(f"products has no {', '.join(map(repr, unknown))}; use {', '.join(PRODUCTS)}")
        # What a scene came to and that it is done must be known of every result: the report cannot be chosen away.
        return cls(tuple(name for name in PRODUCTS if name in asked or name == REPORT.product))

    def __contains__(self, file: ResultFile) -> bool:
        return file.product in self.names
