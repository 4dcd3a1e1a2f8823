"""Text for a cell of a CSV that no spreadsheet runs as a formula; light to import, for maps write no tables."""

from __future__ import annotations

import re

__all__ = ["DANGEROUS", "plain_text"]

INVISIBLE = "\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2060\u3000\ufeff"
"""Characters that a reader may pass over: spaces and controls, the same for Python's expressions and for Arrow's."""
DANGEROUS = f"^[{INVISIBLE}]*[=+\\-@\t\r]"
"""Text that spreadsheets take for a formula, and run."""


def plain_text(text: str) -> str:
    """A text that no spreadsheet runs as a formula: one that begins like it gets an apostrophe, as spreadsheets write it.

    Examples
    --------
    >>> plain_text("=1+1"), plain_text("red")
    ("'=1+1", 'red')
    """
    return f"'{text}" if re.match(DANGEROUS, text) else text
