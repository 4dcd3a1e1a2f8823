"""The band that a camera of a drone states in its pictures: MicaSense, Parrot and DJI in XMP, in the names that Pix4D reads."""

from __future__ import annotations

import re

from specvae.bands import Band
from specvae.ingest.formats.wavelengths import nanometres, width_nanometres

__all__ = ["camera_band"]

VALUE = r"Camera:{key}\s*(?:=\s*[\"']|>\s*(?:<rdf:(?:Seq|Bag|Alt)>\s*<rdf:li[^>]*>)?)\s*([^\"'<]+)"
"""A value of XMP, which is an attribute, an element, or the first item of a list in one."""
LONGEST = 1 << 20
"""Characters of XMP that are looked at."""


def camera_band(xmp: str) -> Band | None:
    """Name, wavelength and width in nm of the one band of a picture; None where its XMP states no wavelength.

    Examples
    --------
    >>> camera_band('<x Camera:BandName="Red edge" Camera:CentralWavelength="717" Camera:WavelengthFWHM="12"/>')
    Band(name='Red edge', wavelength=717.0, width=12.0, unit='')
    """
    name, centre, width = (_value(xmp, key) for key in ("BandName", "CentralWavelength", "WavelengthFWHM"))
    wavelength = nanometres(centre)
    return None if wavelength is None else Band(name, wavelength, width_nanometres(width, "nm", wavelength))


def _value(xmp: str, key: str) -> str:
    """The value of a key, empty where there is none."""
    hit = re.search(VALUE.format(key=key), xmp[:LONGEST])
    return " ".join(hit.group(1).split()) if hit else ""
