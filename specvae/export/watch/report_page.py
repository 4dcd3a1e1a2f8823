"""What only ``report.html`` holds of a date's folder: the colour picture, and spectra with what was expected of them."""

from __future__ import annotations

import base64
import io
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["PageSpectrum", "axis_of", "colour_of", "lessened", "spectra_of"]

ELEMENT = '<script type="text/plain" id="blob-{}">'
DATA = '<script type="application/json" id="data">'
END = "</script>"
LARGEST = 512
"""Longest side of a picture, pixels."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PageSpectrum:
    """A spectrum of a report's page."""

    observed: list[float]
    """``(bands,)``, physical units."""
    expected: list[float]
    """``(bands,)``: its reconstruction."""


def _between(text: str, begin: str) -> str:
    """What stands in the element that begins so; empty where there is none."""
    at = text.find(begin)
    return text[at + len(begin) : text.index(END, at)] if at >= 0 else ""


def _text(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except OSError:  # the report's page is a product, which a score may have omitted
        return ""


def colour_of(page: Path) -> bytes | None:
    """The colour picture as a JPEG of at most LARGEST pixels; None where there is no page or no picture."""
    packed = _between(_text(page), ELEMENT.format("composite"))
    return _jpeg(base64.b64decode(packed), LARGEST, 85) if packed else None


def lessened(picture: bytes, side: int) -> bytes | None:
    """A picture as a JPEG of at most ``side`` pixels; None for an empty one."""
    return _jpeg(picture, side, 70) if picture else None


def _jpeg(picture: bytes, side: int, quality: int) -> bytes:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def axis_of(page: Path) -> tuple[list[str], list[float] | None]:
    """The names of the bands and, where all are known, their wavelengths, nm; no names where there is no page."""
    data = json.loads(_between(_text(page), DATA) or "{}")
    return data.get("bands", []), data.get("wavelengths")


def spectra_of(page: Path, places: list[tuple[int, int]]) -> list[PageSpectrum | None]:
    """The spectra at pixels (row, col): of a lattice point there, of the object around it, or of a point beside it; else None."""
    text = _text(page)
    data = json.loads(_between(text, DATA) or "{}")
    if not data:
        return [None] * len(places)
    bands = len(data["bands"])
    samples = _Set.of(text, data["samples"], "", bands)
    cases = _Set.of(text, data["caseSpectra"], "case-", bands) if data.get("caseSpectra") else None
    return [_nearest(samples, cases, data["cases"], *place) for place in places]


@dataclass(frozen=True, eq=False)
class _Set:
    """Spectra with their places."""

    row: NDArray[Any]
    col: NDArray[Any]
    observed: Floats
    expected: Floats

    @staticmethod
    def of(text: str, places: dict[str, Any], prefix: str, bands: int) -> _Set:
        observed, expected = (
            _floats(_between(text, ELEMENT.format(prefix + name))).reshape(-1, bands)
            for name in ("observed", "expected")
        )
        return _Set(_numbers(places["row"]), _numbers(places["col"]), observed, expected)

    def at(self, index: int) -> PageSpectrum:
        return PageSpectrum(self.observed[index].tolist(), self.expected[index].tolist())


def _nearest(samples: _Set, cases: _Set | None, boxes: list[dict[str, Any]], row: int, col: int) -> PageSpectrum | None:
    apart = np.maximum(np.abs(samples.row.astype(int) - row), np.abs(samples.col.astype(int) - col))
    if apart.size and not apart.min():
        return samples.at(int(apart.argmin()))
    for index, case in enumerate(boxes if cases is not None else ()):
        box = case.get("box")
        if cases is not None and index < len(cases.row) and box and box[0] <= row < box[2] and box[1] <= col < box[3]:
            return cases.at(index)
    # Beside the pixel only where no object holds it: a neighbour may be ground as it always was.
    return samples.at(int(apart.argmin())) if apart.size and apart.min() <= 1 else None


def _numbers(packed: dict[str, str]) -> NDArray[Any]:
    """The inverse of ``packed_numbers``."""
    return np.frombuffer(base64.b64decode(packed["base64"]), f"<{packed['dtype']}")


def _floats(packed: str) -> Floats:
    """The inverse of ``packed_floats``."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8).reshape(3, -1)
    raw = np.zeros((planes.shape[1], 4), np.uint8)
    raw[:, :3] = planes.T
    return raw.view(">f4").ravel().astype(np.float32)
