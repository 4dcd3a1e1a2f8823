"""Bands by the metadata of a dataset: names, wavelengths, scales, fills, and which of them are not spectral."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from specvae.bands import Band
from specvae.errors import InputError
from specvae.ingest.formats.band_kinds import THERMAL_NM, is_whole_spectrum, why_no_spectrum
from specvae.ingest.formats.camera_tags import camera_band
from specvae.ingest.formats.envi_header import EnviHeader
from specvae.ingest.formats.wavelengths import (
    UNITS,
    centre_nanometres,
    float_or,
    nanometres,
    width_nanometres,
    without_unit,
)
from specvae.ingest.layer import Layer

__all__ = ["band_from_tags", "layers_of"]

IN_NAME = re.compile(r"[\s,;]*(?:central wavelength\s+|\(\s*)([\d.]+(?:e-?\d+)?)\s*([a-zµμ]*)\s*\)?\s*$", re.I)
"""A wavelength at the end of a name, in brackets or after the words ``central wavelength``."""
BEHIND_UNIT = re.compile(
    r"(?:^|[\s:,;_-])(\d+(?:\.\d+)?)\s*(nm|nanomet(?:er|re)s?|um|µm|μm|micromet(?:er|re)s?|microns?)$", re.I
)
"""A wavelength with its unit at the end of a name, behind words: ``Red 650nm``, ``Band 1 : 450.00 Nanometers``."""
ONLY_WAVELENGTH = re.compile(
    r"^\d+(?:\.\d+)?\s*(?:nano|micro)?(?:nm|um|µm|μm|microns?|met(?:er|re)s?|angstroms?|wave ?numbers?|cm-1|index|unknown)?$",
    re.I,
)
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
        width = width_nanometres(
            stated, unit or low.get("bandwidth_unit") or ("um" if float_or(stated) < 1 else "nm"), centre
        )
    width = width or nanometres(imagery.get("FWHM_UM", ""), "um")
    name, in_name = _name_and_wavelength(low.get("bandname") or name)
    if not (centre or in_name):
        in_name = _alone(name) or _behind_words(name)
    if (centre or in_name) and ONLY_WAVELENGTH.match(name):
        name = ""  # GDAL calls a band of an ENVI file without a name `552 Nanometers`
    return Band(name, centre or in_name, width, low.get("units", ""))


def _alone(name: str) -> float | None:
    """The wavelength that a name is with its unit and nothing else (``450.0 nm``), or None."""
    (number,), unit = without_unit((name,))
    usual = unit.casefold().rstrip("s")
    return centre_nanometres(number, unit) if usual in UNITS or usual == "cm-1" else None


def _behind_words(name: str) -> float | None:
    """The wavelength with its unit at the end of a name (``Red 650nm``), which the name keeps; None where there is none."""
    hit = BEHIND_UNIT.search(name)
    return centre_nanometres(hit.group(1), hit.group(2)) if hit else None


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
    if len(layers) == 1 and layers[0].band.wavelength is None:
        stated = camera_band(dataset.tags(ns="xml:XMP").get("xml:XMP", ""))
        layers = [replace(layers[0], band=replace(stated or layers[0].band, unit=layers[0].band.unit))]
    if (header := EnviHeader.of(dataset)) is not None:
        layers = header.applied(layers)
    layers = _without_empty_names(layers)
    is_spectrum = is_whole_spectrum([layer.band.wavelength for layer in layers if layer.band.wavelength])
    return [replace(layer, left_out=layer.left_out or _reason(layer, lists, is_spectrum)) for layer in layers]


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
    why = why_no_spectrum(layer.band.name)
    if why and why != "thermal":
        return why
    if interpretation == "palette":
        return "classes with colours, not spectra"
    if why or (not is_spectrum and (layer.band.wavelength or 0) > THERMAL_NM):
        return "thermal"
    return None
