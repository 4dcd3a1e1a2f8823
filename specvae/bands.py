"""Bands: what a source or a model calls them, where in the spectrum they lie, and how one set serves another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from specvae.errors import ModelError

__all__ = ["Band", "BandMatch", "BandSet", "canonical_name", "nanometres_label", "rgb_bands"]

NEXT_BAND = 10.0
"""Nanometres by which bands of one name may differ however close the next band is: B8 and B8A of the MSI are 32 apart."""
RED, GREEN, BLUE = 650.0, 560.0, 480.0
"""Nanometres that are drawn in each colour."""
NUMBERED = re.compile(r"^(?:sr_|st_|toa_)?(?:band[\s_-]?|b)0*(\d{1,3}a?)$", re.I)
"""A name that is a letter or word for band with a number, padded with zeros or not."""


def canonical_name(name: str) -> str:
    """A band's name in the spelling in which names are compared: ``B02``, ``b2`` and ``band_2`` are one.

    Examples
    --------
    >>> canonical_name("B02"), canonical_name("sr_band2"), canonical_name("B8A"), canonical_name(" Red ")
    ('b2', 'b2', 'b8a', 'red')
    """
    folded = name.strip().casefold()
    hit = NUMBERED.match(folded)
    return f"b{hit.group(1)}" if hit else folded


def nanometres_label(wavelength: float) -> str:
    """A wavelength as a label, to the thousandth of a nanometre.

    Examples
    --------
    >>> nanometres_label(379.6637), nanometres_label(1000.125), nanometres_label(842.0)
    ('379.664 nm', '1000.125 nm', '842 nm')
    """
    return f"{round(wavelength, 3):.10g} nm"


@dataclass(frozen=True)
class Band:
    """One spectral band.

    Examples
    --------
    >>> Band("nir", wavelength=842.0, width=115.0).wavelength
    842.0
    """

    name: str = ""
    """Name as the source gives it; empty where it gives none."""
    wavelength: float | None = None
    """Centre wavelength in nanometres, where known."""
    width: float | None = None
    """Full width at half maximum in nanometres, where known."""
    unit: str = ""
    """Unit of the values (``reflectance``, ``DN``, ...), where known."""


@dataclass(frozen=True)
class BandMatch:
    """How the bands of a source serve a model.

    Examples
    --------
    >>> BandMatch((2, 0), "order").warning
    'bands were matched by their order alone, since names or wavelengths are missing on one side'
    """

    order: tuple[int, ...]
    """For each band of the model, the 0-based index in the source."""
    by: str
    """``name``, ``wavelength`` or ``order``."""

    @property
    def warning(self) -> str | None:
        """A sentence for the user, where the match is a guess; else None."""
        if self.by != "order":
            return None
        return "bands were matched by their order alone, since names or wavelengths are missing on one side"


@dataclass(frozen=True)
class BandSet:
    """The ordered bands of a source or a model.

    Examples
    --------
    >>> model = BandSet((Band("red"), Band("nir")))
    >>> model.match(BandSet((Band("nir"), Band("red"), Band("swir"))))
    BandMatch(order=(1, 0), by='name')
    """

    bands: tuple[Band, ...]

    def __len__(self) -> int:
        return len(self.bands)

    def __iter__(self) -> Iterator[Band]:
        return iter(self.bands)

    def __getitem__(self, index: int) -> Band:
        return self.bands[index]

    @property
    def names(self) -> tuple[str, ...]:
        """Names, empty strings where there are none."""
        return tuple(band.name for band in self.bands)

    @property
    def labels(self) -> tuple[str, ...]:
        """A word for each band: its name, else its wavelength, else its 1-based number."""
        return tuple(
            b.name or (nanometres_label(b.wavelength) if b.wavelength is not None else f"band {i}")
            for i, b in enumerate(self.bands, start=1)
        )

    @property
    def wavelengths(self) -> tuple[float, ...] | None:
        """Centre wavelengths in nanometres, or None unless every band has one."""
        known = tuple(b.wavelength for b in self.bands if b.wavelength is not None)
        return known if len(known) == len(self.bands) and known else None

    def take(self, order: tuple[int, ...]) -> BandSet:
        """The bands at these 0-based indices."""
        return BandSet(tuple(self.bands[i] for i in order))

    def match(self, source: BandSet) -> BandMatch:
        """How ``source`` provides the bands of this (the model's) set: by name, else wavelength, else order.

        Raises ModelError where they do not correspond, listing both sides.
        """
        own, offered = self._unique_names(), source._unique_names()
        # Names come first: the bands of a sensor may overlap in wavelength, but never share a name. Further bands of
        # the source do no harm.
        if own and offered and set(own) <= set(offered):
            order = tuple(offered.index(name) for name in own)
            if self._same_light(source, order):
                return BandMatch(order, "name")
            # One name but another wavelength (B5 is near infrared on Landsat, red edge on Sentinel-2), and too few
            # wavelengths to go by them instead.
            if not (self.wavelengths and source.wavelengths):
                raise self._mismatch(source)
        if self.wavelengths and source.wavelengths:
            nearest = self._nearest(source)
            if nearest is not None:
                return BandMatch(nearest, "wavelength")
            raise self._mismatch(source)
        # Both sides have names, and they differ: going by order would silently score one band as another.
        both_named = own and offered
        if both_named or len(self) != len(source):
            raise self._mismatch(source)
        return BandMatch(tuple(range(len(self))), "order")

    def _unique_names(self) -> list[str]:
        """Names as they are compared, or [] where any is missing or two are alike."""
        names = [canonical_name(name) for name in self.names]
        if len(set(names)) < len(names):  # `B2` beside `B02` are two bands where both are there
            names = [name.strip().casefold() for name in self.names]
        return names if all(names) and len(set(names)) == len(names) else []

    def _same_light(self, source: BandSet, order: tuple[int, ...]) -> bool:
        """Whether bands of one name have one wavelength where both are known: Landsat's B5 is not Sentinel-2's."""
        for band, at in zip(self.bands, order, strict=True):
            other = source[at]
            if band.wavelength is None or other.wavelength is None:
                continue
            # Half a band's width; at least 5 % of the wavelength, for satellites of one series differ a little, but no
            # more than half the distance to the next band, where a spectrometer's are closer than that.
            least = min(0.05 * band.wavelength, max(self._spacing(band.wavelength) / 2, NEXT_BAND))
            tolerance = max((band.width or other.width or 0.0) / 2, least)
            if abs(band.wavelength - other.wavelength) > tolerance:
                return False
        return True

    def _nearest(self, source: BandSet) -> tuple[int, ...] | None:
        """Index of the source band within half a band width of each band of this set, or None where a band has no such."""
        centres = np.array(source.wavelengths, dtype=np.float64)
        order: list[int] = []
        for band in self.bands:
            assert band.wavelength is not None
            distances = np.abs(centres - band.wavelength)
            least = float(distances.min())
            # Detectors that overlap measure some wavelengths twice: of several equally near, each serves once, in order.
            ties = np.flatnonzero(distances <= least + 1e-6)
            nearest = int(next((at for at in ties if at not in order), ties[0]))
            width = band.width or source[nearest].width or self._spacing(band.wavelength)
            if least > width / 2:
                return None
            order.append(nearest)
        # Two bands of the model on one band of the source would count its information twice.
        return tuple(order) if len(set(order)) == len(order) else None

    def _spacing(self, wavelength: float) -> float:
        """Distance to the nearest other band of this set: the width assumed where none is stated."""
        others = np.array([w for w in self.wavelengths or () if w != wavelength])
        # 4 % of the wavelength, 26 nm in the red, is the usual width of a multispectral band.
        return float(np.min(np.abs(others - wavelength))) if others.size else 0.04 * wavelength

    def _mismatch(self, source: BandSet) -> ModelError:
        def side(bands: BandSet) -> str:
            shown = ", ".join(bands.labels[:16])
            return f"{len(bands)} ({shown}{', ...' if len(bands) > 16 else ''})"

        return ModelError(
            f"the bands do not match: the model has {side(self)}, the scene has {side(source)}; {self._advice(source)}"
        )

    def _advice(self, source: BandSet) -> str:
        """What to do where ``source`` does not serve this set."""
        if len(source) > len(self) and not (self._unique_names() and source._unique_names()):
            return f"choose the {len(self)} of the scene's {len(source)} bands that are the model's with --bands"
        if len(source) == len(self) and not self.wavelengths:
            return (
                "if they are the same, give the scene's bands the model's names (--bands chooses bands and renames none); "
                "else use a model fitted on such bands"
            )
        return "use a model fitted on such bands, or a scene that has the model's"


def rgb_bands(bands: BandSet) -> tuple[int, int, int]:
    """0-based bands for red, green and blue: by wavelength, else by name, else three spread ones."""
    n = len(bands)
    if bands.wavelengths:
        w = np.array(bands.wavelengths)
        near = [int(np.abs(w - target).argmin()) for target in (RED, GREEN, BLUE)]
        if all(abs(w[i] - t) < 60 for i, t in zip(near, (RED, GREEN, BLUE), strict=True)):
            return near[0], near[1], near[2]
    names = [name.strip().casefold() for name in bands.names]
    for wanted in (("red", "green", "blue"), ("b4", "b3", "b2"), ("b04", "b03", "b02")):
        if all(name in names for name in wanted):
            r, g, b = (names.index(name) for name in wanted)
            return r, g, b
    return (n - 1, n // 2, 0) if n >= 3 else (n - 1, 0, 0) if n == 2 else (0, 0, 0)
