"""Bands: what a source or a model calls them, where in the spectrum they lie, and how one set serves another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from specvae.errors import ModelError

__all__ = ["Band", "BandMatch", "BandSet"]


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
            b.name or (f"{b.wavelength:g} nm" if b.wavelength is not None else f"band {i}")
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
        """Names folded for comparison, or [] where any is missing or two are alike."""
        names = [name.strip().casefold() for name in self.names]
        return names if all(names) and len(set(names)) == len(names) else []

    def _same_light(self, source: BandSet, order: tuple[int, ...]) -> bool:
        """Whether bands of one name have one wavelength where both are known: Landsat's B5 is not Sentinel-2's."""
        for band, at in zip(self.bands, order, strict=True):
            other = source[at]
            if band.wavelength is None or other.wavelength is None:
                continue
            # Half a band's width, and at least 5 % of the wavelength: satellites of one series differ a little.
            tolerance = max((band.width or other.width or 0.0) / 2, 0.05 * band.wavelength)
            if abs(band.wavelength - other.wavelength) > tolerance:
                return False
        return True

    def _nearest(self, source: BandSet) -> tuple[int, ...] | None:
        """Index of the source band within half a band width of each band of this set, or None where a band has no such."""
        centres = np.array(source.wavelengths, dtype=np.float64)
        order = []
        for band in self.bands:
            assert band.wavelength is not None
            nearest = int(np.argmin(np.abs(centres - band.wavelength)))
            width = band.width or source[nearest].width or self._spacing(band.wavelength)
            if abs(centres[nearest] - band.wavelength) > width / 2:
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
            f"the bands do not match: the model has {side(self)}, the scene has {side(source)}; "
            "choose the scene's bands with --bands, or use a model fitted on such bands"
        )
