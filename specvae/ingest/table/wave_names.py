"""Names of columns that hold wavelengths or wavenumbers, and how a wavelength is written as a band's name."""

from __future__ import annotations

import re

__all__ = ["WAVE_NAMES", "written"]

WAVE_NAMES = re.compile(
    r"^(?:(?:band[_ .]?)?(?:wave[_ ]?lengths?|wvl|wl|wave|waves|lambda|λ|wavenumbers?|wave[_ ]number|centre|center|"
    r"wellenl(?:ä|ae)ngen?|wellenzahl(?:en)?|longueurs? d['’]onde|nombre d['’]onde|longitud(?:es)? de onda|n[uú]mero de onda|"
    r"lunghezz[ae] d['’]onda|comprimentos? de onda|golflengten?|våglängd|bølgelængde|bølgelengde|d[łl]ugo[śs][ćc] fali|"
    r"длина волны|波长|波長)"
    r"(?:[_ .]?(?:/ ?)?(?:nm|um|µm|μm|nanomet\w+|micromet\w+|microns?|cm-?1|cm\^-1))?|nm|um|µm|cm-?1|cm\^-1)"
    r"[_ .]*(?:[(\[]\s*(?P<unit>[^)\]]*)[)\]])?$",
    re.I,
)
"""Headers such as ``Wavelength``, ``wl_nm``, ``Wavelength (nm)`` or ``cm-1``."""
UNITS = re.compile(r"(cm\^?-?1|wavenumbers?|nm|nanomet\w+|um|µm|μm|micromet\w+|microns?)", re.I)
"""A unit in such a header."""


def written(wave: float, header: str = "") -> str:
    """A wavelength as the name of its band, with the unit that the ``header`` of its column states.

    Examples
    --------
    >>> written(400.5), written(0.55, "Wavelength (um)"), written(1200, "wavenumber")
    ('400.5', '0.55um', '1200cm-1')
    """
    hit = UNITS.search(header)
    first = hit.group(1)[0].casefold() if hit else ""
    unit = {"c": "cm-1", "w": "cm-1", "n": "nm", "u": "um", "µ": "um", "μ": "um", "m": "um"}.get(first, "")
    return f"{round(wave, 6):.10g}{unit}"
