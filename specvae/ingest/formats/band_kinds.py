"""Which bands are spectra: by their names and wavelengths, rather than classes, heat, or what was derived from light."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["THERMAL_NM", "categorical", "is_whole_spectrum", "why_beside_bands", "why_no_spectrum"]

CATEGORICAL = re.compile(
    r"(?:^|[^a-z])(scl|fmask|qa|qa_?pixel|pixel_?qa|bqa|qa_?\d\d|radsat(?:_qa)?|sr_aerosol|aerosol_?qa|cloud_?mask|"
    r"cloud_?prob(?:ability)?|cldprb|snwprb|msk_[a-z]+|mask|classification|class|labels?|quality|dataset_?mask|"
    r"data_?mask|clm|clp|valid_?mask|scene_?classification|(?:state|detailed|summary)_?qa|state_\d+k?m|qc(?:_\d+k?m)?|"
    r"qf\d+|[gl]?flags?)(?:$|[^a-z])",
    re.I,
)
"""Names of bands that hold classes, flags or probabilities rather than spectra."""
THERMAL = re.compile(
    r"(?:^|[^a-z])(thermal|tirs?\d?|lwir\d?|st_b\d+|bt_b\d+|surface_?temp\w*|brightness_?temp\w*)", re.I
)
"""Names of bands that measure emitted rather than reflected light."""
THERMAL_NM = 6000.0
"""Wavelength from which a band is thermal: what the ground emits exceeds what it reflects."""
DERIVED = re.compile(
    r"(?:^|[^a-z])(aot|wvp|tci(?:_?[rgb])?|st_(?:atran|cdist|drad|emis|emsd|trad|urad)|true_?colou?r|"
    r"(?:solar|sun|view|sensor|relative)_?(?:zenith|azimuth)(?:_?angle)?|(?:local_?)?(?:incidence_?)?angle|[svr][za]a|"
    r"num_?observations(?:_\d+k?m)?|obscov(?:_\d+k?m)?|iobs_?res|(?:orbit|granule)_?pnt|q_scan)(?:$|[^a-z])",
    re.I,
)
"""Names of bands that were derived: aerosol, water vapour, pictures, parts of a surface temperature, angles, counts."""
INDICES = re.compile(
    r"^(?:mean[_ ]|median[_ ])?(?:[mgw]?ndvi\d?|[mg]?ndwi|ndmi|ndsi|ndbi|ndre\d?|ndti|ndci|evi\d?|[mo]?savi\d?|nbr\d?|dnbr|rdnbr|"
    r"arvi|gci|mcari\d?|mtci|pri|psri|sipi|lswi|bsi|ui|cri\d?|vari|tcari|osavi|kndvi|nirv|lai|fapar|fcover|chl(?:or)?_?a)"
    r"(?:[_ ](?:mean|median|max|min))?$",
    re.I,
)
"""Names of indices, which are computed of other bands."""
TERRAIN = re.compile(r"^(?:dem|dsm|dtm|elev(?:ation)?|altitude|slope|aspect|hill_?shade|range)$", re.I)
"""Names of bands that hold the shape of the ground, or how far away it is."""
PLACES = re.compile(r"^(?:lon(?:gitude)?|lat(?:itude)?|date|doy|day_?of_?year|time|timestamp|year|month)$", re.I)
"""Names of bands that say where or when a pixel was seen."""
GAPLESS = 0.25
"""Step between two bands as a share of the wavelength, below which a spectrum goes on without a gap."""
WHOLE_SPECTRUM = 16
"""Bands beyond ``THERMAL_NM``, at least, that are a spectrum in the mid-infrared rather than a camera's thermal bands."""


def categorical(name: str) -> bool:
    """Whether a band of this name holds classes or flags."""
    return bool(CATEGORICAL.search(name))


def why_no_spectrum(name: str) -> str | None:
    """Why a band of this name is no spectrum, in words; None where the name says nothing of the kind.

    Examples
    --------
    >>> why_no_spectrum("SCL"), why_no_spectrum("AOT"), why_no_spectrum("B04")
    ('classes or flags, not spectra', 'derived, not measured light', None)
    """
    if CATEGORICAL.search(name):
        return "classes or flags, not spectra"
    if DERIVED.search(name):
        return "derived, not measured light"
    return "thermal" if THERMAL.search(name) else None


def why_beside_bands(name: str) -> str | None:
    """Why a band beside others is none by its name: an index of them, terrain, a place or a time; None where it says nothing such.

    Examples
    --------
    >>> why_beside_bands("NDVI"), why_beside_bands("nir")
    ('an index, computed of other bands', None)
    """
    if PLACES.match(name.strip()):
        return "a place or a time"
    if TERRAIN.match(name.strip()):
        return "terrain, not measured light"
    return "an index, computed of other bands" if INDICES.match(name.strip()) else None


def is_whole_spectrum(wavelengths: Sequence[float]) -> bool:
    """Whether bands beyond ``THERMAL_NM`` are part of a spectrum in the mid-infrared, rather than a camera's thermal bands.

    A spectrometer has many there, or measures nothing else, or goes on across that wavelength without a gap.
    """
    beyond = [w for w in wavelengths if w > THERMAL_NM]
    below = [w for w in wavelengths if w <= THERMAL_NM]
    if not beyond or not below or len(beyond) >= WHOLE_SPECTRUM:
        return len(beyond) > 1
    return len(beyond) > 2 and min(beyond) / max(below) < 1 + GAPLESS
