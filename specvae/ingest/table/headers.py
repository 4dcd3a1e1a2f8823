"""Which columns of a table are bands: by a family of wavelengths, by the names of bands, else by what they hold."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from specvae.bands import Band
from specvae.errors import InputError, UsageError
from specvae.ingest.decision import Decision, undecided
from specvae.ingest.table.families import NUMBERED, PIECES, Family, families_of, wavelength_of
from specvae.ingest.table.survey import Column

__all__ = ["NOT_BANDS", "QUANTITIES", "BandColumns", "band_columns", "chosen_columns", "is_label", "spectral_families"]

COLOURS = re.compile(
    r"(?:^|[_\-. ])(coastal|aerosol|blue|green|yellow|red|red_?edge|nir|swir|vnir|mir|tir|lwir|pan|cirrus)"
    r"[_\-. ]?(?:\d{0,2}|[a-z]?\d?)(?:$|[_\-. ])",
    re.I,
)
"""Headers that name a spectral band in words."""
SPREAD = re.compile(
    r"[_\-. ](?:std|stdev|std_?dev|sd|se|sem|cv|var(?:iance)?|range|count|n|sum|min|max|minority|majority)$", re.I
)
"""How headers end that give the spread, the extremes or the number of values of an area rather than their middle."""
NOT_BANDS = re.compile(
    r"^(?:|unnamed.*|index|idx|row_?names?|fid|oid|objectid|gid|uid|uuid|key|id|.*[_. ]id|id[_. ].*|row|col|column|rows?|cols?|"
    r"x|y|z|xx|yy|(?:point|coord|coordinate|utm|map|geo|pos|gps|ctr|centroid)s?[_. ]?[xyzmen]|[xyz][_. ]?(?:coord.*|utm|m)|"
    r"(?:.*[_. ])?(?:lat|lon|lng|long|latitude|longitude|easting|northing|elevation|altitude)(?:[_. ].*)?|"
    r"epsg|crs|geometry|wkt|geom|"
    r"date|time|datetime|timestamp|day|month|year|doy|hour|season|split|fold|set|subset|sample|replicate|rep|"
    r"label|labels|class|classes|target|truth|y_true|crop|species|landcover|land_cover|lc|is_.*|has_.*|anomaly|outlier|inlier|"
    r"normal|flag|qa.*|quality|scl|fmask|cloud.*|weight|count|n|"
    r"score|reconstruction|kl|p_value|anomaly)$",
    re.I,
)
"""Headers that name a place, a time, a label or a result rather than a band; the empty header is of row names."""
LABEL = re.compile(r"^(?:label|labels|class|classes|target|truth|y_true|is_.*|anomaly|outlier|inlier|normal)$", re.I)
"""Those of them that may distinguish normal rows from others."""
QUANTITIES = re.compile(
    r"(?:ir)?radiance|\brad\b|reflectance|\breflect\b|\brefl?\b|transmittance|absorbance|counts?|\bdn\b", re.I
)
"""Words for what was measured."""
LEAST_SERIES = 3
"""Headers that a family of numbers has at least, unless they carry a unit."""
CLEARLY_LARGER = 4
"""Times as many columns as any other family that the spectrum has, where several families may be it."""


@dataclass(frozen=True)
class BandColumns:
    """Which columns of a table are bands, and the decision."""

    at: tuple[int, ...]
    """Positions of the columns, in order."""
    bands: tuple[Band, ...]
    decision: Decision
    dropped: tuple[str, ...] = ()
    """Columns of numbers that are no bands though nothing in their names says what else they are."""
    empty: tuple[str, ...] = ()
    """Columns whose headers are like those of the bands, without a number."""


@dataclass(frozen=True)
class _Recognised:
    """The columns that one rule takes for bands."""

    at: tuple[int, ...]
    wavelengths: tuple[float | None, ...]
    evidence: str
    guessed: bool = False


def is_label(name: str) -> bool:
    """Whether a header reads like that of a label, which is no band."""
    return bool(LABEL.match(name.strip()))


def band_columns(columns: list[Column], asked: str | None, label: str | None, path: str) -> BandColumns:
    """The band columns of a table. Raises InputError for one without, or with several families that may be the spectrum.

    ``asked`` is the text of --bands, ``label`` the column of labels, which is no band.
    """
    if asked:
        at = chosen_columns([column.name for column in columns], asked)
        return _decided(columns, _Recognised(tuple(at), _waves(columns, at), f"the option --bands {asked}"), label)
    usable = [i for i, column in enumerate(columns) if column.name != label]
    # From the surest sign to the weakest: the first rule that recognises columns decides alone, without the others.
    found = (
        _family(columns, usable, path, (3, 2))
        or _coloured(columns, usable)
        or _family(columns, usable, path, (1,))
        or _other_numbers(columns, usable)
    )
    if found is None:
        raise _without_bands(columns, path)
    _refuse_duplicates(columns, list(found.at), path)
    return _decided(columns, found, label)


def _without_bands(columns: list[Column], path: str) -> InputError:
    """The refusal of a table without a band, with what its cells hold where that says what to do."""
    names = ", ".join(column.name for column in columns[:12])
    text = f"{path} has no numeric column that could be a band (columns: {names})"
    words = [(column.name, column.examples[0]) for column in columns if column.examples]
    for name, word in words:
        if len(PIECES.findall(word)) > 3:
            return InputError(
                f"{text}; {name!r} holds lists in its cells: give each number a column, or Parquet's lists"
            )
    if words and any(c.isdigit() for c in words[0][1]):
        name, word = next(((n, w) for n, w in words if w[:1].isdigit()), words[0])
        return InputError(f"{text}; {name!r} holds {word!r}, which is no number: write numbers alone")
    return InputError(f"{text}; name the bands with --bands")


def _waves(columns: list[Column], at: list[int]) -> tuple[float | None, ...]:
    """The wavelengths in the headers at these positions, read together where they are one family."""
    names = [column.name for column in columns]
    families = families_of(names, at)
    if len(families) == 1 and len(families[0]) == len(at) and families[0].at == tuple(at):
        return families[0].wavelengths or (None,) * len(at)
    return tuple(wavelength_of(names[i]) for i in at)


def _decided(columns: list[Column], found: _Recognised, label: str | None) -> BandColumns:
    """The decision about the columns: which are bands, and why each of the others is none."""
    used = set(found.at)
    rest = [i for i in range(len(columns)) if i not in used]
    reasons = {i: _why_not(columns[i], label) for i in rest}
    names = [columns[i].name for i in found.at]
    span = f"{names[0]} ... {names[-1]}" if len(names) > 2 else " and ".join(names)
    others = [f"{columns[i].name or 'the nameless column'} ({reasons[i]})" for i in rest]
    more = [f"{len(others) - 12} more"] if len(others) > 12 else []
    chosen = f"{len(names)} of {len(columns)} columns are bands, {span}"
    decision = Decision(
        "columns", chosen, found.evidence, (*others[:12], *more), "--bands" if others else "", found.guessed
    )
    bands = tuple(Band(name, wave) for name, wave in zip(names, found.wavelengths, strict=True))
    dropped = tuple(columns[i].name for i in rest if reasons[i].startswith("other numbers"))
    return BandColumns(found.at, bands, decision, dropped, _empty(columns, found.at))


def _empty(columns: list[Column], at: tuple[int, ...]) -> tuple[str, ...]:
    """The columns of the bands' own family of headers that hold no number at all."""
    names = [column.name for column in columns]
    own = next((f for f in families_of(names, range(len(names))) if at[0] in f.at and len(f) >= LEAST_SERIES), None)
    return () if own is None else tuple(names[i] for i in own.at if not columns[i].numbers)


def _why_not(column: Column, label: str | None) -> str:
    """Why a column is no band, in words."""
    if column.name == label:
        return "the label"
    if not column.numbers:
        return "no number" if column.words or column.censored else "empty"
    if not column.numeric:
        return (
            f"text in {column.words + column.censored:,} cells, such as {column.examples[0]!r}"
            if column.examples
            else "text"
        )
    if NOT_BANDS.match(column.name.strip()):
        return "by its name"
    if column.counting:
        return "it counts rows"
    return "0 and 1 alone" if column.flag else "other numbers"


def spectral_families(columns: list[Column], usable: list[int]) -> list[Family]:
    """The families that may be the spectrum, the surest first, then the largest.

    A column of a family with one number at least belongs to it, whatever its other cells say.
    """
    names = [column.name for column in columns]
    families = families_of(names, [i for i in usable if columns[i].numbers])
    enough = [f for f in families if len(f) >= LEAST_SERIES or f.unit]
    # `blue_S1, blue_S2, ...` are seasons of a band rather than bands.
    spectral = [f for f in enough if f.rank == 3 or not COLOURS.search(f.pattern)]
    return sorted(spectral, key=lambda family: (-family.rank, -len(family)))


def _family(columns: list[Column], usable: list[int], path: str, ranks: tuple[int, ...]) -> _Recognised | None:
    """The columns of the family of these ranks that is the spectrum. Raises InputError where several may be."""
    families = [family for family in spectral_families(columns, usable) if family.rank in ranks]
    if not families:
        return None
    best, *others = families
    rivals = [f for f in others if f.rank == best.rank and len(best) < CLEARLY_LARGER * len(f)]
    if rivals:
        spans = [f"{columns[f.at[0]].name} to {columns[f.at[-1]].name} ({len(f)})" for f in (best, *rivals)]
        first = f"--bands {columns[best.at[0]].name}-{columns[best.at[-1]].name}"
        raise undecided(path, "which family of columns is the spectrum", spans, f"--bands, such as {first}")
    evidence = f"their headers, alike but for a number ({best.pattern})"
    if best.rank == 2 and best.word in ("b", "band"):  # B8A stands among B1 to B12
        at = {*best.at, *(i for i in usable if columns[i].numeric and NUMBERED.match(columns[i].name.strip()))}
        return _Recognised(tuple(sorted(at)), (None,) * len(at), evidence)
    waves = best.wavelengths or (None,) * len(best)
    if best.rank == 3:
        evidence += f", a wavelength of {min(best.wavelengths or ()):g} to {max(best.wavelengths or ()):g} nm"
    guessed = best.guessed if best.rank == 3 else best.rank == 1 or bool(others)
    return _Recognised(best.at, waves, evidence, guessed)


def _coloured(columns: list[Column], usable: list[int]) -> _Recognised | None:
    """The columns whose headers carry the name of a spectral band."""
    at = [i for i in usable if columns[i].numeric]
    at = [i for i in at if COLOURS.search(columns[i].name) or NUMBERED.match(columns[i].name)]
    at = [i for i in at if not NOT_BANDS.match(columns[i].name.strip()) and not columns[i].flag]
    # Of statistics of an area, those of its spread and its size are no spectra.
    at = [i for i in at if not SPREAD.search(columns[i].name.strip())] or at
    # A single such word may mean something else, as `red` does in a table about wines.
    return _Recognised(tuple(at), (None,) * len(at), "the names of bands in their headers") if len(at) > 1 else None


def _other_numbers(columns: list[Column], usable: list[int]) -> _Recognised | None:
    """The columns of numbers that look like no identifier, label, place or time."""
    measured = [i for i in usable if columns[i].numeric and not columns[i].flag and not columns[i].counting]
    at = [i for i in measured if not NOT_BANDS.match(columns[i].name.strip())]
    evidence = "their numbers, for no header names a band"
    return _Recognised(tuple(at), (None,) * len(at), evidence, guessed=True) if at else None


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
