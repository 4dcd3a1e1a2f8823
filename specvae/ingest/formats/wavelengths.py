"""Wavelengths and widths of bands in nm, out of numbers and units as metadata write them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

__all__ = [
    "UNITS",
    "centre_nanometres",
    "float_or",
    "is_known",
    "listed",
    "misstated",
    "nanometres",
    "width_nanometres",
    "without_unit",
]

UNITS = {
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "micrometer", "micrometre"), 1e3),
    **dict.fromkeys(("m", "meter", "metre"), 1e9),
    **{"mm": 1e6, "cm": 1e7},
    **dict.fromkeys(("angstrom", "ångström", "ångstrom", "å"), 0.1),
}
"""Nanometres in a unit of length, by its names in the singular."""
RECIPROCAL = {
    **dict.fromkeys(("wavenumber", "cm-1", "cm^-1", "1/cm"), 1e7),
    **{"thz": 299_792.458, "ghz": 299_792_458.0, "mhz": 299_792_458_000.0},
}
"""Nanometres times the unit, of wave numbers and of frequencies in vacuum: the wavelength is this over the number."""
WITH_UNIT = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-zµμ]+(?:\^?-1)?)\s*$", re.I)
"""A number with a unit behind it."""
LARGEST_METRES = 1e-4
"""Numbers below this are taken for metres where no unit is stated: light of 0.1 nm is no light of a scene."""
LARGEST_MICROMETRES = 50.0
"""Numbers below this are taken for micrometres where no unit is stated, for no optical band is at 50 nm."""
LONGEST_NM = 100_000.0
"""A stated unit that makes a wavelength longer than this is judged to be wrong: 420 micrometres are 420 nm."""
NARROWEST_NM = 0.1
"""No imaging spectrometer has narrower bands: smaller numbers are micrometres."""


def nanometres(value: object, unit: str = "") -> float | None:
    """A wavelength in nm, its unit guessed from its size where none is stated; None where it is no wavelength."""
    try:
        number = float(str(value).strip())
    except ValueError:
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    unit = singular(unit)
    if unit in RECIPROCAL:
        return round(RECIPROCAL[unit] / number, 6)
    # ENVI writes the unit `Index` where the numbers only count the bands.
    if unit == "index":
        return None
    factor = UNITS.get(unit)
    if factor is None:
        factor = 1e9 if number < LARGEST_METRES else 1e3 if number < LARGEST_MICROMETRES else 1.0
    # In binary, 1.001 um becomes 1000.9999999999999 nm: rounded, so that labels read well and equal bands compare
    # equal.
    return round(number * factor, 6)


def is_known(unit: str) -> bool:
    """Whether a unit is one of wavelengths, wave numbers or frequencies."""
    return singular(unit) in UNITS or singular(unit) in RECIPROCAL


def singular(unit: str) -> str:
    """A unit in lower case and the singular, without blanks in it: ``nano metres`` is ``nanometre``."""
    return unit.replace(" ", "").casefold().rstrip("s")


def centre_nanometres(value: object, unit: str = "") -> float | None:
    """A band's centre in nm as :func:`nanometres` has it, but by its size where the stated unit cannot be its own."""
    number = float_or(str(value))
    return nanometres(value, "" if misstated(number, unit) else unit)


def misstated(number: float, unit: str) -> bool:
    """Whether a stated unit of length cannot be that of a wavelength, by its size.

    Examples
    --------
    >>> misstated(420.0, "Micrometers"), misstated(0.42, "nm"), misstated(0.42, "um")
    (True, True, False)
    """
    factor = UNITS.get(singular(unit))
    return factor is not None and not LARGEST_MICROMETRES <= number * factor <= LONGEST_NM


def listed(text: str | None) -> list[str]:
    """The items of a list as ENVI headers write it, ``{a, b, c}``."""
    items = [item.strip() for item in (text or "").strip().strip("{}").split(",")] if text else []
    # Some programs put a comma behind the last item, or before the first.
    return [item for at, item in enumerate(items) if item or 0 < at < len(items) - 1]


def without_unit(items: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The items of a list without the unit that stands behind each number, and that unit; as they are where they differ.

    Examples
    --------
    >>> without_unit(["450.0 nm", "500 nm"]), without_unit(["450", "500"])
    ((('450.0', '500'), 'nm'), (('450', '500'), ''))
    """
    hits = [WITH_UNIT.match(item) for item in items]
    units = {hit.group(2) for hit in hits if hit}
    if len(units) != 1 or not all(hits):
        return tuple(items), ""
    return tuple(hit.group(1) for hit in hits if hit), units.pop()


def width_nanometres(value: str, unit: str, centre: float | None) -> float | None:
    """A band's width in nm, its unit judged by its size beside the band's ``centre`` in nm where the stated one cannot be.

    Examples
    --------
    >>> width_nanometres("10", "nm", 500.0), width_nanometres("10", "um", 500.0), width_nanometres("0.01", "nm", 500.0)
    (10.0, 10.0, 10.0)
    """
    width = nanometres(value, unit if singular(unit) in UNITS else "nm")
    if width is None or centre is None:
        return None
    if width >= centre:
        width = round(width / 1000, 6)
    return round(width * 1000, 6) if width < NARROWEST_NM else width


def float_or(text: str, default: float = math.nan) -> float:
    """A text as a number, or ``default`` where it is none."""
    try:
        return float(text)
    except ValueError:
        return default
