"""Tables whose rows are no spectra, turned so that they are: spectra in columns, and one value a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.decision import Decision, undecided
from specvae.ingest.options import IngestOptions
from specvae.ingest.table.arrow_arrays import from_words, to_numpy
from specvae.ingest.table.cells import numbers_in
from specvae.ingest.table.columns import ChunkFile, unique
from specvae.ingest.table.headers import NOT_BANDS, QUANTITIES, spectral_families
from specvae.ingest.table.memory_file import MatrixFile
from specvae.ingest.table.survey import Column, is_number
from specvae.ingest.table.wave_names import WAVE_NAMES, written

__all__ = ["turned"]

FEWEST = 20
"""Rows from which a nameless column that runs on counts as wavelengths."""
MOST_CELLS = 50_000_000
"""Cells of a table that is turned, which is held in memory."""
Matrix: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class _Cells:
    """All cells of a table, by column."""

    numbers: Matrix
    """``(rows, columns)``: the columns asked for as numbers."""
    table: pa.Table


def turned(file: ChunkFile, path: str, options: IngestOptions) -> MatrixFile | None:
    """The table with a spectrum a row where its rows are wavelengths or single values; None where they are spectra.

    Raises InputError where rows are no spectra and the table cannot be turned, or where both readings are as likely.
    """
    columns = file.columns
    if options.layout == "bands-last":
        return None
    numeric = [i for i, column in enumerate(columns) if column.numeric]
    named = [i for i in numeric if WAVE_NAMES.match(columns[i].name.strip())]
    if options.layout == "bands-first":
        if not numeric:
            raise InputError(
                f"{path} has no column of numbers; expected spectra in columns, as --layout bands-first says"
            )
        return _columns_turned(file, path, (named or numeric)[0], "the option --layout bands-first")
    if any(family.rank == 3 for family in spectral_families(columns, list(range(len(columns))))):
        return None
    if named and columns[named[0]].running and len(numeric) > 1:
        evidence = f"its column {columns[named[0]].name!r}, which runs on from row to row"
        return _columns_turned(file, path, named[0], evidence)
    if named and len(numeric) > 1 and not _constant(columns[named[0]]):
        return _long_turned(file, path, named[0], [i for i in numeric if i not in named])
    return _by_first_column(file, path, columns, numeric)


def _constant(column: Column) -> bool:
    return column.low == column.high


def _by_first_column(file: ChunkFile, path: str, columns: list[Column], numeric: list[int]) -> MatrixFile | None:
    """The table turned where its first column runs on over wavelengths without saying so; None where it does not."""
    if not columns:
        return None
    first = columns[0]
    spans = first.numeric and first.running and first.numbers >= FEWEST and _spans(first, _made_up(file.names))
    others = [i for i in numeric if i]
    if not spans or len(others) < 1 or len(others) < len(columns) - 1:
        return None
    name = first.name.strip()
    if not name or name.casefold().startswith("unnamed") or _made_up(file.names):
        chosen = f"its first column, which is nameless and runs on from {first.low:g} to {first.high:g}"
        return _columns_turned(file, path, 0, chosen, guessed=True)
    if NOT_BANDS.match(name):
        return None
    raise undecided(
        path,
        f"whether {name!r} ({first.low:g} to {first.high:g}) is a band or the wavelengths of spectra in columns",
        ("a spectrum a row: --layout bands-last", "a spectrum a column: --layout bands-first"),
        "--layout",
    )


def _made_up(names: Sequence[str]) -> bool:
    """Whether a table has no header, so that its columns are called c1, c2 and so on."""
    return all(name == f"c{at}" for at, name in enumerate(names, start=1))


def _spans(column: Column, without_header: bool) -> bool:
    """Whether numbers that run on may be wavelengths in nanometres, or in micrometres where no header speaks for bands."""
    if column.low >= 300 and column.high <= 30_000:
        return column.high - column.low >= 100
    return without_header and column.low >= 0.2 and column.high <= 30 and column.high - column.low >= 0.2


def _columns_turned(file: ChunkFile, path: str, wave: int, evidence: str, guessed: bool = False) -> MatrixFile:
    """The table with its columns of numbers as rows; the column at ``wave`` names the bands."""
    columns = file.columns
    samples = [i for i, column in enumerate(columns) if i != wave and column.numbers and column.numeric]
    if not samples:
        raise InputError(f"{path} has no column of numbers beside {columns[wave].name!r}; expected a spectrum a column")
    quantities = {hit.group(0).casefold() for i in samples if (hit := QUANTITIES.search(columns[i].name))}
    if len(quantities) > 1:
        raise InputError(
            f"{path} holds one spectrum in several quantities ({', '.join(columns[i].name for i in samples[:4])}); "
            "put the spectra of all samples into one table, a column or a row each"
        )
    cells = _read(file, path, [wave, *samples])
    waves, names = cells.numbers[:, 0], [columns[i].name for i in samples]
    bands = unique(tuple(written(float(value), columns[wave].name) for value in waves))
    chosen = f"spectra stand in columns: {len(samples)} spectra of {len(bands)} bands, turned"
    dropped = [c.name for i, c in enumerate(columns) if i != wave and i not in samples]
    others = (*(("a spectrum a row",) if guessed else ()), *(f"{name} (text)" for name in dropped[:6]))
    option = "--layout bands-last" if guessed else ""
    how = Decision("columns", chosen, evidence, others, option, guessed)
    notes = (f"spectra stand in columns: read turned, a spectrum for each of {len(samples)} columns", *file.notes)
    return MatrixFile(bands, cells.numbers[:, 1:].T, {"sample": from_words(names)}, (*file.decisions, how), notes)


def _long_turned(file: ChunkFile, path: str, wave: int, measured: list[int]) -> MatrixFile:
    """A long table, one value a row, with a spectrum a row. Raises InputError where its rows make no spectra."""
    columns = file.columns
    values = [i for i in measured if not NOT_BANDS.match(columns[i].name.strip()) and not columns[i].flag]
    what = f"{path} holds one value a row: its column {columns[wave].name!r} repeats wavelengths"
    advice = "give a table with a spectrum a row"
    if len(values) != 1:
        names = ", ".join(columns[i].name for i in values[:4]) or "none"
        raise InputError(f"{what}, and of its columns ({names}) one must be the value; {advice}")
    cells = _read(file, path, [wave, values[0]])
    waves = cells.numbers[:, 0]
    bands = np.unique(waves[np.isfinite(waves)])
    keys = [i for i in range(len(columns)) if i not in (wave, values[0])]
    order = _order(waves, bands, [cells.table.column(i) for i in keys])
    if order is None:
        raise InputError(
            f"{what}, and not every sample has each of the {len(bands)} wavelengths once, in order; {advice}"
        )
    matrix = cells.numbers[:, 1][order]
    labels = [written(float(value), columns[wave].name) for value in bands]
    first = pa.array(order[:, 0])
    constant = {columns[i].name: cells.table.column(i).combine_chunks().take(first) for i in keys}
    chosen = f"one value a row: {len(matrix)} spectra of {len(labels)} bands, turned"
    evidence = f"its column {columns[wave].name!r}, which repeats the same {len(labels)} values"
    how = Decision("rows", chosen, evidence, ("a spectrum a row",), "--layout bands-last")
    notes = (f"one value a row: read turned, by the column {columns[wave].name!r}", *file.notes)
    return MatrixFile(labels, matrix, constant, (*file.decisions, how), notes)


def _order(
    waves: NDArray[np.float64], bands: NDArray[np.float64], keys: Sequence[pa.ChunkedArray]
) -> NDArray[np.intp] | None:
    """``(samples, bands)``: the row of each value; None where the rows do not repeat the wavelengths in one order."""
    count = len(bands)
    if not count or len(waves) % count or len(waves) == count:
        return None
    rows = np.arange(len(waves))
    # All wavelengths of a sample follow each other, or all samples at a wavelength.
    by_sample, by_wave = rows.reshape(-1, count), rows.reshape(count, -1).T
    for order in (by_sample, by_wave):
        ranked = np.take_along_axis(order, np.argsort(waves[order], axis=1, kind="stable"), axis=1)
        if (waves[ranked] == bands).all():
            return np.asarray(ranked) if all(_same_in_rows(key, ranked) for key in keys[:1]) else None
    return None


def _same_in_rows(key: pa.ChunkedArray, order: NDArray[np.intp]) -> bool:
    """Whether a column that tells samples apart says one thing of each."""
    codes = key.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)[order]
    return bool((codes == codes[:, :1]).all())


def _read(file: ChunkFile, path: str, at: list[int]) -> _Cells:
    """All rows of some columns as numbers, and all columns as they came. Raises InputError for a table too large."""
    parts, tables, seen = [], [], 0
    for chunk in file.iterate((), 1 << 16):
        seen += chunk.table.num_rows * len(at)
        if seen > MOST_CELLS:
            raise InputError(f"{path} has more than {MOST_CELLS:,} cells to turn; give a table with a spectrum a row")
        columns = [chunk.table.column(i) for i in at]
        parts.append([to_numpy(c) if is_number(c.type) else numbers_in(c, file.number_format) for c in columns])
        tables.append(chunk.table)
    if not parts:
        raise InputError(f"{path} has no row; expected a spectrum a row")
    numbers = np.stack([np.concatenate([np.asarray(part[k], np.float64) for part in parts]) for k in range(len(at))], 1)
    return _Cells(numbers, pa.concat_tables(tables))
