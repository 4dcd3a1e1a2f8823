"""Bands by the metadata of a dataset: names, wavelengths, scales, fills, and which of them are not spectral."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.layer import Layer

__all__ = ["band_from_tags", "categorical", "float_or", "layers_of", "listed", "misstated", "nanometres"]

UNITS = {
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "micrometer", "micrometre"), 1e3),
    **{"mm": 1e6, "m": 1e9, "angstrom": 0.1},
}
"""Nanometres in a unit of length, by its names in the singular."""
RECIPROCAL = {"wavenumber": 1e7, "cm-1": 1e7, "thz": 299_792.458, "ghz": 299_792_458.0, "mhz": 299_792_458_000.0}
"""Nanometres times the unit, of wave numbers and of frequencies in vacuum: the wavelength is this over the number."""
IN_NAME = re.compile(r"[\s,;]*(?:central wavelength\s+|\(\s*)([\d.]+(?:e-?\d+)?)\s*([a-zµμ]*)\s*\)?\s*$", re.I)
"""A wavelength at the end of a name, in brackets or after the words ``central wavelength``."""
ONLY_WAVELENGTH = re.compile(r"^\d+(?:\.\d+)?\s*(?:nano|micro)?(?:nm|um|µm|μm|microns?|met(?:er|re)s?)?$", re.I)
"""A name that is a wavelength and nothing else."""
NUMBERED = re.compile(r"^(?:band|layer|channel|b|ch|bd)[\s_#]*0*(\d+)$", re.I)
"""A name that is only the band's number."""

WAVELENGTH_TAGS = (
    "wavelength",
    "center_wavelength",
    "centre_wavelength",
    "central_wavelength",
    "wavelengths",
    "netcdf_dim_wavelength",
    "netcdf_dim_wavelengths",
    "netcdf_dim_wl",
)
"""Tags of a band that hold its wavelength, the most trusted first."""

CATEGORICAL = re.compile(
    r"(?:^|[^a-z])(scl|fmask|qa|qa_?pixel|pixel_?qa|bqa|qa_?\d\d|radsat(?:_qa)?|sr_aerosol|aerosol_?qa|cloud_?mask|"
    r"cloud_?prob(?:ability)?|cldprb|snwprb|msk_[a-z]+|mask|classification|class|labels?|quality|dataset_?mask|"
    r"data_?mask|clm|clp|valid_?mask|scene_?classification)(?:$|[^a-z])",
    re.I,
)
"""Names of bands that hold classes, flags or probabilities rather than spectra."""
THERMAL = re.compile(
    r"(?:^|[^a-z])(thermal|tirs?\d?|lwir\d?|st_b\d+|bt_b\d+|surface_?temp\w*|brightness_?temp\w*)", re.I
)
"""Names of bands that measure emitted rather than reflected light."""
THERMAL_NM = 6000.0
"""Wavelength from which a band is thermal: what the ground emits exceeds what it reflects."""
LARGEST_MICROMETRES = 50.0
"""Numbers below this are taken for micrometres where no unit is stated, for no optical band is at 50 nm."""
LONGEST_NM = 100_000.0
"""A stated unit that makes a wavelength longer than this is judged to be wrong: 420 micrometres are 420 nm."""
GAPLESS = 0.1
"""Step between two bands as a share of the wavelength, below which a spectrum goes on without a gap."""
WHOLE_SPECTRUM = 16
"""Bands beyond ``THERMAL_NM``, at least, that are a spectrum in the mid-infrared rather than a camera's thermal bands."""


def nanometres(value: object, unit: str = "") -> float | None:
    """A wavelength in nm, its unit guessed from its size where none is stated; None where it is no wavelength."""
    try:
        number = float(str(value).strip())
    except ValueError:
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    unit = unit.strip().casefold().rstrip("s")
    if unit in RECIPROCAL:
        return round(RECIPROCAL[unit] / number, 6)
    # ENVI writes the unit `Index` where the numbers only count the bands.
    if unit == "index":
        return None
    factor = UNITS.get(unit)
    if factor is None:
        factor = 1e3 if number < LARGEST_MICROMETRES else 1.0
    # In binary, 1.001 um becomes 1000.9999999999999 nm: rounded, so that labels read well and equal bands compare
    # equal.
    return round(number * factor, 6)


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
    factor = UNITS.get(unit.strip().casefold().rstrip("s"))
    return factor is not None and not LARGEST_MICROMETRES <= number * factor <= LONGEST_NM


def listed(text: str | None) -> list[str]:
    """The items of a list as ENVI headers write it, ``{a, b, c}``."""
    items = [item.strip() for item in (text or "").strip().strip("{}").split(",")] if text else []
    # Some programs put a comma behind the last item, or before the first.
    return [item for at, item in enumerate(items) if item or 0 < at < len(items) - 1]


def categorical(name: str) -> bool:
    """Whether a band of this name holds classes or flags."""
    return bool(CATEGORICAL.search(name))


def band_from_tags(tags: dict[str, str], imagery: dict[str, str], name: str) -> Band:
    """A band from its own metadata: wavelength tags first, then the IMAGERY domain, then a wavelength in its name."""
    low = {key.casefold(): value for key, value in tags.items()}
    unit = low.get("wavelength_units") or low.get("wavelength_unit") or ""
    centre = width = None
    for key in WAVELENGTH_TAGS:
        centre = centre or centre_nanometres(low.get(key, ""), unit)
    # GDAL rounds the wavelength of an ENVI header to whole nanometres here, so that the header's own comes first.
    centre = centre or centre_nanometres(imagery.get("CENTRAL_WAVELENGTH_UM", ""), "um")
    if centre is not None and width is None and (stated := low.get("fwhm") or low.get("bandwidth")):
        # No band is narrower than 1 nm in the files met, so that a smaller width without a unit is in micrometres.
        width = nanometres(stated, unit or low.get("bandwidth_unit") or ("um" if float_or(stated) < 1 else "nm"))
    width = width or nanometres(imagery.get("FWHM_UM", ""), "um")
    name, in_name = _name_and_wavelength(low.get("bandname") or name)
    if centre and ONLY_WAVELENGTH.match(name):
        name = ""  # GDAL calls a band of an ENVI file without a name `552 Nanometers`
    return Band(name, centre or in_name, width, low.get("units", ""))


def float_or(text: str, default: float = math.nan) -> float:
    """A text as a number, or ``default`` where it is none."""
    try:
        return float(text)
    except ValueError:
        return default


def _name_and_wavelength(name: str) -> tuple[str, float | None]:
    """A name without the wavelength at its end, and that wavelength: ``band 1 (418.24 Nanometers)`` has 418.24.

    A number in brackets without a unit counts as one from 300 to 15000.
    """
    wavelength: float | None = None
    # More than once: GDAL adds the wavelength to the names of an ENVI header that may hold it already.
    while hit := IN_NAME.search(name):
        unit = hit.group(2).casefold().rstrip("s")
        value = nanometres(hit.group(1), unit) if float_or(hit.group(1)) > 0 else None
        if value is None or (unit and unit not in UNITS) or (not unit and not 300 <= value <= 15000):
            break
        wavelength, name = value, name[: hit.start()]
    return name.strip(), wavelength


def layers_of(dataset: DatasetReader, path: str) -> list[Layer]:
    """Every band of an open dataset, those that are not spectral marked with the reason in ``left_out``."""
    lists = _BandLists.of(dataset)
    layers = [_layer(dataset, lists, path, index) for index in dataset.indexes]
    layers = _with_envi(layers, dataset.tags(ns="ENVI"))
    layers = _without_empty_names(layers)
    is_spectrum = _is_whole([layer.band.wavelength for layer in layers if layer.band.wavelength])
    return [replace(layer, left_out=layer.left_out or _reason(layer, lists, is_spectrum)) for layer in layers]


def _is_whole(wavelengths: Sequence[float]) -> bool:
    """Whether bands beyond ``THERMAL_NM`` are part of a spectrum in the mid-infrared, rather than a camera's thermal bands.

    A spectrometer has many there, or measures nothing else, or goes on across that wavelength without a gap.
    """
    beyond = [w for w in wavelengths if w > THERMAL_NM]
    below = [w for w in wavelengths if w <= THERMAL_NM]
    if not beyond or not below or len(beyond) >= WHOLE_SPECTRUM:
        return len(beyond) > 1
    return len(beyond) > 2 and min(beyond) / max(below) < 1 + GAPLESS


@dataclass(frozen=True)
class _BandLists:
    """Lists over all bands of a dataset, taken once: rasterio gathers each anew, over all bands, at every access."""

    descriptions: tuple[str | None, ...]
    units: tuple[str | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    dtypes: tuple[str, ...]
    nodata: tuple[float | None, ...]
    masks: tuple[list[MaskFlags], ...]
    colours: tuple[ColorInterp, ...]

    @classmethod
    def of(cls, dataset: DatasetReader) -> _BandLists:
        """The lists of an open dataset."""
        return cls(
            descriptions=dataset.descriptions,
            units=dataset.units,
            scales=dataset.scales,
            offsets=dataset.offsets,
            dtypes=dataset.dtypes,
            nodata=dataset.nodatavals,
            masks=tuple(dataset.mask_flag_enums),
            colours=tuple(dataset.colorinterp),
        )


def _layer(dataset: DatasetReader, lists: _BandLists, path: str, index: int) -> Layer:
    """One band by its own metadata. Raises InputError for a scale or offset that makes no sense."""
    at = index - 1
    tags = dataset.tags(index)
    name = " ".join((lists.descriptions[at] or tags.get("long_name") or "").split())
    band = band_from_tags(tags, dataset.tags(index, ns="IMAGERY"), name)
    unit = (lists.units[at] or band.unit or "").strip()
    scale, offset = float(lists.scales[at]), float(lists.offsets[at])
    if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0:
        raise InputError(f"{path}: band {index} has scale {scale:g} and offset {offset:g}; they must be finite, not 0")
    # ENVI's list of bad bands (bbl) says 1 of a good one and 0 of a bad one.
    bad = "marked bad in its metadata" if tags.get("bbl", "").strip() == "0" else None
    # Beside a mask in the file, a nodata value may be a measured one: GDAL goes by the mask alone, and so do we.
    nodata = None if _masked_instead(lists, at) else lists.nodata[at]
    saturated = _number(tags.get("SATURATED"))
    return Layer(path, index, replace(band, unit=unit), lists.dtypes[at], scale, offset, nodata, saturated, bad)


def _masked_instead(lists: _BandLists, at: int) -> bool:
    """Whether a mask of the file says what is valid, whatever nodata value is declared beside it, as GDAL has it."""
    return set(lists.masks[at]) == {MaskFlags.per_dataset} and lists.nodata[at] is not None


def _number(text: str | None) -> float | None:
    """A text as a number other than NaN, or None."""
    value = float_or(text) if text else math.nan
    return None if math.isnan(value) else value


def _with_envi(layers: list[Layer], envi: dict[str, str]) -> list[Layer]:
    """Wavelengths, widths and bad bands from an ENVI header, where bands do not carry them themselves."""
    unit = envi.get("wavelength_units", "")
    # Lists of another length than the bands are passed over: programs write a subset of the bands and keep the header.
    centres, widths, good = listed(envi.get("wavelength")), listed(envi.get("fwhm")), listed(envi.get("bbl"))
    out = []
    for at, layer in enumerate(layers):
        band = layer.band
        if band.wavelength is None and len(centres) == len(layers):
            band = replace(band, wavelength=centre_nanometres(centres[at], unit))
        if band.width is None and band.wavelength is not None and len(widths) == len(layers):
            band = replace(band, width=_width(widths[at], unit, centres[at] if centres else ""))
        bad = len(good) == len(layers) and float_or(good[at], 1.0) == 0
        out.append(replace(layer, band=band, left_out="marked bad in its header" if bad else layer.left_out))
    return out


def _width(width: str, unit: str, centre: str) -> float | None:
    """A width in the unit of its centre, which is guessed from the centre where it is not stated."""
    if unit.strip().casefold().rstrip("s") in UNITS:
        return nanometres(width, unit)
    return nanometres(width, "um" if float_or(centre, 500.0) < 50 else "nm")


def _without_empty_names(layers: list[Layer]) -> list[Layer]:
    """Names that only repeat the band's number (``Band 3`` for the third), or each other, say nothing: dropped."""
    if len(layers) > 1 and len({layer.band.name for layer in layers}) == 1:
        return [replace(layer, band=replace(layer.band, name="")) for layer in layers]
    hits = [NUMBERED.match(layer.band.name) for layer in layers]
    spoken = [layer.band.name.casefold().startswith(("band", "layer", "channel")) for layer in layers]
    if not all(h and s and int(h.group(1)) == at for at, (h, s) in enumerate(zip(hits, spoken, strict=True), 1)):
        return layers
    return [replace(layer, band=replace(layer.band, name="")) for layer in layers]


def _reason(layer: Layer, lists: _BandLists, is_spectrum: bool) -> str | None:
    """Why this band is not spectral, by its colour interpretation, name or wavelength; None where it is.

    ``is_spectrum``: bands in the thermal infrared belong to a spectrum there.
    """
    interpretation = lists.colours[layer.index - 1].name
    # Alpha first: it is the only one of these that is used, as the mask.
    if interpretation == "alpha":
        return "alpha, used as the mask"
    if categorical(layer.band.name):
        return "classes or flags, not spectra"
    if interpretation == "palette":
        return "classes with colours, not spectra"
    if THERMAL.search(layer.band.name) or (not is_spectrum and (layer.band.wavelength or 0) > THERMAL_NM):
        return "thermal"
    return None
