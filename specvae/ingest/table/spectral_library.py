"""Spectral libraries of ENVI: a raster of one band whose rows are spectra, with their names in its header."""

from __future__ import annotations

import os
import re

import numpy as np
from numpy.typing import NDArray

from specvae.errors import InputError
from specvae.ingest.decision import Decision
from specvae.ingest.options import IngestOptions
from specvae.ingest.table.arrow_arrays import from_words
from specvae.ingest.table.columns import unique
from specvae.ingest.table.memory_file import MatrixFile
from specvae.ingest.table.wave_names import written

__all__ = ["is_library", "open_library"]

KIND = re.compile(rb"^\s*file\s*type\s*=\s*ENVI\s+Spectral\s+Library", re.I | re.M)
"""The line of a header that says so."""
TYPES = {"1": "u1", "2": "i2", "3": "i4", "4": "f4", "5": "f8", "12": "u2", "13": "u4", "14": "i8", "15": "u8"}
"""ENVI's codes of types of real numbers, and numpy's names."""
LARGEST_HEADER = 64 << 20
"""Characters of a header, which lists the names of all spectra."""
HEADER_BYTES = 1 << 16
"""Bytes of a header that are looked at for this line."""


def is_library(path: str) -> bool:
    """Whether a file is the data or the header of a spectral library of ENVI."""
    try:
        header = _header(path)
        if header is None:
            return False
        with open(header, "rb") as file:
            return bool(KIND.search(file.read(HEADER_BYTES)))
    except OSError:
        return False


def open_library(path: str, options: IngestOptions) -> MatrixFile:
    """The spectra of a library. Raises InputError for one that is damaged."""
    header = _header(path)
    tags = _tags(header) if header else {}
    values = _values(_data(path), tags, options)
    waves, names = _listed(tags.get("wavelength", "")), _listed(tags.get("spectra names", ""))
    scale = _number(tags.get("reflectance scale factor", "")) or 1.0
    decisions = [Decision("format", f"{len(values)} spectra of an ENVI spectral library", "its header")]
    if scale != 1.0:
        evidence = "the reflectance scale factor in its header"
        decisions.append(Decision("scale", f"values are divided by {scale:g}", evidence))
    bands = [f"band{at + 1}" for at in range(values.shape[1])]
    if len(waves) == values.shape[1] and all(_number(wave) for wave in waves):
        unit = tags.get("wavelength units", "")
        bands = unique(tuple(written(_number(wave) or 0.0, unit) for wave in waves))
    if len(names) != len(values):
        names = [f"{at + 1}" for at in range(len(values))]
    return MatrixFile(bands, values / scale, {"spectrum": from_words(names)}, tuple(decisions))


def _tags(header: str) -> dict[str, str]:
    """The keys of a header, in lower case with single blanks, and their values without braces."""
    try:
        with open(header, encoding="utf-8", errors="replace") as file:
            text = file.read(LARGEST_HEADER)
    except OSError as error:
        raise InputError(f"{header} cannot be read: {error.strerror or error}") from error
    hits = re.finditer(r"^[ \t]*([^=\n{}]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", text, re.M)
    return {" ".join(hit.group(1).casefold().split()): hit.group(2).strip().strip("{}").strip() for hit in hits}


def _values(path: str, tags: dict[str, str], options: IngestOptions) -> NDArray[np.float64]:
    """``(spectra, bands)`` as stored. Raises InputError where the header does not fit the file."""
    from specvae.ingest.formats.limits import check_array  # brings GDAL, which no other table needs

    counts = {
        key: int(tags[key]) if tags.get(key, "").isdigit() else 0 for key in ("samples", "lines", "header offset")
    }
    kind = TYPES.get(tags.get("data type", ""))
    shape = counts["lines"], counts["samples"]
    if kind is None or not all(shape):
        raise InputError(f"{path} has no usable header: samples, lines and a data type of real numbers are needed")
    check_array(path, shape, 8, options.allow_huge)
    dtype = np.dtype(kind).newbyteorder(">" if tags.get("byte order") == "1" else "<")
    wanted, there = counts["header offset"] + shape[0] * shape[1] * dtype.itemsize, os.path.getsize(path)
    if there < wanted:
        raise InputError(f"{path} is cut short: {there} of {wanted} bytes; copy it again")
    stored = np.fromfile(path, dtype, shape[0] * shape[1], offset=counts["header offset"])
    return stored.reshape(shape).astype(np.float64)


def _listed(text: str) -> list[str]:
    """The items of a list between commas."""
    return [item.strip() for item in text.split(",")] if text else []


def _number(text: str) -> float | None:
    """A text as a number other than zero, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) and number else None


def _header(path: str) -> str | None:
    """The header of a data file, or the path itself where it is one; None where there is none."""
    if path.casefold().endswith(".hdr"):
        return path
    return next((p for p in (f"{path}.hdr", f"{os.path.splitext(path)[0]}.hdr") if os.path.isfile(p)), None)


def _data(path: str) -> str:
    """The data file of a header, or the path itself where it is one. Raises InputError where it is not there."""
    if not path.casefold().endswith(".hdr"):
        if _header(path) is None:
            raise InputError(f"{path} is a spectral library without its header beside it; expected {path}.hdr")
        return path
    stem = path[: -len(".hdr")]
    beside = [p for p in (stem, *(stem + end for end in (".sli", ".esl", ".img", ".dat"))) if os.path.isfile(p)]
    if not beside:
        raise InputError(
            f"{path} is the header of a spectral library without its data file beside it; expected {stem}.sli"
        )
    return beside[0]
