"""Headers of a table, and which columns are bands: by wavelengths, by the names of bands, else by what they hold."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from specvae.bands import Band
from specvae.errors import InputError, UsageError

__all__ = ["Column", "band_columns", "chosen_columns", "is_label"]

SERIES = re.compile(
    r"^(?P<before>[^\W\d][^\d]*?)?[ _\-.]*(?P<number>\d+(?:[.,]\d+)?)[ _]*(?P<unit>nm|um|µm|μm)?$", re.I
)
"""A header that is a number with or without a word before and a unit behind it: ``450``, ``B2``, ``Rrs_443nm``."""
WAVELENGTH_PREFIXES = (
    *("", "wl", "w", "wvl", "wave", "wavelength", "lambda", "l", "nm", "b", "band", "x"),
    *("r", "refl", "rfl", "rrs", "sr", "reflectance", "radiance"),
)
"""Words before a number that may be a wavelength."""
COLOURS = re.compile(
    r"(?:^|[_\-. ])(coastal|aerosol|blue|green|yellow|red|red_?edge|nir|swir|vnir|mir|tir|lwir|pan|cirrus)"
    r"[_\-. ]?(?:\d{0,2}|[a-z]?\d?)(?:$|[_\-. ])",
    re.I,
)
"""Headers that name a spectral band in words."""
NUMBERED = re.compile(r"^(?:sr_|toa_|s2_|l8_)?b(?:and)?_?\d{1,3}a?$", re.I)
"""Headers that number a band of a sensor."""
NOT_BANDS = re.compile(
    r"^(?:unnamed.*|index|idx|fid|oid|objectid|gid|uid|uuid|key|id|.*_id|id_.*|row|col|column|rows?|cols?|x|y|z|xx|yy|"
    r"lat|lon|lng|long|latitude|longitude|easting|northing|elevation|altitude|epsg|crs|geometry|wkt|geom|"
    r"date|time|datetime|timestamp|day|month|year|doy|hour|season|split|fold|set|subset|"
    r"label|labels|class|classes|target|truth|y_true|crop|species|landcover|land_cover|lc|is_.*|has_.*|anomaly|outlier|"
    r"normal|flag|qa.*|quality|scl|fmask|cloud.*|weight|count|n|"
    r"score|reconstruction|kl|p_value|anomaly)$",
    re.I,
)
"""Headers that name a place, a time, a label or a result rather than a band."""
LABEL = re.compile(r"^(?:label|labels|class|classes|target|truth|y_true|is_.*|anomaly|outlier|normal)$", re.I)
"""Those of them that may distinguish normal rows from others."""
LEAST_SERIES = 3
"""Headers that a family of numbers has at least, unless they carry a unit."""


@dataclass(frozen=True)
class Column:
    """What the first rows of a table say about one of its columns."""

    name: str
    numeric: bool
    """Whether every value seen is a number or missing, and one is a number."""
    flag: bool
    """Whether only 0 and 1 (or true and false) were seen."""
    counting: bool
    """Whether it goes up by one from row to row."""


def is_label(name: str) -> bool:
    """Whether a header reads like that of a label, which is no band."""
    return bool(LABEL.match(name.strip()))


def band_columns(
    columns: list[Column], asked: str | None, label: str | None, path: str
) -> tuple[list[int], list[Band]]:
    """Positions of the band columns and their bands. Raises InputError for a table without one.

    ``asked`` is the text of --bands, ``label`` the column of labels, which is no band.
    """
    if asked:
        at = chosen_columns([column.name for column in columns], asked)
        return at, [Band(columns[i].name, wavelength_of(columns[i].name)) for i in at]
    numeric = [i for i, column in enumerate(columns) if column.numeric and column.name != label]
    # From the surest sign to the weakest: the first rule that recognises columns decides alone, without the others.
    for recognise in (_series, _coloured, _other_numbers):
        at, wavelengths = recognise(columns, numeric)
        if at:
            _refuse_duplicates(columns, at, path)
            return at, [Band(columns[i].name, w) for i, w in zip(at, wavelengths, strict=True)]
    names = ", ".join(column.name for column in columns[:12])
    raise InputError(
        f"{path} has no numeric column that could be a band (columns: {names}); name the bands with --bands"
    )


Recognised = tuple[list[int], list[float | None]]
"""Positions of columns and the wavelength of each, where known; both empty where the rule recognises none."""


def _series(columns: list[Column], numeric: list[int]) -> Recognised:
    """The columns of the largest family of headers that are one prefix and a number."""
    families: dict[tuple[str, bool], list[tuple[int, float]]] = {}
    for i in numeric:
        hit = SERIES.match(columns[i].name.strip())
        if hit:
            before = (hit.group("before") or "").casefold().strip(" _-.")
            number = float(hit.group("number").replace(",", "."))
            families.setdefault((before, bool(hit.group("unit"))), []).append((i, number))
    if not families:
        return [], []
    (before, unit), members = max(families.items(), key=lambda item: len(item[1]))
    numbers = [number for _, number in members]
    if len(members) < LEAST_SERIES and not unit:
        return [], []
    scale = _wavelength_scale(before, unit, numbers)
    if scale is None and before in ("b", "band"):  # B8A stands among B1 to B12
        at = [i for i in numeric if NUMBERED.match(columns[i].name.strip())]
        return at, [None] * len(at)
    waves: list[float | None] = [n * scale if scale else None for n in numbers]
    return [i for i, _ in members], waves


def _wavelength_scale(before: str, unit: bool, numbers: list[float]) -> float | None:
    """What turns the numbers of a family into nanometres, None where they only count."""
    if before not in WAVELENGTH_PREFIXES and not unit:
        return None
    if all(300 <= n <= 15000 for n in numbers):
        return 1.0
    # b1 to b12 count bands, whereas micrometres have digits behind the point.
    return 1000.0 if all(0.3 <= n <= 15 for n in numbers) and any(n != int(n) for n in numbers) else None


def wavelength_of(name: str) -> float | None:
    """The wavelength in a header, nanometres, or None."""
    hit = SERIES.match(name.strip())
    if not hit:
        return None
    before = (hit.group("before") or "").casefold().strip(" _-.")
    number = float(hit.group("number").replace(",", "."))
    scale = _wavelength_scale(before, bool(hit.group("unit")), [number])
    return number * scale if scale else None


def _coloured(columns: list[Column], numeric: list[int]) -> Recognised:
    """The columns whose headers carry the name of a spectral band."""
    at = [i for i in numeric if COLOURS.search(columns[i].name) or NUMBERED.match(columns[i].name)]
    at = [i for i in at if not NOT_BANDS.match(columns[i].name.strip()) and not columns[i].flag]
    # A single such word may mean something else, as `red` does in a table about wines.
    return (at, [None] * len(at)) if len(at) > 1 else ([], [])


def _other_numbers(columns: list[Column], numeric: list[int]) -> Recognised:
    """The columns of numbers that look like no identifier, label, place or time."""
    measured = [i for i in numeric if not columns[i].flag and not columns[i].counting]
    at = [i for i in measured if not NOT_BANDS.match(columns[i].name.strip())]
    return at, [None] * len(at)


def chosen_columns(names: list[str], asked: str) -> list[int]:
    """Positions of columns named in ``--bands``: names, 1-based numbers and ranges; every name once."""
    low = [name.strip().casefold() for name in names]
    at: list[int] = []
    for item in (part.strip() for part in asked.split(",")):
        if item:
            at += [i for i in _one(names, low, item) if i not in at]
    if not at:
        raise UsageError(f"--bands is {asked!r}; give column names, 1-based numbers or ranges")
    return at


def _one(names: list[str], low: list[str], item: str) -> list[int]:
    """Positions of the columns that one item of --bands names. Raises UsageError for a name that is none."""
    # A name comes before a range, for names hold hyphens too, and before a number, for `450` may be a header.
    hits = [i for i, name in enumerate(low) if name == item.casefold()]
    if len(hits) > 1:
        raise UsageError(f"--bands asks for {item!r}, which {len(hits)} columns are called; give their numbers")
    if hits:
        return hits
    if hit := re.match(r"^(.+?)\s*-\s*(.+)$", item):
        ends = [i for part in hit.groups() for i, name in enumerate(low) if name == part.casefold()]
        if len(ends) == 2 and ends[0] <= ends[1]:
            return list(range(ends[0], ends[1] + 1))
        if all(p.isdigit() for p in hit.groups()) and 1 <= int(hit.group(1)) <= int(hit.group(2)) <= len(names):
            return list(range(int(hit.group(1)) - 1, int(hit.group(2))))
    if item.isdigit() and 1 <= int(item) <= len(names):
        return [int(item) - 1]
    raise UsageError(
        f"--bands asks for {item!r}; the columns are {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"
    )


def _refuse_duplicates(columns: list[Column], at: list[int], path: str) -> None:
    """Raise InputError where two band columns have one name."""
    counts = Counter(columns[i].name for i in at)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise InputError(
            f"{path} has several columns called {', '.join(twice[:5])}; rename them, or choose with --bands"
        )
