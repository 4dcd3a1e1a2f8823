"""Sheets of Excel workbooks as tables, by openpyxl; older and other workbooks are refused with what to do."""

from __future__ import annotations

import datetime
import zipfile
from itertools import islice
from typing import Any

from specvae.errors import InputError, MissingExtraError
from specvae.ingest.decision import Decision
from specvae.ingest.options import IngestOptions
from specvae.ingest.table.header_line import Record, find_header
from specvae.ingest.table.memory_file import RowsFile
from specvae.ingest.table.number_format import decide_numbers

__all__ = ["open_workbook"]

UNPACKED = 1 << 30
"""Bytes that a workbook may unpack to."""
CELLS = 50_000_000
"""Cells of a sheet, which is held in memory."""
LOOKED_AT = 200
"""Rows of which one at least holds a number in a sheet that is a table."""
Row = tuple[str, ...]


def open_workbook(path: str, options: IngestOptions) -> RowsFile:
    """The table in a workbook: the sheet that ``--array`` names, else the first one with numbers.

    Raises InputError for what is no such workbook.
    """
    _check_kind(path, options)
    try:
        import openpyxl  # an extra, and a third of a second that no other table needs
    except ImportError:
        raise MissingExtraError.of("a workbook (.xlsx)", "openpyxl", extra="excel") from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheets = {
                sheet.title: _rows(path, sheet) for sheet in book.worksheets if options.array in (None, sheet.title)
            }
            titles = [sheet.title for sheet in book.worksheets]
        finally:
            book.close()
    except InputError:
        raise
    except Exception as error:  # openpyxl raises many classes for damaged workbooks
        raise InputError(
            f"{path} cannot be read as an Excel workbook ({type(error).__name__}: {error}); save it as CSV"
        ) from None
    return _table(path, sheets, titles, options)


def _check_kind(path: str, options: IngestOptions) -> None:
    """Raise InputError for workbooks of other programs, and for those that unpack to more than the limit."""
    end = path.casefold().rsplit(".", 1)[-1]
    if end not in ("xlsx", "xlsm"):
        raise InputError(f"{path} is a workbook in the format .{end}, which is not read; save it as .xlsx or CSV")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f"{path} cannot be read as an Excel workbook ({error}); save it as CSV") from None
    if size > UNPACKED and not options.allow_huge:
        raise InputError(
            f"{path} unpacks to {size:.3g} bytes, more than {UNPACKED:.3g}; save it as CSV, or lift the limit with --allow-huge"
        )


def _rows(path: str, sheet: Any) -> list[Row]:
    """The rows of a sheet as text, without empty ones; what stands in a formula is its last value."""
    # The size that a sheet states may be a million rows of nothing.
    sheet.reset_dimensions()
    rows: list[Row] = []
    cells = 0
    for values in sheet.iter_rows(values_only=True):
        row = tuple(map(_text, values))
        while row and not row[-1]:
            row = row[:-1]
        cells += len(row)
        if cells > CELLS:
            raise InputError(f"{path} has more than {CELLS:,} cells in a sheet; save it as CSV")
        if row:
            rows.append(row)
    return rows


def _text(value: object) -> str:
    """A cell as text: numbers with all their digits, dates as ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def _table(path: str, sheets: dict[str, list[Row]], titles: list[str], options: IngestOptions) -> RowsFile:
    """The sheet that is the table. Raises InputError where there is none."""
    if options.array is not None and not sheets:
        raise InputError(f"{path} has no sheet {options.array!r}; it has {', '.join(titles[:12])}")
    filled = [title for title, rows in sheets.items() if any(_has_number(row) for row in islice(rows, LOOKED_AT))]
    if not filled:
        raise InputError(
            f"{path} has no sheet with numbers ({', '.join(titles[:12]) or 'no sheet at all'}); expected a spectrum a row"
        )
    rows = sheets[filled[0]]
    records = [Record(at, row) for at, row in enumerate(rows, 1)]
    width = max(len(row) for row in rows)
    header = find_header([Record(r.line, (*r.cells, *("",) * (width - len(r.cells)))) for r in records[:500]])
    body = rows[header.first :]
    numbers, how = decide_numbers((cell for row in body[:200] for cell in row), ",", options.decimal, path)
    decisions = [how] if how else []
    if options.array is not None:
        decisions.append(Decision("files", f"the sheet {filled[0]!r}", f"the option --array {filled[0]}"))
    elif len(titles) > 1:
        chosen, others = f"the sheet {filled[0]!r} of {len(titles)}", tuple(t for t in titles if t != filled[0])
        evidence = "it alone holds numbers" if len(filled) == 1 else "it is the first one with numbers"
        decisions.append(Decision("files", chosen, evidence, others[:12], "--array SHEET", len(filled) > 1))
    return RowsFile(path, header, body, numbers, tuple(decisions))


def _has_number(row: Row) -> bool:
    return any(cell.replace(".", "", 1).replace(",", "", 1).lstrip("-").isdigit() for cell in row)
