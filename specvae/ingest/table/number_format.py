"""The format of numbers in text: the decimal mark and the separator of thousands, decided from all cells together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from specvae.ingest.decision import Decision, undecided

__all__ = ["POINTS", "NumberFormat", "decide_numbers"]

Column: TypeAlias = pa.Array | pa.ChunkedArray
BLANKS = " '\u00a0\u202f\u2019"
"""Separators of thousands that are no decimal marks anywhere: blanks of several widths, and the Swiss apostrophe."""
GROUPS = {mark: re.compile(rf"^[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+$") for mark in (",", ".", *BLANKS)}
"""A whole number in groups of three digits, by the mark between them."""
NUMBER_LIKE = re.compile(rf"^[+-]?([\d.,{BLANKS}]*\d[.,]?)(?:[eE][+-]?\d+)?$")
"""A cell that may be a number in some format; its digits and marks without sign and exponent."""
SINGLE = re.compile(r"^\d*([.,])\d*$")
"""Digits around one mark."""
FEWEST = 5
"""Cells in groups of three, at least, before they are taken for thousands."""


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a table of text are written."""

    decimal: str = "."
    """The decimal mark, ``.`` or ``,``."""
    thousands: str = ""
    """The mark between groups of three digits; empty where there is none."""

    def plain(self, text: Column) -> Column:
        """Cells with decimal points and without separators of thousands; a cell that is no number may be anything."""
        if self.thousands:
            mark, decimal = re.escape(self.thousands), re.escape(self.decimal)
            grouped = rf"^\s*[+-]?\d{{1,3}}(?:{mark}\d{{3}})+(?:{decimal}\d*)?(?:[eE][+-]?\d+)?\s*$"
            bare = pc.replace_substring(text, self.thousands, "")
            text = pc.if_else(pc.match_substring_regex(text, grouped), bare, text)
        return pc.replace_substring(text, ",", ".") if self.decimal == "," else text

    def __str__(self) -> str:
        words = {".": "points", ",": "commas"}
        between = {**words, "'": "apostrophes", "\u2019": "apostrophes"}.get(self.thousands, "blanks")
        return f"decimal {words[self.decimal]}" + (f" and thousands {between}" if self.thousands else "")


POINTS = NumberFormat()
"""Decimal points and no separator of thousands, as programs write numbers."""


@dataclass
class _Marks:
    """Counts of cells by how their numbers are written."""

    sure: Counter[NumberFormat] = field(default_factory=Counter)
    """Cells that can be read in one way only, such as ``1.234,5`` or ``1,234,567``."""
    whole: int = 0
    """Cells of digits alone."""
    blanks: Counter[str] = field(default_factory=Counter)
    """Whole numbers such as ``1 234``, by the mark between their groups."""
    loose: Counter[str] = field(default_factory=Counter)
    """Cells such as ``0,12``, whose only mark does not stand before a group of three, by the mark."""
    grouped: Counter[str] = field(default_factory=Counter)
    """Cells such as ``1,234``, which may be 1234 or 1.234, by the mark."""

    def votes(self, decimal: str) -> int:
        """Cells that say that this is the decimal mark."""
        return self.loose[decimal] + sum(n for form, n in self.sure.items() if form.decimal == decimal)

    def between(self, decimal: str) -> str:
        """The separator of thousands beside this decimal mark; empty where no cell has one for sure."""
        marks = Counter({form.thousands: n for form, n in self.sure.items() if form.decimal == decimal}) + self.blanks
        return marks.most_common(1)[0][0] if marks else ""


def decide_numbers(cells: Iterable[str], delimiter: str, asked: str, path: str) -> tuple[NumberFormat, Decision | None]:
    """How numbers are written, and the decision where it was one. ``asked``: ``auto``, ``point`` or ``comma``.

    Raises InputError where the evidence is even.
    """
    marks = _counted(cells)
    if asked != "auto":
        decimal, other = (",", ".") if asked == "comma" else (".", ",")
        numbers = NumberFormat(decimal, marks.between(decimal) or (other if marks.grouped[other] else ""))
        return numbers, Decision("format", str(numbers), f"the option --decimal {asked}")
    commas, points = marks.votes(","), marks.votes(".")
    if commas > points:
        numbers = NumberFormat(",", marks.between(",") or ("." if marks.grouped["."] and not marks.loose["."] else ""))
        return numbers, Decision("format", str(numbers), "cells such as 0,12", ("text",), "--decimal point", True)
    if points or marks.grouped["."] + marks.grouped[","] < FEWEST:
        separator = marks.between(".") or ("," if marks.grouped[","] else "")
        return _with_points(separator, "cells such as 1,234 beside others such as 0.12")
    return _from_groups(marks, delimiter, path)


def _with_points(separator: str, evidence: str) -> tuple[NumberFormat, Decision | None]:
    """Decimal points; a decision where thousands are separated too."""
    numbers = NumberFormat(".", separator)
    return numbers, Decision("format", str(numbers), evidence, guessed=True) if separator else None


def _from_groups(marks: _Marks, delimiter: str, path: str) -> tuple[NumberFormat, Decision | None]:
    """The format of a table whose only marks stand before groups of three digits. Raises InputError where none is likelier."""
    points, commas = marks.grouped["."], marks.grouped[","]
    if commas > points and marks.whole:
        return _with_points(",", "cells such as 1,234, and whole numbers below 1000 without a mark")
    # Three digits behind every point are how most programs round; a semicolon beside them comes from a program that
    # writes decimal commas, and then the point separates thousands.
    if points > commas and delimiter != ";":
        return POINTS, None
    mark = "." if points > commas else ","
    whole, small = ("comma", "point") if mark == "." else ("point", "comma")
    readings = (f"1234: --decimal {whole}", f"1.234: --decimal {small}")
    raise undecided(path, f"what a number such as 1{mark}234 means", readings, "--decimal")


def _counted(cells: Iterable[str]) -> _Marks:
    """How the numbers among the cells are written."""
    marks = _Marks()
    for cell in (cell.strip() for cell in cells):
        hit = NUMBER_LIKE.match(cell)
        if not hit:
            continue
        digits = hit.group(1)
        if digits.isdigit():
            marks.whole += 1
        elif form := _only_reading(digits):
            marks.sure[form] += 1
        elif blank := next((mark for mark in BLANKS if GROUPS[mark].match(digits)), None):
            marks.blanks[blank] += 1
        elif single := SINGLE.match(digits):
            counts = marks.grouped if GROUPS[single.group(1)].match(digits) else marks.loose
            counts[single.group(1)] += 1
    return marks


def _only_reading(digits: str) -> NumberFormat | None:
    """The format of a number that can be read in one way only; None where it can be read in more, or in none."""
    for mark, decimal in ((",", "."), (".", ",")):
        if digits.count(mark) > 1 and GROUPS[mark].match(digits):
            return NumberFormat(decimal, mark)
    for mark in (",", ".", *BLANKS):
        for decimal in (",", "."):
            head, found, tail = digits.rpartition(decimal)
            if found and mark != decimal and (tail.isdigit() or not tail) and GROUPS[mark].match(head):
                return NumberFormat(decimal, mark)
    return None
