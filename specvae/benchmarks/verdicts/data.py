"""The scenes of the benchmark, crops of them, and the faults that are put into crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.ingest.options import IngestOptions
from specvae.spectra import Cube, Invalid, Window

__all__ = ["FAULTS", "NamedScene", "crops", "faulted", "scenes"]

SAFE = "S2A_MSIL1C_20180629T000241_N0206_R030_T56JMM_20180629T012042.zip"
SCENES: tuple[tuple[str, str, str | None, str | None], ...] = (
    ("aberystwyth, Sentinel-2, 10 bands", "aberystwyth/sen2_20210527_aber_10band.tif", None, None),
    (
        "coldsprings, Landsat 8, 7 bands",
        "coldsprings/20160707_pre_sr7.tif",
        "coldsprings/20160707_pre_clear.tif",
        None,
    ),
    ("rufiji, Sentinel-2, 10 bands", "rufiji_timeseries/S2_20160710.tif", None, None),
    ("sitakunda, Sentinel-2, 4 bands", "sitakunda/s2_sitakunda_4band.tif", None, "auto"),
    ("long island, Landsat 8, 10 bands", "l8_toa_longisland_clouds", None, None),
    ("SAFE product, Sentinel-2, 13 bands", f"sentinel2_safe/{SAFE}", None, None),
)
"""Name, path below the scenes' folder, mask and nodata of each."""
SIDES = (96, 256)
"""Sides of a crop, pixels, from and to."""
LEAST_VALID = 0.2
"""Share of a crop's pixels that are valid, at least."""
TRIES = 50
"""Draws for a crop that is valid enough."""

Values = NDArray[np.float32]
Change = Callable[[Values, np.random.Generator], NDArray[np.floating]]
"""``(bands, rows, cols)`` as they are -> as a fault makes them."""


@dataclass(frozen=True)
class NamedScene:
    """One scene of the benchmark."""

    name: str
    path: Path
    options: IngestOptions


def scenes(folder: Path) -> Iterator[NamedScene]:
    """The scenes that the folder holds."""
    for name, path, mask, nodata in SCENES:
        if (folder / path).exists():
            options = IngestOptions(mask=str(folder / mask) if mask else None, nodata=nodata)
            yield NamedScene(name, folder / path, options)


def crops(cube: Cube, count: int, seed: int) -> Iterator[Cube]:
    """So many crops of 96 to 256 pixels at random places; smaller where the scene is."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        for _ in range(TRIES):
            crop = _crop(cube, random)
            if crop.valid.mean() >= LEAST_VALID:
                yield crop
                break


def _crop(cube: Cube, random: np.random.Generator) -> Cube:
    rows, cols = (int(random.integers(min(SIDES[0], size), min(SIDES[1], size) + 1)) for size in cube.reason.shape)
    row, col = (
        int(random.integers(0, size - part + 1)) for size, part in zip(cube.reason.shape, (rows, cols), strict=True)
    )
    part = cube.crop(Window(cube.window.row + row, cube.window.col + col, rows, cols))
    return Cube(part.values, part.reason, Window(0, 0, rows, cols))


def faulted(crop: Cube, change: Change, random: np.random.Generator) -> Cube:
    """The crop with a fault; what is invalid stays so, and a value that becomes NaN is invalid too."""
    # What a fault takes from the values, as their unit or brightness, it takes from the usable ones: fill is not dark ground.
    usable = np.where(crop.valid, crop.values, np.float32(np.nan)).astype(np.float32)
    values = change(usable.copy(), random).astype(np.float32)
    lost = crop.valid & ~np.isfinite(values).all(axis=0)
    values = np.where(crop.valid & ~lost, values, crop.values)
    return Cube(values.astype(np.float32), np.where(lost, Invalid.NAN, crop.reason).astype(np.uint8), crop.window)


def _offset(values: Values, _: np.random.Generator) -> NDArray[np.floating]:
    """1000 added in digital numbers, .1 in reflectance."""
    return values + (1000.0 if float(np.nanmedian(np.abs(values))) > 5 else 0.1)


def _swapped(values: Values, random: np.random.Generator) -> NDArray[np.floating]:
    first, second = random.choice(len(values), 2, replace=False)
    order = np.arange(len(values))
    order[[first, second]] = second, first
    return values[order]


def _other_sensor(values: Values, random: np.random.Generator) -> NDArray[np.floating]:
    """Each band with a factor of its own, from .75 to 1.3: another sensor's response, in another season's light."""
    return values * random.uniform(0.75, 1.3, len(values))[:, None, None]


def _striped(values: Values, random: np.random.Generator) -> NDArray[np.floating]:
    """One column in eight a tenth brighter, or one row."""
    along = int(random.integers(1, 3))
    lines = np.where(np.arange(values.shape[along]) % 8 == 0, 1.1, 1.0)
    return values * (lines[:, None] if along == 1 else lines)


def _shifted(values: Values, random: np.random.Generator) -> NDArray[np.floating]:
    """One band a pixel out of place."""
    band = int(random.integers(len(values)))
    values[band] = np.roll(values[band], int(random.choice([-1, 1])), axis=int(random.integers(2)))
    return values


def _hazy(values: Values, _: np.random.Generator) -> NDArray[np.floating]:
    """Path radiance that falls from the first band to the last, and as much of the ground's light lost."""
    falling = np.exp(-np.arange(len(values)) / max(2, len(values) / 3))[:, None, None]
    bright = float(np.nanquantile(values, 0.9))
    return values * (1 - 0.15 * falling) + 0.2 * bright * falling


FAULTS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "+1000": (_offset, ("offset",)),
    "gain .7": (lambda values, _: values * np.float32(0.7), ("gain",)),
    "gain 1.4": (lambda values, _: values * np.float32(1.4), ("gain",)),
    "swapped bands": (_swapped, ("swap",)),
    "other sensor": (_other_sensor, ()),
    "striping": (_striped, ("stripes",)),
    "one band shifted": (_shifted, ("shift",)),
    "haze": (_hazy, ("haze",)),
}
"""Each fault, and the names under which the verdict may know it; () where there is no name but the bands'."""
