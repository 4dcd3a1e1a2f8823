"""What a dataset's metadata say about its bands: names, wavelengths, scales, fills, and which are not spectral."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from rasterio.enums import MaskFlags

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.layer import Layer

__all__ = ["band_from_tags", "categorical", "layers_of", "listed", "nanometres"]

UNITS = {"nm": 1.0, "nanometer": 1.0, "nanometre": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3,
         "micrometer": 1e3, "micrometre": 1e3, "mm": 1e6, "m": 1e9, "angstrom": 0.1}  # fmt: skip
"""Nanometres in a unit."""
RECIPROCAL = {"wavenumber": 1e7, "cm-1": 1e7, "thz": 299_792.458, "ghz": 299_792_458.0, "mhz": 299_792_458_000.0}
"""Nanometres times the unit: wave numbers and frequencies in vacuum."""
IN_NAME = re.compile(r"[\s,;]*(?:central wavelength\s+|\(\s*)([\d.]+(?:e-?\d+)?)\s*([a-zµμ]*)\s*\)?\s*$", re.I)
NUMBERED = re.compile(r"^(?:band|layer|channel|b|ch|bd)[\s_#]*0*(\d+)$", re.I)

WAVELENGTH_TAGS = ("wavelength", "center_wavelength", "centre_wavelength", "central_wavelength", "wavelengths",
                   "netcdf_dim_wavelength", "netcdf_dim_wavelengths", "netcdf_dim_wl")  # fmt: skip

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
THERMAL_NM = 6000.0


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
    factor = UNITS.get(unit)
    if unit == "index":
        return None
    if factor is None:
        factor = 1e3 if number < 50 else 1.0
    return round(number * factor, 6)


def listed(text: str | None) -> list[str]:
    """The items of an ENVI list, ``{a, b, c}``."""
    return [item.strip() for item in (text or "").strip().strip("{}").split(",")] if text else []


def categorical(name: str) -> bool:
    """Whether a band of this name holds classes or flags."""
    return bool(CATEGORICAL.search(name))


def band_from_tags(tags: dict[str, str], imagery: dict[str, str], name: str) -> Band:
    """A band from its own metadata: IMAGERY domain first, then wavelength tags, then a wavelength in its name."""
    low = {key.casefold(): value for key, value in tags.items()}
    unit = low.get("wavelength_units") or low.get("wavelength_unit") or ""
    centre = nanometres(imagery.get("CENTRAL_WAVELENGTH_UM", ""), "um")
    width = nanometres(imagery.get("FWHM_UM", ""), "um")
    for key in WAVELENGTH_TAGS:
        centre = centre or nanometres(low.get(key, ""), unit)
    if centre is not None and width is None and (told := low.get("fwhm") or low.get("bandwidth")):
        width = nanometres(told, unit or low.get("bandwidth_unit") or ("um" if float_or(told) < 1 else "nm"))
    name, in_name = _name_and_wavelength(low.get("bandname") or name)
    return Band(name, centre or in_name, width, low.get("units", ""))


def float_or(text: str, default: float = math.nan) -> float:
    """``text`` as a number, or ``default``."""
    try:
        return float(text)
    except ValueError:
        return default


def _name_and_wavelength(name: str) -> tuple[str, float | None]:
    """``band 1 (418.24 Nanometers)`` -> (``band 1``, 418.24); a bare number in brackets counts from 300 to 15000."""
    found: float | None = None
    while hit := IN_NAME.search(name):
        unit = hit.group(2).casefold().rstrip("s")
        value = nanometres(hit.group(1), unit) if float_or(hit.group(1)) > 0 else None
        if value is None or (unit and unit not in UNITS) or (not unit and not 300 <= value <= 15000):
            break
        found, name = value, name[: hit.start()]
    return name.strip(), found


def layers_of(dataset: Any, path: str) -> list[Layer]:
    """Every band of an open dataset, those that are not spectral marked with the reason in ``left_out``."""
    _refuse_complex(dataset, path)
    told = _Told.of(dataset)
    layers = [_layer(dataset, told, path, index) for index in dataset.indexes]
    layers = _with_envi(layers, dataset.tags(ns="ENVI"))
    layers = _without_empty_names(layers)
    return [replace(layer, left_out=layer.left_out or _reason(layer, told)) for layer in layers]


@dataclass(frozen=True)
class _Told:
    """What a dataset says of all its bands: rasterio gathers each list anew, over all bands, whenever it is asked."""

    descriptions: tuple[str | None, ...]
    units: tuple[str | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    dtypes: tuple[str, ...]
    nodata: tuple[float | None, ...]
    masks: tuple[Any, ...]
    colours: tuple[Any, ...]

    @classmethod
    def of(cls, dataset: Any) -> _Told:
        """Everything, once."""
        return cls(
            dataset.descriptions, dataset.units, dataset.scales, dataset.offsets, dataset.dtypes, dataset.nodatavals,
            tuple(dataset.mask_flag_enums), tuple(dataset.colorinterp),
        )  # fmt: skip


def _refuse_complex(dataset: Any, path: str) -> None:
    odd = next((d for d in dataset.dtypes if d.startswith("complex")), None)
    if odd:
        raise InputError(f"{path} holds complex values ({odd}); give real ones, such as its magnitude or intensity")


def _layer(dataset: Any, told: _Told, path: str, index: int) -> Layer:
    at = index - 1
    tags = dataset.tags(index)
    name = " ".join((told.descriptions[at] or tags.get("long_name") or "").split())
    band = band_from_tags(tags, dataset.tags(index, ns="IMAGERY"), name)
    unit = (told.units[at] or band.unit or "").strip()
    scale, offset = float(told.scales[at]), float(told.offsets[at])
    if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0:
        raise InputError(f"{path}: band {index} has scale {scale:g} and offset {offset:g}; they must be finite, not 0")
    bad = "marked bad in its metadata" if tags.get("bbl", "").strip() == "0" else None
    nodata = None if _masked_instead(told, at) else told.nodata[at]
    return Layer(path, index, replace(band, unit=unit), told.dtypes[at], scale, offset, nodata,
                 _number(tags.get("SATURATED")), bad)  # fmt: skip


def _masked_instead(told: _Told, at: int) -> bool:
    """Whether a mask of the file says what is valid, whatever nodata value is declared beside it, as GDAL has it."""
    return set(told.masks[at]) == {MaskFlags.per_dataset} and told.nodata[at] is not None


def _number(text: str | None) -> float | None:
    value = float_or(text) if text else math.nan
    return None if math.isnan(value) else value


def _with_envi(layers: list[Layer], envi: dict[str, str]) -> list[Layer]:
    """Wavelengths, widths and bad bands from an ENVI header, where bands do not carry them themselves."""
    unit = envi.get("wavelength_units", "")
    centres, widths, good = listed(envi.get("wavelength")), listed(envi.get("fwhm")), listed(envi.get("bbl"))
    out = []
    for at, layer in enumerate(layers):
        band = layer.band
        if band.wavelength is None and len(centres) == len(layers):
            band = replace(band, wavelength=nanometres(centres[at], unit))
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


def _reason(layer: Layer, told: _Told) -> str | None:
    """Why this band is not spectral, or None."""
    interpretation = told.colours[layer.index - 1].name
    if interpretation == "alpha":
        return "alpha, used as the mask"
    if categorical(layer.band.name):
        return "classes or flags, not spectra"
    if interpretation == "palette":
        return "classes with colours, not spectra"
    if THERMAL.search(layer.band.name) or (layer.band.wavelength or 0) > THERMAL_NM:
        return "thermal"
    return None
