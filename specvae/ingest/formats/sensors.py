"""Bands of the common sensors: centre wavelengths and widths in nanometres, and which are not reflective."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from specvae.bands import Band

__all__ = ["SENTINEL2", "SensorBand", "band_name", "band_of", "landsat_bands"]


@dataclass(frozen=True)
class SensorBand:
    """One band of a sensor."""

    wavelength: float
    """Centre, nanometres."""
    width: float
    """Full width at half maximum, nanometres."""
    left_out: str | None = None
    """Why the band is not used unless asked for (``thermal``, ``panchromatic``); None = used."""


THERMAL, PAN = "thermal", "panchromatic"
OLI = {
    "B1": SensorBand(443, 16), "B2": SensorBand(482, 60), "B3": SensorBand(561, 57), "B4": SensorBand(655, 37),
    "B5": SensorBand(865, 28), "B6": SensorBand(1609, 85), "B7": SensorBand(2201, 187), "B8": SensorBand(590, 172, PAN),
    "B9": SensorBand(1373, 20), "B10": SensorBand(10895, 590, THERMAL), "B11": SensorBand(12005, 1010, THERMAL),
}  # fmt: skip
ETM = {
    "B1": SensorBand(483, 66), "B2": SensorBand(560, 80), "B3": SensorBand(662, 64), "B4": SensorBand(835, 127),
    "B5": SensorBand(1648, 200), "B6": SensorBand(11335, 2000, THERMAL), "B7": SensorBand(2206, 272),
    "B8": SensorBand(706, 386, PAN),
}  # fmt: skip
TM = {
    "B1": SensorBand(486, 66), "B2": SensorBand(571, 81), "B3": SensorBand(660, 67), "B4": SensorBand(838, 128),
    "B5": SensorBand(1677, 217), "B6": SensorBand(11430, 2050, THERMAL), "B7": SensorBand(2217, 252),
}  # fmt: skip
# Satellites with the same instrument share one table: their bands differ by a few nanometres at most.
LANDSAT = {"8": OLI, "9": OLI, "7": ETM, "5": TM, "4": TM}
"""Bands by the satellite's number, after USGS, Landsat band designations."""
SENTINEL2 = {
    "B1": SensorBand(443, 21), "B2": SensorBand(492, 66), "B3": SensorBand(560, 36), "B4": SensorBand(665, 31),
    "B5": SensorBand(704, 15), "B6": SensorBand(741, 15), "B7": SensorBand(783, 20), "B8": SensorBand(833, 106),
    "B8A": SensorBand(865, 21), "B9": SensorBand(945, 20), "B10": SensorBand(1374, 31), "B11": SensorBand(1614, 91),
    "B12": SensorBand(2202, 175),
}  # fmt: skip
"""Bands of the MSI, after ESA, Sentinel-2A MSI spectral responses."""
LANDSAT_NAME = re.compile(r"(?:^|[^A-Za-z])L[COTEM]0?([45789])(?=[_\d])", re.I)
BAND = re.compile(r"^(?:sr_|st_|toa_)?(?:band_?|b)0*(\d{1,3}a?)$", re.I)


def landsat_bands(name: str) -> dict[str, SensorBand] | None:
    """The bands of the Landsat that a file or folder is named after (``LC08_...``, ``LC8...``), or None."""
    hit = LANDSAT_NAME.search(name)
    return LANDSAT[hit.group(1)] if hit else None


def band_name(token: str) -> str:
    """A band's name in one spelling: ``sr_band1``, ``B01`` and ``band_1`` are ``B1``; any other token as it is."""
    hit = BAND.match(token)
    return f"B{hit.group(1).upper()}" if hit else token


def band_of(sensor: Mapping[str, SensorBand], name: str) -> Band:
    """The band of this name with the sensor's wavelength and width; the name alone where the sensor has no such band."""
    known = sensor.get(name)
    return Band(name, known.wavelength, known.width) if known else Band(name)
