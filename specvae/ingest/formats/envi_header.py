"""What an ENVI header says of its bands: lists of wavelengths, widths and bad bands, and the factor of reflectance."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rasterio.io import DatasetReader

from specvae.ingest.decision import Decision
from specvae.ingest.formats.wavelengths import (
    centre_nanometres,
    float_or,
    listed,
    nanometres,
    width_nanometres,
    without_unit,
)
from specvae.ingest.layer import Layer

__all__ = ["EnviHeader", "header_tags"]

LISTS = ("wavelength", "fwhm", "bbl")
"""Keys whose values are lists with an item for each band."""
NO_UNIT = ("", "index", "unknown")
"""Units that a header states where its numbers need not be wavelengths."""
CLASSES = "classification"
"""What in the type of a file says that its bands hold classes."""


@dataclass(frozen=True)
class EnviHeader:
    """The lists of a header that fit its bands, and what was decided about all of them."""

    centres: tuple[str, ...] = ()
    """Wavelengths as they are written; empty where there are none, or none that fit."""
    widths: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    """1 for a good band and 0 for a bad one (ENVI's ``bbl``)."""
    unit: str = ""
    factor: float = 1.0
    """What stored values are multiplied by."""
    named: bool = True
    """Whether it names the bands; where it does not, GDAL calls them by their wavelengths."""
    classes: bool = False
    """Whether its type says that the bands hold classes."""
    taken: str = ""
    """Its time of acquisition as it is written; empty where it states none."""
    decisions: tuple[Decision, ...] = ()

    @classmethod
    def of(cls, dataset: DatasetReader) -> EnviHeader | None:
        """The header of an open dataset; None for a dataset of another format."""
        tags = header_tags(dataset)
        if not tags:
            return None
        lists, decisions = dict[str, tuple[str, ...]](), list[Decision]()
        for key in LISTS:
            lists[key], how = _fitting(key, listed(tags.get(key)), dataset.count)
            decisions += how
        lists["wavelength"], beside = without_unit(lists["wavelength"])
        unit = tags.get("wavelength_units", "").strip() or beside
        if _only_counts(lists["wavelength"], unit):
            lists["wavelength"] = ()
            decisions.append(Decision("wavelengths", "none", "its list wavelength, which only counts the bands"))
        elif lists["wavelength"] and not any(float_or(item, 0.0) > 0 for item in lists["wavelength"]):
            lists["wavelength"] = ()
            decisions.append(Decision("wavelengths", "none", "its list wavelength, in which no number is one"))
        factor, how = _factor(tags.get("reflectance_scale_factor", ""), dataset.dtypes[0])
        decisions += [*how, *_misstated_widths(lists, unit)]
        taken = tags.get("acquisition_time", "") or tags.get("acquisition_date", "")
        return cls(
            *(lists["wavelength"], lists["fwhm"], lists["bbl"]),
            unit=unit,
            factor=factor,
            named="band_names" in tags,
            classes=CLASSES in tags.get("file_type", "").casefold(),
            taken=taken,
            decisions=tuple(decisions),
        )

    def applied(self, layers: list[Layer]) -> list[Layer]:
        """The bands with what the header says of them, in place of what GDAL makes of it.

        GDAL rounds widths to whole nanometres, and takes the first items of lists that do not fit.
        """
        return [self._layer(at, layer) for at, layer in enumerate(layers)]

    def _layer(self, at: int, layer: Layer) -> Layer:
        wave = centre_nanometres(self.centres[at], self.unit) if self.centres else None
        width = width_nanometres(self.widths[at], self._unit_of_widths, wave) if self.widths else None
        bad = bool(self.good) and float_or(self.good[at], 1.0) == 0
        name = layer.band.name if self.named else ""
        # A name may hold a wavelength where the header has no list of them.
        band = replace(
            layer.band, name=name, wavelength=wave or (layer.band.wavelength if self.named else None), width=width
        )
        scale = self.factor if layer.scale == 1.0 and not layer.offset else layer.scale
        out = "classes, as the type of its header says" if self.classes else "marked bad in its header" if bad else None
        return replace(layer, band=band, scale=scale, left_out=out or layer.left_out)

    @property
    def _unit_of_widths(self) -> str:
        """The unit stated, or without one that of the wavelengths by their size."""
        if self.unit.casefold() not in NO_UNIT or not self.centres:
            return self.unit
        return "um" if float_or(self.centres[0], 500.0) < 50 else "nm"


def header_tags(dataset: DatasetReader) -> dict[str, str]:
    """The keys of an ENVI header in lower case, for programs write ``Wavelength`` too; empty for another format."""
    tags = dataset.tags(ns="ENVI") if dataset.driver == "ENVI" else {}
    return {key.casefold(): value for key, value in tags.items()}


def _fitting(key: str, items: list[str], count: int) -> tuple[tuple[str, ...], list[Decision]]:
    """A list that has an item for each band, else an empty one and why."""
    if len(items) in (0, count):
        return tuple(items), []
    joined = [f"{whole}.{part}" for whole, part in zip(items[::2], items[1::2], strict=False)]
    if len(items) == 2 * count and all(re.fullmatch(r"\d+\.\d+", item) for item in joined):
        chosen = f"its list {key} has decimal commas"
        evidence = f"its {len(items)} items for {count} bands"
        return tuple(joined), [Decision("header", chosen, evidence, ("pass it over",), guessed=True)]
    # Programs write a subset of the bands and keep the header, so that no item can be said to be of one band.
    evidence = f"its {len(items)} items for {count} bands"
    return (), [Decision("header", f"its list {key} is passed over", evidence, ("use",), guessed=True)]


def _only_counts(items: tuple[str, ...], unit: str) -> bool:
    """Whether numbers without a unit count the bands, from 0 or 1, rather than being wavelengths."""
    if unit.casefold() not in NO_UNIT or len(items) < 2:
        return False
    numbers = [float_or(item) for item in items]
    return any(numbers == list(range(first, first + len(items))) for first in (0, 1))


def _factor(text: str, dtype: str) -> tuple[float, list[Decision]]:
    """What stored values are multiplied by, and the decision: ENVI divides by the factor to get reflectance."""
    factor = float_or(text, 1.0)
    if not 0 < factor < float("inf") or factor == 1.0:
        return 1.0, []
    evidence = f"its reflectance scale factor, {factor:g}"
    if dtype.startswith("float"):
        # Programs turn counts into reflectance and keep the header.
        others = (f"reflectance is stored / {factor:g}",)
        return 1.0, [Decision("scale", "values are used as they are", f"{evidence}, of {dtype}", others, guessed=True)]
    scale = 1 / factor if factor > 1 else factor
    return scale, [Decision("scale", f"reflectance is stored * {scale:g}", evidence)]


def _misstated_widths(lists: dict[str, tuple[str, ...]], unit: str) -> list[Decision]:
    """A decision where widths cannot be in the unit of the wavelengths by their size."""
    if not (lists["wavelength"] and lists["fwhm"]) or unit.casefold() in NO_UNIT:
        return []
    wave, width = centre_nanometres(lists["wavelength"][0], unit), nanometres(lists["fwhm"][0], unit)
    judged = width_nanometres(lists["fwhm"][0], unit, wave)
    if width is None or judged is None or width == judged:
        return []
    chosen = f"widths are in {'micrometres' if judged > float_or(lists['fwhm'][0]) else 'nanometres'}"
    return [Decision("unit", chosen, f"their size, from {lists['fwhm'][0]}", (unit,), guessed=True)]
