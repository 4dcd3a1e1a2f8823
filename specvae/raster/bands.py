"""Bands from a raster's metadata, and the choice of bands that a user's list makes."""

from __future__ import annotations

import re
from typing import Any

from specvae.errors import UsageError
from specvae.spectra import Band, BandSet

__all__ = ["bands_of", "choose"]

NANOMETRES = {
    "": 1.0, "nm": 1.0, "nanometers": 1.0, "nanometres": 1.0, "nanometer": 1.0, "um": 1e3, "µm": 1e3,
    "micrometers": 1e3, "micrometres": 1e3, "micrometer": 1e3, "microns": 1e3,
}  # fmt: skip


def bands_of(dataset: Any) -> BandSet:
    """Names, centre wavelengths and widths of an open rasterio dataset's bands, from whatever tells them."""
    unit = str(dataset.tags().get("wavelength_units", dataset.tags(ns="ENVI").get("wavelength_units", ""))).lower()
    found = []
    for index in dataset.indexes:
        tags = {k.lower(): v for k, v in dataset.tags(index).items()}
        imagery = dataset.tags(index, ns="IMAGERY")
        name = (dataset.descriptions[index - 1] or "").strip()
        wavelength = _number(tags.get("wavelength"))
        scale = NANOMETRES.get(str(tags.get("wavelength_units", unit)).lower(), 1.0)
        width = _number(tags.get("fwhm"))
        if "CENTRAL_WAVELENGTH_UM" in imagery:
            wavelength, scale = _number(imagery["CENTRAL_WAVELENGTH_UM"]), 1e3
            width = _number(imagery.get("FWHM_UM"))
        if wavelength is None:
            wavelength, scale = _wavelength_in(name)
        if wavelength is not None and wavelength * scale < 100:
            scale = 1e3  # a bare number below 100 can only be micrometres
        found.append(
            Band(
                name,
                None if wavelength is None else wavelength * scale,
                None if width is None or wavelength is None else width * scale,
                dataset.units[index - 1] or "",
            )
        )
    return BandSet(tuple(found))


def _number(text: Any) -> float | None:
    try:
        value = float(str(text).split()[0])
    except (ValueError, IndexError):
        return None
    return value if 0 < value < 1e6 else None


def _wavelength_in(name: str) -> tuple[float | None, float]:
    """A wavelength in a band's name such as ``band 12 (560.2 Nanometers)`` or ``0.56 um``; its scale to nanometres."""
    match = re.search(r"([\d.]+)\s*(nanomet|micromet|nm\b|um\b|µm)", name, re.IGNORECASE)
    if not match:
        return None, 1.0
    micro = match.group(2).lower()[0] in "uµ" or match.group(2).lower().startswith("micro")
    return _number(match.group(1)), 1e3 if micro else 1.0


def choose(text: str, bands: BandSet) -> tuple[int, ...]:
    """0-based indices for a list of names, 1-based numbers, ranges ``5-8`` and wavelength ranges ``450-900nm``.

    Raises UsageError for what names no band.
    """
    names = [name.casefold() for name in bands.names]
    order: list[int] = []
    for item in (part.strip() for part in text.split(",")):
        if not item:
            continue
        wavelengths = re.fullmatch(r"([\d.]+)\s*-\s*([\d.]+)\s*nm", item, re.IGNORECASE)
        numbers = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", item)
        if item.casefold() in names:
            order.append(names.index(item.casefold()))
        elif wavelengths:
            low, high = float(wavelengths.group(1)), float(wavelengths.group(2))
            order += [i for i, b in enumerate(bands) if b.wavelength is not None and low <= b.wavelength <= high]
        elif numbers and 1 <= int(numbers.group(1)) <= int(numbers.group(2) or numbers.group(1)) <= len(bands):
            order += range(int(numbers.group(1)) - 1, int(numbers.group(2) or numbers.group(1)))
        else:
            shown = ", ".join(bands.labels[:20])
            raise UsageError(f"--bands: {item!r} names no band; there are {len(bands)}: {shown}")
    if not order or len(set(order)) != len(order):
        raise UsageError(f"--bands {text!r} names {'no band' if not order else 'a band twice'}; give each band once")
    return tuple(order)
