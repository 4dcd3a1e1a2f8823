"""Text for a cell of a CSV that no spreadsheet runs as a formula; light to import, for maps write no tables."""

from __future__ import annotations

import re

__all__ = ["DANGEROUS", "plain_text"]

DANGEROUS = r"^[\s]*[=+\-@\t\r]"
"""Text that spreadsheets take for a formula, and run."""


def plain_text(text: str) -> str:
    """A text that no spreadsheet runs as a formula: one that begins like it gets an apostrophe, as spreadsheets write it.

    Examples
    --------
    >>> plain_text("=1+1"), plain_text("red")
    ("'=1+1", 'red')
    """
    return f"'{text}" if re.match(DANGEROUS, text) else text
