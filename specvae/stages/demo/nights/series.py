"""A synthetic place night by night, from the same physical model as the scenes of the demo.

Abundances are smooth fields whose vegetation turns to dry grass with the season, later in some stands than in others; light
follows the season and varies over the scene; each night is shifted by part of a pixel; clouds and their shadows are masked, but
not their thinnest edges, and now and then a small cloud not at all; roofs have a spectrum that the model does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, shift

from specvae.stages.demo.nights.events import Event, plant_events
from specvae.stages.demo.synthetic import WAVELENGTHS, endmembers

__all__ = ["SeriesNight", "SyntheticSeries", "make_series"]

Floats = NDArray[np.float64]
FIRST = (date(2022, 1, 4) - date(1970, 1, 1)).days
JITTER = 0.3
"""Pixels by which a night may be shifted either way."""
MASKED = 0.08
"""Opacity of a cloud or darkness of a shadow from which on the mask sees it."""
MISSED = 0.01
"""Small clouds a night and 10,000 pixels that the mask does not see at all."""
ROOFS = 8
SCALE = 10_000.0
"""Digital numbers per unit of reflectance."""
CLOUD = 0.75
"""Reflectance of a dense cloud, in all bands."""
DARKEST = 0.55
"""How much of the light a dense cloud's shadow takes."""


@dataclass(frozen=True, eq=False)
class SeriesNight:
    """One night."""

    day: int
    """Days since 1970-01-01."""
    values: NDArray[np.uint16]
    """``(bands, rows, cols)``, reflectance times 10,000; 0 under masked clouds and shadows."""

    @property
    def name(self) -> str:
        """A file's name with the date, without an ending."""
        return f"S2_{date.fromordinal(date(1970, 1, 1).toordinal() + self.day):%Y%m%d}"


@dataclass(frozen=True, eq=False)
class SyntheticSeries:
    """A place and what happens there; :meth:`nights` makes its nights one after the other."""

    seed: int
    days: NDArray[np.int64]
    """``(dates,)``: of the looks, ascending."""
    materials: Floats
    """``(4, rows, cols)``: abundances of vegetation, dry grass, soil and water in spring."""
    delay: Floats
    """``(rows, cols)``: days by which the vegetation's year begins later."""
    roofs: NDArray[np.bool_]
    """``(rows, cols)``: ground that is always odd."""
    events: tuple[Event, ...]
    cloudiness: float = 1.0
    """Share of the usual clouds; 0 = none."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.delay.shape
        return rows, cols

    def nights(self) -> Iterator[SeriesNight]:
        """The nights, each from a seed of its own."""
        for number, day in enumerate(self.days.tolist()):
            yield SeriesNight(day, self._values(day, np.random.default_rng([self.seed, 77, number])))

    def _values(self, day: int, rng: np.random.Generator) -> NDArray[np.uint16]:
        """The digital numbers of a night."""
        ground = self._ground(day)
        moved = rng.uniform(-JITTER, JITTER, 2)
        ground = np.stack([shift(band, moved, order=1, mode="nearest") for band in ground])
        season = np.cos(2 * np.pi * (day % 365.25 - 172) / 365.25)
        light = 1 + 0.05 * season + 0.02 * rng.normal() + 0.02 * _smooth(rng, self.shape, 40)
        opacity, shadow, seen = _clouds(rng, self.shape, self.cloudiness)
        lit = ground * light * (1 - DARKEST * shadow)
        sky = CLOUD
        mixed = lit * (1 - opacity) + sky * opacity
        # Noise as in the demo's scenes: 40,000 electrons are a reflectance of 1, 18 electrons are the read noise.
        electrons = np.clip(mixed, 0.001, None) * 40_000.0
        noisy = electrons + np.sqrt(electrons + 18.0**2) * rng.normal(size=electrons.shape)
        values: NDArray[np.uint16] = np.clip(np.round(noisy / 40_000.0 * SCALE), 1, 65_535).astype(np.uint16)
        values[:, seen] = 0
        return values

    def _ground(self, day: int) -> Floats:
        """Reflectance ``(bands, rows, cols)`` of the ground on a day, with the roofs and the events."""
        spectra = _spectra()
        phase = 2 * np.pi * (day - self.delay - 105) / 365.25
        green = 0.35 + 0.65 / (1 + np.exp(-3 * np.sin(phase)))
        abundance = self.materials.copy()
        abundance[1] += abundance[0] * (1 - green)
        abundance[0] *= green
        ground = np.tensordot(np.stack([spectra[name] for name in MATERIALS], axis=1), abundance, axes=1)
        ground[:, self.roofs] = 0.15 * ground[:, self.roofs] + 0.85 * spectra["roof"][:, None]
        for event in self.events:
            fill = event.fill(day)
            if fill:
                ground[:, event.place] = (1 - fill) * ground[:, event.place] + fill * spectra[event.kind][:, None]
        return ground


MATERIALS = ("vegetation", "dry grass", "soil", "water")


def _spectra() -> dict[str, Floats]:
    """Reflectance of the materials, of roofs and of what is planted."""
    known, w = endmembers(), np.asarray(WAVELENGTHS)
    rise = 1 / (1 + np.exp(-(w - 1300) / 150))
    return known | {
        "roof": 0.8 * known["tarpaulin"] + 0.05,
        "fire": known["burn"],
        # A clear-cut: bark and litter, brighter in the shortwave infrared than any soil here.
        "felled": 0.10 + 0.10 * (1 / (1 + np.exp(-(w - 680) / 90))) + 0.22 * rise,
        # Standing dead wood: no red edge, grey in the near infrared, dry in the shortwave.
        "dieback": 0.09 + 0.05 * (1 / (1 + np.exp(-(w - 640) / 40))) + 0.12 * rise,
        "spill": known["oil"],
        "ship": known["tarpaulin"],
    }


def make_series(
    rows: int = 128,
    cols: int = 128,
    seed: int = 0,
    years: float = 2.5,
    every: int = 6,
    events: bool = True,
    roofs: int = ROOFS,
    cloudiness: float = 1.0,
) -> SyntheticSeries:
    """A place with a look every so many days; the same seed is the same place and the same nights."""
    rng = np.random.default_rng([seed, 31])
    fields = np.stack([_smooth(rng, (rows, cols), 10) for _ in MATERIALS])
    materials = np.exp(2.2 * fields)
    materials /= materials.sum(axis=0)
    days = (
        FIRST + np.arange(0, int(years * 365.25), every) + rng.integers(0, 2, int(np.ceil(int(years * 365.25) / every)))
    )
    built = np.zeros((rows, cols), bool)
    for _ in range(roofs):
        row, col = int(rng.integers(3, rows - 10)), int(rng.integers(3, cols - 10))
        built[row : row + int(rng.integers(2, 6)), col : col + int(rng.integers(2, 7))] = True
    free = ~np.asarray(binary_dilation(built, iterations=4))
    planted = tuple(plant_events(rng, (rows, cols), days, free)) if events else ()
    delay = 15 * _smooth(rng, (rows, cols), 12)
    return SyntheticSeries(seed, days, materials, delay, built, planted, cloudiness)


def _clouds(
    rng: np.random.Generator, shape: tuple[int, int], cloudiness: float
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Opacity and shadow ``(rows, cols)``, 0..1, and where the mask sees one of them."""
    cover = 0.0 if rng.uniform() > 0.6 * cloudiness else rng.uniform(0.05, 0.6)
    field = _smooth(rng, shape, 9)
    # Soft edges over some pixels, as thin cloud has them.
    opacity = np.clip((field - np.quantile(field, 1 - cover)) / 0.6, 0, 1) if cover else np.zeros(shape)
    shadow = np.roll(opacity, rng.integers(5, 12, 2), (0, 1))
    seen = binary_dilation((opacity > MASKED) | (shadow > MASKED), iterations=1)
    r, c = np.mgrid[: shape[0], : shape[1]]
    for _ in range(rng.poisson(MISSED * cloudiness * r.size / 10_000)):
        row, col, radius = rng.integers(0, shape[0]), rng.integers(0, shape[1]), rng.uniform(1.5, 4)
        blob = np.exp(-(((r - row) ** 2 + (c - col) ** 2) / radius**2))
        opacity = np.maximum(opacity, 0.6 * blob)
    return opacity, shadow, np.asarray(seen)


def _smooth(rng: np.random.Generator, shape: tuple[int, int], radius: float) -> Floats:
    """A smooth random field of zero mean and unit deviation."""
    field = gaussian_filter(rng.normal(size=shape), radius, mode="reflect")
    return np.asarray((field - field.mean()) / field.std())
