"""The search for the bands of a table: a model's by name, else by headers and cells, after turning it where needed."""

from __future__ import annotations

from dataclasses import dataclass

from specvae.bands import Band, BandSet
from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.options import IngestOptions
from specvae.ingest.table.columns import ChunkFile
from specvae.ingest.table.headers import band_columns
from specvae.ingest.table.idx import IdxFile
from specvae.ingest.table.turned import turned

__all__ = ["FoundBands", "find_bands"]


FILLS = (-999.0, -9999.0, -32768.0, -99999.0)
"""Negative numbers that stand for a missing one in tables that do not say so."""
HUGE = 1e20
"""Numbers of this size stand for a missing one, for nothing that is measured is so large: 1e30, or USGS's -1.23e34."""


@dataclass(frozen=True)
class FoundBands:
    """The bands of a table, which is turned where its rows are no spectra."""

    file: ChunkFile
    at: tuple[int, ...]
    bands: tuple[Band, ...]
    decisions: tuple[Decision, ...] = ()
    dropped: tuple[str, ...] = ()
    """Columns of numbers that are no bands."""
    empty: tuple[str, ...] = ()
    """Columns whose headers are like those of the bands, without a number."""


def find_bands(file: ChunkFile, options: IngestOptions, match: BandSet | None, path: str) -> FoundBands:
    """The band columns: a model's by name, else by the rules for headers and for what all cells hold."""
    if isinstance(file, IdxFile) and not options.bands:
        return FoundBands(file, file.pixels, tuple(Band(file.names[i]) for i in file.pixels))
    # By name first: a table of a model's own columns is scored without being read twice.
    if named := _by_name(file, options, match):
        return named
    if not isinstance(file, IdxFile) and (other := turned(file, path, options)) is not None:
        file = other
        if named := _by_name(file, options, match):
            return named
    found = band_columns(file.columns, options.bands, options.label_column, path)
    _refuse_text(file, found.at, path)
    decisions = (found.decision, *_fill(file, found.at, options))
    return FoundBands(file, found.at, found.bands, decisions, found.dropped, found.empty)


def _fill(file: ChunkFile, at: tuple[int, ...], options: IngestOptions) -> tuple[Decision, ...]:
    """A decision for each usual fill that is the least number of some bands whose other numbers are not negative."""
    if options.nodata is not None:
        return ()
    by_value: dict[float, list[str]] = {}
    for i in at:
        column = file.columns[i]
        if (column.low in FILLS and column.high >= 0) or column.low <= -HUGE:
            by_value.setdefault(column.low, []).append(column.name)
        elif column.high >= HUGE:
            by_value.setdefault(column.high, []).append(column.name)
    return tuple(
        Decision(
            "fill",
            f"{value:g} in {len(names)} bands ({', '.join(names[:3])}{', ...' * (len(names) > 3)}) looks like undeclared "
            "fill and is used as a value",
            "the lack of a nodata value that says otherwise",
            ("nodata",),
            f"--nodata {value:g}",
            guessed=True,
        )
        for value, names in by_value.items()
    )


def _by_name(file: ChunkFile, options: IngestOptions, model: BandSet | None) -> FoundBands | None:
    """The columns called as a model's bands are, in its order; None without one, or where one is missing or there twice."""
    if model is None or options.bands:
        return None
    low = [name.strip().casefold() for name in file.names]
    wanted = [name.strip().casefold() for name in model.names]
    if not all(wanted) or any(low.count(name) != 1 for name in wanted):
        return None
    at = tuple(low.index(name) for name in wanted)
    bands = tuple(Band(file.names[i], b.wavelength, b.width) for i, b in zip(at, model, strict=True))
    how = Decision("columns", f"{len(at)} of {len(low)} columns are bands", "the names of the model's bands")
    return FoundBands(file, at, bands, (how,))


def _refuse_text(file: ChunkFile, at: tuple[int, ...], path: str) -> None:
    """Raise InputError where no band column holds a number."""
    text = [file.names[i] for i in at if not file.columns[i].numbers]
    if text and len(text) == len(at):
        raise InputError(f"{path}: {', '.join(text[:5])} hold no number; choose numeric columns with --bands")
