"""Bands of the common sensors: centre wavelengths and widths in nanometres, and which are not reflective."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from specvae.bands import Band

__all__ = ["SENTINEL2", "SensorBand", "band_name", "band_of", "landsat_bands", "landsat_bands_of", "sensor_bands"]


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
MSS = {"B1": SensorBand(550, 100), "B2": SensorBand(650, 100), "B3": SensorBand(750, 100), "B4": SensorBand(950, 300)}
EARLY_MSS = {
    "B4": SensorBand(550, 100), "B5": SensorBand(650, 100), "B6": SensorBand(750, 100), "B7": SensorBand(950, 300),
    "B8": SensorBand(11500, 2200, THERMAL),
}  # fmt: skip
# Satellites with the same instrument share one table: their bands differ by a few nanometres at most.
LANDSAT = {
    **{sensor + craft: OLI for sensor in "COT" for craft in "89"},
    "E7": ETM,
    **{"T" + craft: TM for craft in "45"},
    **{"M" + craft: MSS for craft in "45"},
    **{"M" + craft: EARLY_MSS for craft in "123"},
}
"""Bands by the sensor's letter and the satellite's number, after USGS, Landsat band designations.

Landsat 4 and 5 carried the TM and the MSS, whose bands of one number lie elsewhere; the MSS of Landsat 1 to 3 counts
its bands from 4.
"""
SENTINEL2 = {
    "B1": SensorBand(443, 21), "B2": SensorBand(492, 66), "B3": SensorBand(560, 36), "B4": SensorBand(665, 31),
    "B5": SensorBand(704, 15), "B6": SensorBand(741, 15), "B7": SensorBand(783, 20), "B8": SensorBand(833, 106),
    "B8A": SensorBand(865, 21), "B9": SensorBand(945, 20), "B10": SensorBand(1374, 31), "B11": SensorBand(1614, 91),
    "B12": SensorBand(2202, 175),
}  # fmt: skip
"""Bands of the MSI, after ESA, Sentinel-2A MSI spectral responses."""
LANDSAT_NAME = re.compile(r"(?:^|[^A-Za-z])L([COTEM])0?([1-9])(?=[_\d])", re.I)
HLS_NAME = re.compile(r"(?:^|[^A-Za-z])HLS[._]([LS])30[._]", re.I)
"""A granule of Harmonized Landsat Sentinel-2: L30 has the names and bands of the OLI, S30 those of the MSI."""
SENTINEL2_NAME = re.compile(r"^(?:L[12][AC]_)?(?:S2[A-D][_\-]|T\d{2}[C-HJ-NP-X][A-HJ-NP-Z]{2}_)", re.I)
"""How names of Sentinel-2 files begin: with the satellite, or with the tile, whose zone and square are letters of MGRS."""
SENSORS = {"MSS": "M", "TM": "T", "ETM": "E", "OLI": "C", "TIRS": "C"}
"""The letter of a sensor in the names of Landsat's files, by how its SENSOR_ID begins."""
BAND = re.compile(r"^(?:sr_|st_|toa_)?(?:band_?|b)0*(\d{1,3}a?)$", re.I)


def landsat_bands(name: str) -> dict[str, SensorBand] | None:
    """The bands of the Landsat that a file or folder is named after (``LC08_...``, ``LC8...``), or None."""
    hit = LANDSAT_NAME.search(name)
    return LANDSAT.get(hit.group(1).upper() + hit.group(2)) if hit else None


def landsat_bands_of(spacecraft: str, sensor: str) -> dict[str, SensorBand] | None:
    """The bands by SPACECRAFT_ID (``LANDSAT_8``) and SENSOR_ID (``OLI_TIRS``) of a metadata file, or None."""
    craft = spacecraft[-1:]
    letter = next((SENSORS[name] for name in SENSORS if sensor.upper().startswith(name)), "")
    usual = {"8": "C", "9": "C", "7": "E", "5": "T", "4": "T"}.get(craft, "M")
    return LANDSAT.get((letter or usual) + craft)


def sensor_bands(name: str) -> Mapping[str, SensorBand]:
    """The bands of the sensor, other than Landsat's, that a file is named after; empty where the name tells none."""
    if hit := HLS_NAME.search(name):
        return OLI if hit.group(1).upper() == "L" else SENTINEL2
    # B4 is red on Sentinel-2, near infrared on Landsat 5: without a name that says whose, no wavelength is assumed.
    return SENTINEL2 if SENTINEL2_NAME.match(name) else {}


def band_name(token: str) -> str:
    """A band's name in one spelling: ``sr_band1``, ``B01`` and ``band_1`` are ``B1``; any other token as it is."""
    hit = BAND.match(token)
    return f"B{hit.group(1).upper()}" if hit else token


def band_of(sensor: Mapping[str, SensorBand], name: str) -> Band:
    """The band of this name with the sensor's wavelength and width; the name alone where the sensor has no such band."""
    known = sensor.get(name)
    return Band(name, known.wavelength, known.width) if known else Band(name)
