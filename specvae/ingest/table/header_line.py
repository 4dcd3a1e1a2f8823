"""The line of a table's header among its first records: behind notes and empty lines, with or without row names."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from specvae.errors import one_line
from specvae.ingest.decision import Decision
from specvae.ingest.table.wave_names import WAVE_NAMES

__all__ = ["COMMENT", "Header", "Record", "find_header"]

NUMBER = re.compile(r"^[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?$", re.I)
COMMENT = re.compile(r"^\s*(?:#|%|//|!|;)\s*")
"""How a line begins that says something about a table without being part of it."""
ABOUT_BANDS = re.compile(
    r"^(?:fwhm|(?:band[_ ]?)?widths?|bbl|(?:good|bad)[_ ]?bands?(?:[_ ]?list)?)(?:[_ ]*[(\[]?(?:nm|um|µm|μm)[)\]]?)?$",
    re.I,
)
"""Words before the numbers of a line that says something about the bands: their widths, or which are good."""
FEWEST_RUNNING = 8
"""Numbers in a row, at least, whose running on is no chance."""
ROW_NAME = "row_name"
"""The column of names that R writes before each row and not into the header."""


@dataclass(frozen=True)
class Record:
    """One line of a table, or several where a quoted cell holds line breaks."""

    line: int
    """The 1-based line of the file in which it ends, counted behind a line ``sep=;``."""
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """The columns of a table of text, and where its rows begin."""

    names: tuple[str, ...]
    """Headers as they are written, or ``c1`` ... where the first row is data."""
    lines: int
    """Lines of the file before the first row."""
    first: int
    """The first row among the records that were looked at."""
    decisions: tuple[Decision, ...] = ()


def find_header(records: Sequence[Record], lines_before: int = 0) -> Header:
    """The header among the first records of a table.

    It is the first record that is as wide as most records are, or narrower by one where R wrote row names, and that is
    not almost empty. ``lines_before``: lines of the file before those that the records count.
    """
    records, width = [_unmarked(record) for record in records], _width(records)
    at = next((i for i, record in enumerate(records) if _may_be_header(record, records[i + 1 :], width)), 0)
    record, decisions = records[at], []
    cells = record.cells
    comment = COMMENT.match(cells[0]) if cells else None
    if comment and not (NUMBER.match(cells[0][comment.end() :].strip()) and len(cells) == 1):
        cells = (cells[0][comment.end() :], *cells[1:])
    if at:
        decisions.append(_passed_over(records[:at], record.line + lines_before))
    rest = [r.cells for r in records[at + 1 :]]
    named = _is_header(cells) or _unlike_rows(cells, rest)
    lines = record.line if named else records[at - 1].line if at else 0
    names = tuple(cell.strip() for cell in cells) if named else tuple(f"c{i + 1}" for i in range(len(cells)))
    if named and len(cells) == width - 1 and at + 1 < len(records):
        names, how = _row_names(names, rest)
        decisions.append(how)
    if named:
        names, behind, about = _about_bands(names, records[at + 1 :])
        decisions += about
        at, lines = at + behind, records[at + behind].line
    else:
        chosen = "the first row is data, not a header: columns are called c1, c2, ..."
        decisions.append(Decision("header", chosen, "its cells, all numbers", ("a header",), guessed=True))
    return Header(names, lines + lines_before, at + named, tuple(decisions))


def _unmarked(record: Record) -> Record:
    """A record without a first cell that only marks a comment: ``; ID X Y B1`` between blanks."""
    first = record.cells[0] if record.cells else ""
    mark = COMMENT.match(first)
    return (
        Record(record.line, record.cells[1:]) if mark and mark.end() == len(first) and len(record.cells) > 1 else record
    )


def _width(records: Sequence[Record]) -> int:
    """The number of cells that most records have, the larger where two are as common."""
    counts = Counter(len(record.cells) for record in records)
    return max(counts, key=lambda width: (counts[width], width))


def _may_be_header(record: Record, rest: Sequence[Record], width: int) -> bool:
    """Whether a record may be the header of a table of ``width`` columns, with these records behind it."""
    cells = record.cells
    # The lines of a preamble may be as wide by chance; those below a header are rows.
    if any(len(below.cells) != width for below in rest[:2]) and any(len(below.cells) == width for below in rest[2:6]):
        return False
    filled = sum(bool(cell.strip()) for cell in cells)
    # Excel fills notes above a table up to its width with empty cells.
    if len(cells) == width:
        return 2 * filled >= width or not any(2 * sum(bool(c.strip()) for c in r.cells) >= width for r in rest[:20])
    narrower = len(cells) == width - 1 and width > 2 and filled == len(cells)
    return narrower and bool(rest) and len(rest[0].cells) == width and _is_header(cells)


def _passed_over(records: Sequence[Record], line: int) -> Decision:
    """The decision about the lines before a header."""
    said = [one_line(" ".join(record.cells), 60) for record in records]
    chosen = (
        f"the table begins in line {line}; passed over before it: {'; '.join(said[:3])}{'; ...' if said[3:] else ''}"
    )
    comments = all(COMMENT.match(text) for text in said)
    return Decision("header", chosen, "the number of cells in its lines", guessed=not comments)


def _row_names(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], Decision]:
    """The names where rows have one cell more than the header: row names in front, or a delimiter at the end of each row."""
    if all(not row[-1].strip() for row in rows if len(row) == len(names) + 1):
        chosen = "a delimiter at the end of each row is no column"
        return (*names, ""), Decision("header", chosen, "rows with one cell more than the header, which is empty")
    chosen = f"the first column holds row names; it is called {ROW_NAME}"
    return (ROW_NAME, *names), Decision("header", chosen, "a header with one name less than the rows have cells")


def _numbers(cells: Sequence[str]) -> list[float]:
    """The cells that are numbers."""
    return [float(cell.strip().replace(",", ".")) for cell in cells if NUMBER.match(cell.strip())]


def _unlike_rows(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a row of different numbers is a header, unlike the next rows: wavelengths far above these, or micrometres.

    Numbers from .2 to 30 that run on from the first to the last are micrometres where those of no other row do.
    """
    numbers = _numbers(first)
    if len(numbers) == len(first) >= FEWEST_RUNNING and min(numbers) >= 0.2 and max(numbers) <= 30:
        rows = [_numbers(row) for row in rest[:50]]
        others = [row for row in rows if _runs(row)]
        if len(rows) > 2 and _runs(numbers) and (not others or (_even(numbers) and not any(map(_even, others)))):
            return True
    below = [number for row in rest[:50] for number in _numbers(row)]
    different = len(set(numbers)) == len(numbers) > 2
    return (
        different and bool(below) and min(numbers) >= 300 and max(numbers) <= 30_000 and max(below) < min(numbers) / 10
    )


def _runs(numbers: Sequence[float]) -> bool:
    """Whether each number is larger than the one before, or each smaller."""
    pairs = list(itertools.pairwise(numbers))
    return bool(pairs) and (all(a < b for a, b in pairs) or all(a > b for a, b in pairs))


def _even(numbers: Sequence[float]) -> bool:
    """Whether the steps from number to number are alike, as those of a list of wavelengths are and of no spectrum."""
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    mean = sum(steps) / len(steps)
    return all(abs(step - mean) <= abs(mean) / 4 for step in steps)


def _about_bands(names: tuple[str, ...], rest: Sequence[Record]) -> tuple[tuple[str, ...], int, list[Decision]]:
    """The names after the lines behind a header that say something about the bands, how many these are, and the decisions."""
    decisions: list[Decision] = []
    behind = 0
    if (waves := _wavelength_row(names, [record.cells for record in rest])) is not None:
        names, behind = waves, 1
        chosen = "the line behind the header holds wavelengths, which name the bands"
        decisions.append(Decision("header", chosen, "its numbers, which run on", ("a row",), guessed=True))
    widths = list(itertools.takewhile(lambda record: _holds_widths(record.cells), rest[behind : behind + 2]))
    if widths and len(rest) > behind + len(widths):
        chosen = f"the line behind the header ({one_line(widths[0].cells[0], 20)}) is about the bands and no spectrum"
        decisions.append(Decision("header", chosen, "the word in it", ("a row",), guessed=True))
    return names, behind + len(widths), decisions


def _holds_widths(cells: Sequence[str]) -> bool:
    """Whether a line holds the widths or flags of bands, by the word in it beside numbers alone."""
    words = [cell.strip() for cell in cells if cell.strip() and not NUMBER.match(cell.strip())]
    return len(words) == 1 and bool(ABOUT_BANDS.match(words[0])) and len(_numbers(cells)) > 1


def _wavelength_row(names: tuple[str, ...], rest: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """The names with wavelengths in place of those of bands, where the first row holds these; None where it does not."""
    if len(rest) < 2 or len(rest[0]) != len(names) or len(_numbers(names)) > 1:
        return None
    at = [i for i, cell in enumerate(rest[0]) if NUMBER.match(cell.strip())]
    waves, below = (
        _numbers(rest[0]),
        [number for row in rest[1:50] for number in _numbers([row[i] for i in at if i < len(row)])],
    )
    pairs = list(itertools.pairwise(waves))
    runs = len(waves) > 2 and (all(a < b for a, b in pairs) or all(a > b for a, b in pairs))
    if not runs or not below or min(waves) < 300 or max(waves) > 30_000:
        return None
    said = any(WAVE_NAMES.match(cell.strip()) for i, cell in enumerate(rest[0]) if i not in at)
    if not said and max(map(abs, below)) > min(waves) / 10:
        return None
    return tuple(rest[0][i].strip() if i in at else name for i, name in enumerate(names))


def _is_header(first: Sequence[str]) -> bool:
    """Whether a first row is a header: it is, unless it is all numbers that are no ordered wavelengths."""
    numbers = [float(cell.replace(",", ".")) for cell in first if NUMBER.match(cell.strip())]
    if len(numbers) < len(first):
        return True
    pairs = list(itertools.pairwise(numbers))
    # Of a frame without names, pandas writes the positions of its columns.
    if len(numbers) > 2 and any(numbers == list(range(first, first + len(numbers))) for first in (0, 1)):
        return True
    # The first row of many spectral tables is their wavelengths, without a word before them.
    ordered = all(a <= b for a, b in pairs) or all(a >= b for a, b in pairs)
    wavelengths = all(0.3 <= n <= 30_000 for n in numbers) and max(numbers) > 100 >= max(numbers) / min(numbers)
    return len(numbers) > 2 and ordered and wavelengths and max(numbers) > min(numbers)
