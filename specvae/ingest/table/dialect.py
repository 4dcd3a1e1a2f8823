"""The dialect of a CSV file: encoding, delimiter, decimal mark, header, quoted newlines."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from dataclasses import dataclass

from specvae.errors import InputError

__all__ = ["Dialect", "read_dialect"]

HEAD = 1 << 20
"""Bytes that are looked at to decide the dialect."""
LARGEST_HEADER = 64 << 20
"""Bytes in which the first line must end."""
COLUMNS = 100_000
"""Columns from which a file is refused: what is meant is its transpose."""
SAMPLE = 200
"""Rows that are kept as a sample, and lines that are split where the file is no valid CSV."""
RECORDS = 500
"""Records that are parsed to decide the dialect."""
DELIMITERS = (",", ";", "\t", "|")
NUMBER = re.compile(r"^[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?$", re.I)
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Dialect:
    """How one CSV file is written."""

    encoding: str
    """As Python names it."""
    delimiter: str
    """The character between cells."""
    decimal: str
    """The decimal mark, ``.`` or ``,``."""
    names: tuple[str, ...]
    """Headers as they are written, or ``c1`` ... where the first row is data."""
    header_lines: int
    """Lines that the header takes; 0 where there is none."""
    quoted_newlines: bool
    """Whether a cell holds a line break."""
    rows: tuple[tuple[str, ...], ...]
    """The first rows as text."""


def read_dialect(path: str) -> Dialect:
    """What the first megabyte of a CSV file says. Raises InputError for one that is empty, binary or absurdly wide."""
    raw = _head(path)
    encoding = _encoding(raw, path)
    text = raw.decode(encoding, "replace")
    first = _first_record(text)
    delimiter = _delimiter(first)
    if first.count(delimiter) >= COLUMNS:
        raise InputError(f"{path} has {first.count(delimiter) + 1} columns, more than {COLUMNS}; a row is one spectrum")
    records = _records(text, delimiter, complete=len(raw) < HEAD)
    if not records:
        raise InputError(f"{path} is empty; expected a header and a row for each spectrum")
    header = _is_header(records[0])
    names = tuple(cell.strip() for cell in records[0]) if header else tuple(f"c{i + 1}" for i in range(len(records[0])))
    # `header` is 1 or 0 here: rows begin behind it.
    rows = tuple(tuple(row) for row in records[header:SAMPLE])
    lines = first.rstrip("\r\n").count("\n") + 1 if header else 0
    quoted = any("\n" in cell for row in records for cell in row)
    return Dialect(encoding, delimiter, _decimal(rows, delimiter), names, lines, quoted, rows)


def _head(path: str) -> bytes:
    """The first megabyte, or as much as the first line needs."""
    try:
        with open(path, "rb") as file:
            raw = file.read(HEAD)
            while raw and b"\n" not in raw and b"\r" not in raw and len(raw) < LARGEST_HEADER:
                more = file.read(HEAD)
                if not more:
                    break
                raw += more
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if not raw.strip():
        raise InputError(f"{path} is empty; expected a header and a row for each spectrum")
    return raw


def _encoding(raw: bytes, path: str) -> str:
    """The encoding: by a byte order mark, else UTF-8 where that decodes, else Latin-1, which decodes anything."""
    for mark, name in BOMS:
        if raw.startswith(mark):
            return name
    if b"\0" in raw:
        raise InputError(f"{path} is no text; expected CSV, or Parquet with the ending .parquet")
    try:
        # Up to the last line break, for the megabyte read may end inside a character of several bytes.
        raw[: raw.rfind(b"\n") + 1 or len(raw)].decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _first_record(text: str) -> str:
    """The first line, or as many as an open quote takes."""
    lines, quotes = [], 0
    for line in io.StringIO(text.lstrip("\ufeff")):
        lines.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0:
            break
    return "".join(lines)


def _delimiter(first: str) -> str:
    """The delimiter of a first record: the commonest, but a semicolon where the commas are decimal marks."""
    bare = re.sub(r'"[^"]*"', "", first)
    counts = {mark: bare.count(mark) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: counts[mark])
    # Hardly any text holds tabs: where there are as many as of another mark, that mark is part of the text.
    if counts["\t"] and counts["\t"] >= counts[best]:
        return "\t"
    if counts[";"] and best == "," and _decimals(bare):
        return ";"
    return best


def _decimals(first: str) -> bool:
    """Whether the commas of a line with semicolons are decimal marks in it."""
    return all(NUMBER.match(part.strip()) or "," not in part for part in first.split(";"))


def _records(text: str, delimiter: str, *, complete: bool) -> list[list[str]]:
    """The first records as cells; without the last where the text is not ``complete``, for it may be cut short."""
    # Python allows 128 KiB a cell, which an outline of a field in WKT exceeds; 16 MiB still bounds a quote never
    # closed.
    csv.field_size_limit(1 << 24)
    try:
        reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
        records = [row for row, _ in zip(reader, range(RECORDS), strict=False) if row]
    except csv.Error:
        records = [line.split(delimiter) for line in text.lstrip("\ufeff").splitlines()[:SAMPLE]]
    return records if complete or len(records) < 2 or len(records) >= RECORDS else records[:-1]


def _is_header(first: list[str]) -> bool:
    """Whether a first row is a header: it is, unless it is all numbers that are no ordered wavelengths."""
    numbers = [float(cell.replace(",", ".")) for cell in first if NUMBER.match(cell.strip())]
    if len(numbers) < len(first):
        return True
    pairs = list(itertools.pairwise(numbers))
    # The first row of many spectral tables is their wavelengths, without a word before them.
    ordered = all(a <= b for a, b in pairs) or all(a >= b for a, b in pairs)
    wavelengths = all(0.3 <= n <= 30_000 for n in numbers) and max(numbers) > 100
    return len(numbers) > 2 and ordered and wavelengths and max(numbers) > min(numbers)


def _decimal(rows: tuple[tuple[str, ...], ...], delimiter: str) -> str:
    """The decimal mark: a comma where more cells look like 0,123 than like 0.123."""
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(bool(re.match(r"^[+-]?\d*,\d+(?:e[+-]?\d+)?$", cell, re.I)) for cell in cells)
    points = sum(bool(re.match(r"^[+-]?\d*\.\d+(?:e[+-]?\d+)?$", cell, re.I)) for cell in cells)
    return "," if commas > points else "."
