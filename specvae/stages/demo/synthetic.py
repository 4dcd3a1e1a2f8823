"""Synthetic scenes from a physical model: linear mixing of endmember spectra, illumination, shot and read noise, a collar.

Abundances are smooth random fields that sum to one; radiance is reflectance times a smooth illumination; noise is
Poisson in the signal and Gaussian in the read-out; values are quantised to uint16; a slanted collar is nodata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["BAND_NAMES", "WAVELENGTHS", "SyntheticScene", "endmembers", "make_scene", "make_texture"]

BAND_NAMES = ("blue", "green", "red", "rededge1", "rededge2", "rededge3", "nir", "nir08", "swir16", "swir22")
WAVELENGTHS = (492.0, 560.0, 665.0, 704.0, 740.0, 783.0, 833.0, 865.0, 1614.0, 2202.0)
"""Centre wavelengths of the bands, nanometres."""
SCALE = 10_000.0
"""Digital numbers per unit of reflectance."""


@dataclass(frozen=True)
class SyntheticScene:
    """A synthetic scene and the truth about it."""

    values: NDArray[Any]
    """``(bands, rows, cols)``, reflectance times 10,000; 0 in the collar."""
    truth: NDArray[np.uint8]
    """``(rows, cols)``: number of the planted anomaly, 0 elsewhere, 255 in the collar."""
    planted: int
    """How many anomalies were planted."""


def endmembers(wavelengths: NDArray[np.floating] | None = None) -> dict[str, NDArray[np.float64]]:
    """Reflectance spectra of four normal materials and three anomalous ones, from smooth analytic shapes."""
    w = np.asarray(WAVELENGTHS if wavelengths is None else wavelengths, dtype=np.float64)

    def edge(at: float, width: float) -> NDArray[np.float64]:
        return np.asarray(1.0 / (1.0 + np.exp(-(w - at) / width)))

    def bump(at: float, width: float) -> NDArray[np.float64]:
        return np.asarray(np.exp(-0.5 * ((w - at) / width) ** 2))

    water = 1.0 - 0.55 * bump(1450, 140) - 0.7 * bump(1950, 160) - 0.35 * edge(1300, 120)
    vegetation = (0.04 + 0.06 * bump(555, 35) + 0.42 * edge(715, 16)) * water
    return {
        "vegetation": vegetation,
        "dry grass": 0.08 + 0.22 * edge(620, 90) + 0.08 * edge(1200, 250) - 0.06 * bump(2200, 120),
        "soil": 0.07 + 0.16 * edge(650, 120) + 0.12 * edge(1350, 260) - 0.05 * bump(2200, 70),
        "water": 0.055 * np.exp(-(w - 480.0) / 190.0) + 0.004,
        "burn": 0.045 + 0.03 * edge(800, 160) + 0.17 * edge(1900, 200),
        "oil": 0.10 + 0.05 * bump(560, 60) + 0.06 * edge(900, 200) - 0.06 * bump(1730, 90),
        "tarpaulin": 0.12 + 0.45 * bump(480, 45) + 0.25 * edge(820, 60) - 0.15 * bump(1660, 120),
    }


def make_scene(
    rows: int = 256,
    cols: int = 320,
    seed: int = 0,
    anomalies: bool = False,
    wavelengths: NDArray[np.floating] | None = None,
) -> SyntheticScene:
    """A scene of mixed vegetation, grass, soil and water; with ``anomalies``, burns, oil and tarpaulins in it.

    The land is the same for every seed of one size, so that two scenes are two nights of one place: the seed moves
    illumination, a little of the abundances, the noise and the anomalies.
    """
    # Two streams: the land has one seed for all scenes, the night its own; 7 keeps it apart from other uses of the seed.
    land, night = np.random.default_rng(20), np.random.default_rng([seed, 7])
    spectra = endmembers(wavelengths)
    fields = np.stack([_smooth(land, rows, cols, 14) + 0.25 * _smooth(night, rows, cols, 6) for _ in range(4)])
    # Softmax of the fields: positive, summing to one, and at 2.2 mostly of one material, as fields and forests are.
    abundance = np.exp(2.2 * fields)
    abundance /= abundance.sum(axis=0)
    mixed = np.tensordot(np.stack(list(spectra.values())[:4], axis=1), abundance, axes=1)
    truth = np.zeros((rows, cols), np.uint8)
    planted = _plant(night, mixed, truth, list(spectra.values())[4:]) if anomalies else 0
    light = 1.0 + 0.08 * _smooth(night, rows, cols, 60)
    # 40,000 electrons are a reflectance of 1: shot noise of .5 % there, 18 electrons of read noise.
    electrons = np.clip(mixed * light, 0.001, None) * 40_000.0
    noisy = (night.poisson(electrons) + night.normal(0.0, 18.0, electrons.shape)) / 40_000.0
    # From 1, since 0 means no data.
    values = np.clip(np.round(noisy * SCALE), 1, 65_535).astype(np.uint16)
    collar = np.arange(cols)[None, :] + 0.25 * np.arange(rows)[:, None] < 0.06 * cols
    values[:, collar] = 0
    truth[collar] = 255
    return SyntheticScene(values, truth, planted)


def make_texture(
    rows: int = 256, cols: int = 256, seed: int = 0, patches: int = 0, side: int = 16, bands: int = 4
) -> SyntheticScene:
    """Ground of one texture, float32; in ``patches`` of ``side`` x ``side`` pixels the pixels are shuffled.

    Every spectrum there is one of the ground's own, so that no pixel by itself is out of the ordinary.
    """
    rng, kind = np.random.default_rng([seed, 11]), np.random.default_rng(99)
    fields = np.stack([_smooth(rng, rows, cols, 2.0) for _ in range(bands)])
    values = np.tensordot(kind.normal(size=(bands, bands)), fields, 1) + 0.1 * rng.normal(size=(bands, rows, cols))
    truth = np.zeros((rows, cols), np.uint8)
    across = cols // side
    for number, at in enumerate(rng.choice(rows // side * across, patches, replace=False), start=1):
        row, col = divmod(int(at), across)
        place = (slice(row * side, (row + 1) * side), slice(col * side, (col + 1) * side))
        block = values[(slice(None), *place)].reshape(bands, -1)
        values[(slice(None), *place)] = block[:, rng.permutation(side * side)].reshape(bands, side, side)
        truth[place] = min(number, 254)
    return SyntheticScene((1000.0 + 100.0 * values).astype(np.float32), truth, patches)


def _smooth(rng: np.random.Generator, rows: int, cols: int, radius: float) -> NDArray[np.float64]:
    """A smooth random field of zero mean and unit deviation."""
    field = gaussian_filter(rng.normal(size=(rows, cols)), radius, mode="reflect")
    return np.asarray((field - field.mean()) / field.std())


def _plant(
    rng: np.random.Generator,
    mixed: NDArray[np.float64],
    truth: NDArray[np.uint8],
    targets: list[NDArray[np.float64]],
) -> int:
    """Mix discs of target spectra into the scene, from 1 to some 150 pixels, at 40 to 100 % fill; how many fitted."""
    rows, cols = truth.shape
    r, c = np.mgrid[:rows, :cols]
    count = 0
    for i, radius in enumerate((0.4, 0.4, 0.8, 0.8, 1.5, 1.5, 2.5, 2.5, 4.0, 4.0, 5.5, 7.0)):
        # Anywhere that no other anomaly is near; a scene too small for them all has fewer.
        for _ in range(50):
            row, col = rng.integers(12, rows - 12), rng.integers(int(0.1 * cols) + 12, cols - 12)
            disc = (r - row) ** 2 + (c - col) ** 2 <= radius**2
            near = (r - row) ** 2 + (c - col) ** 2 <= (radius + 12) ** 2
            if not truth[near].any():
                break
        else:
            continue
        count += 1
        fill = rng.uniform(0.6, 1.0) if radius < 2 else rng.uniform(0.4, 0.9)
        mixed[:, disc] = (1 - fill) * mixed[:, disc] + fill * targets[i % len(targets)][:, None]
        truth[disc] = count
    return count
