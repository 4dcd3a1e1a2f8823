"""The kinds of tables, and how each is opened; what is a table by its content rather than by its ending."""

from __future__ import annotations

import os
import re
import zlib

from specvae.errors import InputError
from specvae.ingest.options import IngestOptions
from specvae.ingest.table.arrow_files import ArrowFile, is_columnar
from specvae.ingest.table.columns import ChunkFile, CsvFile
from specvae.ingest.table.dialect import between_blanks, open_text, read_dialect
from specvae.ingest.table.endings import SPECTROMETER_ENDINGS, WORKBOOK_ENDINGS
from specvae.ingest.table.header_line import Record, find_header
from specvae.ingest.table.idx import IdxFile, is_idx
from specvae.ingest.table.memory_file import RowsFile
from specvae.ingest.table.spectral_library import is_library, open_library
from specvae.ingest.table.workbook import open_workbook

__all__ = ["open_chunks"]

SPECTROMETERS = (
    (re.compile(rb"^(?:ASD|as[2-8])"), "an ASD spectrometer", "ViewSpec Pro (Process, ASCII Export)"),
    (
        re.compile(rb"^\s*splib\d\d"),
        "the spectral library of the USGS",
        "the library's own plots and lists of wavelengths",
    ),
    (re.compile(rb"^/\*\*\* Spectra Vista"), "an SVC spectrometer", "SVC's software"),
    (re.compile(rb"Spectral Evolution|^Comment:.*\r?\nVersion:", re.I), "a Spectral Evolution spectrometer", "DARWin"),
)
"""First bytes of a spectrometer's own files, which instrument it is, and the program that exports them."""
LINES = 1_000_000
"""Lines of a file of columns between blanks, which is held in memory."""


def open_chunks(path: str, options: IngestOptions | None = None) -> ChunkFile:
    """The table at ``path``. Raises InputError where it is none, or one that is not read."""
    options = options or IngestOptions()
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist" if not os.path.exists(path) else f"{path} is no file")
    _refuse_spectrometer(path)
    if is_idx(path):
        return IdxFile(path)
    if is_library(path):
        return open_library(path, options)
    if path.casefold().endswith(WORKBOOK_ENDINGS):
        return open_workbook(path, options)
    if is_columnar(path):
        return ArrowFile(path)
    dialect = read_dialect(path, options.decimal)
    return _between_blanks(path, options) if dialect.delimiter == " " else CsvFile(path, options, dialect)


def _refuse_spectrometer(path: str) -> None:
    """Raise InputError for a file of one spectrum in an instrument's own format."""
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError:
        return
    hit = next(((what, program) for mark, what, program in SPECTROMETERS if mark.search(head)), None)
    if hit is None and path.casefold().endswith(SPECTROMETER_ENDINGS):
        hit = f"a field spectrometer ({os.path.splitext(path)[1]})", "the instrument's software"
    if hit is not None:
        raise InputError(
            f"{path} holds one spectrum of {hit[0]}, a format that is not read; export all spectra into one text file "
            f"with {hit[1]} or R's spectrolab: a spectrum a column or a row"
        )


def _between_blanks(path: str, options: IngestOptions) -> RowsFile:
    """A table of text whose columns stand between blanks."""
    dialect = read_dialect(path, options.decimal)
    try:
        with open_text(path) as file:
            lines = file.read(1 << 28).decode(dialect.encoding, "replace").splitlines()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if len(lines) > LINES:
        raise InputError(f"{path} has more than {LINES:,} lines of columns between blanks; save it with commas")
    records = [Record(at, between_blanks(line)) for at, line in enumerate(lines, 1) if line.strip()]
    header = find_header(records[:500])
    rows = [record.cells for record in records[header.first :]]
    others = tuple(how for how in dialect.decisions if how.about != "header")
    return RowsFile(path, header, rows, dialect.numbers, others)
