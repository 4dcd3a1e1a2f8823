"""The dialect of a CSV file: encoding, delimiter, where its header stands, how its numbers are written, quoted newlines."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import BinaryIO, cast

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.table.header_line import Header, Record, find_header
from specvae.ingest.table.number_format import NumberFormat, decide_numbers

__all__ = ["Dialect", "between_blanks", "is_gzip", "last_lines", "open_text", "read_dialect"]

HEAD = 1 << 20
"""Bytes that are looked at to decide the dialect."""
LARGEST_HEADER = 64 << 20
"""Bytes in which the first line must end."""
COLUMNS = 100_000
"""Columns from which a file is refused: what is meant is its transpose."""
SAMPLE = 200
"""Rows that are a sample, and lines that are split where the file is no valid CSV."""
RECORDS = 500
"""Records that are parsed to decide the dialect."""
DELIMITERS = (",", ";", "\t", "|")
NUMBER = re.compile(r"^[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?$", re.I)
BOMS = (
    # Before UTF-16, whose mark is the beginning of that of UTF-32.
    *((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
)
ZEROS = (0.4, 0.02)
"""Least share of zero bytes in one place of each pair, and most in the other, of text in UTF-16 without a mark."""
TAIL = 1 << 18
"""Bytes at the end of a file that are looked at for its last lines."""
SEPARATOR = re.compile(r"^\ufeff?\"?sep=(.)\"?[^\S\n]*\r?\n", re.I)
"""The line with which Excel is told the delimiter."""


@dataclass(frozen=True)
class Dialect:
    """How one CSV file is written."""

    encoding: str
    """As Python names it."""
    delimiter: str
    """The character between cells; a blank for any run of blanks."""
    numbers: NumberFormat
    """The decimal mark and the separator of thousands."""
    header: Header
    """The names of the columns, and where the rows begin."""
    quoted_newlines: bool
    """Whether a cell holds a line break."""
    decisions: tuple[Decision, ...]
    """What was decided on more than the text itself says."""


def read_dialect(path: str, decimal: str = "auto") -> Dialect:
    """What the first megabyte of a CSV file says. Raises InputError for one that is empty, binary or absurdly wide.

    ``decimal``: the decimal mark that the options name, ``point`` or ``comma``; ``auto``, as the cells have it.
    """
    raw = _head(path)
    encoding = _encoding(raw, path)
    text = raw.decode(encoding, "replace").lstrip("\ufeff")
    if stated := SEPARATOR.match(text):
        text = text[stated.end() :]
    delimiter = stated.group(1) if stated else _delimiter(text)
    records = _records(text, delimiter, complete=len(raw) < HEAD)
    if not records:
        raise InputError(f"{path} is empty; expected a header and a row for each spectrum")
    widest = max(len(record.cells) for record in records)
    if widest > COLUMNS:
        raise InputError(f"{path} has {widest} columns, more than {COLUMNS}; a row is one spectrum")
    header = find_header(records, int(stated is not None))
    rows = [record.cells for record in records[header.first : header.first + SAMPLE]]
    numbers, how = decide_numbers((cell for row in rows for cell in row), delimiter, decimal, path)
    quoted = any("\n" in cell for record in records for cell in record.cells)
    decisions = (*_encoded(encoding), *header.decisions, *([how] if how else []))
    return Dialect(encoding, delimiter, numbers, header, quoted, decisions)


def _encoded(encoding: str) -> tuple[Decision, ...]:
    """The decision about an encoding that nothing states."""
    if encoding not in ("utf-16-le", "utf-16-be"):
        return ()
    chosen = f"text in {encoding.upper()} without a mark at its beginning"
    return (Decision("format", chosen, "its pattern of zero bytes", guessed=True),)


def is_gzip(path: str) -> bool:
    """Whether a file is compressed by gzip, by its first bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"\x1f\x8b"
    except OSError:
        return False


def open_text(path: str) -> BinaryIO:
    """The bytes of a text file, unpacked where it is compressed by gzip."""
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip(path) else open(path, "rb")


def _head(path: str) -> bytes:
    """The first megabyte, or as much as the first line needs."""
    try:
        with open_text(path) as file:
            raw = file.read(HEAD)
            while raw and b"\n" not in raw and b"\r" not in raw and len(raw) < LARGEST_HEADER:
                more = file.read(HEAD)
                if not more:
                    break
                raw += more
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not raw.strip():
        raise InputError(f"{path} is empty; expected a header and a row for each spectrum")
    return raw


def _encoding(raw: bytes, path: str) -> str:
    """The encoding: by a byte order mark, else UTF-8 where that decodes, else Latin-1, which decodes anything."""
    for mark, name in BOMS:
        if raw.startswith(mark):
            return name
    if b"\0" in raw:
        if pattern := _by_zeros(raw[: 1 << 16]):
            return pattern
        raise InputError(f"{path} is no text; expected CSV, or Parquet with the ending .parquet")
    try:
        # Up to the last line break, for the megabyte read may end inside a character of several bytes.
        raw[: raw.rfind(b"\n") + 1 or len(raw)].decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _by_zeros(raw: bytes) -> str:
    """UTF-16 in the order of bytes that the pattern of zeros says, since Latin letters have one each; empty for neither."""
    pairs = max(1, len(raw) // 2)
    halves = raw[0::2], raw[1::2]
    first, second = (half.count(0) / pairs for half in halves)
    if second >= ZEROS[0] and first <= ZEROS[1] and _is_printed(halves[0]):
        return "utf-16-le"
    return "utf-16-be" if first >= ZEROS[0] and second <= ZEROS[1] and _is_printed(halves[1]) else ""


def _is_printed(raw: bytes) -> bool:
    """Whether bytes are those of text: hardly one is a control character other than blanks and line breaks."""
    controls = sum(raw.count(code) for code in range(1, 32) if code not in (9, 10, 13))
    return controls <= ZEROS[1] * len(raw)


def between_blanks(line: str) -> tuple[str, ...]:
    """The cells of a line between blanks, of which those in quotes may hold blanks."""
    if '"' not in line:
        return tuple(line.split())
    try:
        cells = next(csv.reader([line.strip()], delimiter=" ", skipinitialspace=True), [])
    except csv.Error:
        return tuple(line.split())
    return tuple(cells)


def last_lines(path: str, encoding: str, skip: int) -> tuple[list[str], bool]:
    """The last lines of a file, and whether these are all behind the first ``skip``; none where it cannot be read."""
    try:
        with open_text(path) as file:
            if is_gzip(path):
                raw, whole = b"", True
                while piece := file.read(TAIL):
                    whole = whole and not raw
                    raw = (raw + piece)[-TAIL:]
            else:
                start = max(0, os.path.getsize(path) - TAIL) // 4 * 4
                file.seek(start)
                raw, whole = file.read(), not start
    except (OSError, EOFError, zlib.error):
        return [], False
    bare = encoding if whole or encoding not in ("utf-16", "utf-32") else ""
    if not bare:  # without the mark at its beginning, nothing says the order of its bytes
        return [], False
    lines = raw.decode(bare, "replace").splitlines()
    return (lines[skip:], True) if whole else (lines[1:], False)


def _delimiter(text: str) -> str:
    """The delimiter: the mark of which most lines hold the same number, rather a semicolon where commas are decimal marks.

    The lines before a header, which say something about an instrument or a date, are few beside the rows.
    """
    lines = [re.sub(r'"[^"]*"', "", line) for line in text.splitlines()[:SAMPLE] if line.strip()]
    lines = lines[:-1] if len(lines) > 2 else lines  # the last one may be cut short
    usual: dict[str, tuple[int, int]] = {}
    for mark in DELIMITERS:
        count, times = Counter(line.count(mark) for line in lines).most_common(1)[0] if lines else (0, 0)
        usual[mark] = (times if count else 0, count)
    best = max(DELIMITERS, key=lambda mark: usual[mark])
    # Hardly any text holds tabs: where there are as many as of another mark, that mark is part of the text.
    if usual["\t"][1] and usual["\t"] >= usual[best]:
        return "\t"
    if usual[";"][1] and best == "," and all(map(_decimals, lines[1:] or lines)):
        return ";"
    if not usual[best][0]:
        return " " if _in_columns(lines) else _commonest(lines)
    return best


def _commonest(lines: list[str]) -> str:
    """The mark that the first line holds most often, where the lines agree on none."""
    return max(DELIMITERS, key=lambda mark: lines[0].count(mark)) if lines else ","


def _in_columns(lines: list[str]) -> bool:
    """Whether the last lines are numbers with blanks between them."""
    last = [line.split() for line in lines[-5:]]
    return bool(last) and all(len(cells) > 1 and all(NUMBER.match(cell) for cell in cells[1:]) for cells in last)


def _decimals(line: str) -> bool:
    """Whether the commas of a line with semicolons are decimal marks in it."""
    return all(NUMBER.match(part.strip()) or "," not in part for part in line.split(";"))


def _records(text: str, delimiter: str, *, complete: bool) -> list[Record]:
    """The first records as cells; without the last where the text is not ``complete``, for it may be cut short."""
    # Python allows 128 KiB a cell, which an outline of a field in WKT exceeds; 16 MiB still bounds a quote never
    # closed.
    csv.field_size_limit(1 << 24)
    lines = text.splitlines()
    if delimiter == " ":
        records = [Record(at, between_blanks(line)) for at, line in enumerate(lines[:RECORDS], 1) if line.strip()]
    else:
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            rows = (Record(reader.line_num, tuple(row)) for row in reader if row)
            records = [record for record, _ in zip(rows, range(RECORDS), strict=False)]
        except csv.Error:
            records = [Record(at, tuple(line.split(delimiter))) for at, line in enumerate(lines[:SAMPLE], 1)]
    return records if complete or len(records) < 2 or len(records) >= RECORDS else records[:-1]
