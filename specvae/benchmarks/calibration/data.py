"""Normal data of the benchmark: scenes and tables as regions, known anomalies taken out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from specvae.bands import Band, BandSet
from specvae.benchmarks.datasets import read_adbench
from specvae.ingest.options import IngestOptions
from specvae.ingest.sources import find_sources
from specvae.model.config import ModelConfig, SamplingConfig
from specvae.spectra import Cube, Invalid, Window
from specvae.stages.fit import gather
from specvae.thresholds.tiles import INDEPENDENT
from specvae.training.sampling import Region, Role, region_of_rows

__all__ = ["NormalSet", "normal_sets", "scene_series"]

SCENES = (
    ("scenes/coldsprings/20160707_pre_sr7.tif", None),
    ("scenes/aberystwyth/sen2_20210527_aber_10band.tif", None),
    ("scenes/sitakunda/s2_sitakunda_4band.tif", "auto"),
    ("scenes/rufiji_timeseries/S2_20160710.tif", None),
    ("scenes/rufiji_timeseries/S2_20190610.tif", None),
)
TABLES = (
    ("spectra/ftir_strawberry.csv", "adulterated"),
    ("spectra/deafrica_s2_spectra.csv", None),
)
CLEAR = "scenes/cloudmask_sentinel2.npz"
"""A cube with a mask of its ground: 0 shadow, 1 to 3 clear, 4 cloud."""
SERIES = "scenes/rufiji_timeseries/S2_*.tif"
BLOCKS = 12
"""Blocks along the shorter side of a small scene."""


@dataclass(frozen=True)
class NormalSet:
    """Normal spectra, in place."""

    name: str
    regions: tuple[Region, ...]
    """Every usable normal pixel has the role CALIBRATION."""
    bands: BandSet
    context: bool
    spectral: bool
    """Whether the values are spectra, in which a target can be planted."""

    def split(self, seed: int) -> tuple[Region, ...]:
        """Half of the blocks (or rows) to train on, a tenth of them to validate, the other half held out."""
        random = np.random.default_rng(seed)
        return tuple(replace(region, role=_roles(region, random)) for region in self.regions)


def _roles(region: Region, random: np.random.Generator) -> NDArray[np.uint8]:
    keys = region.block
    if (keys == INDEPENDENT).all():
        keys = np.arange(keys.size, dtype=np.int32).reshape(keys.shape)
    names, where = np.unique(keys, return_inverse=True)
    drawn = random.permutation(names.size) / names.size if names.size > 1 else random.random(1)
    kinds = np.select([drawn < 0.45, drawn < 0.5], [Role.TRAIN, Role.VALIDATION], Role.CALIBRATION)
    role = kinds[where.reshape(keys.shape)]
    return np.where(region.role == Role.CALIBRATION, role, Role.UNUSED).astype(np.uint8)


def normal_sets(folder: Path, quick: bool) -> Iterator[NormalSet]:
    """Every set that the folder holds; ``quick``: one of each kind."""
    cubes = sorted(folder.glob("had/*.mat"))
    for path in cubes[:1] if quick else cubes:
        yield _hyperspectral(path)
    for pattern, nodata in SCENES[:1] if quick else SCENES:
        for path in sorted(folder.glob(pattern))[:1]:
            yield _scene(path, nodata)
    if not quick:
        yield from _clear(folder / CLEAR)
        yield from _dates(scene_series(folder, quick))
    sets = sorted(folder.glob("adbench/*.npz"))
    for path in sets[:1] if quick else sets:
        yield _adbench(path)
    for name, label in TABLES[:1] if quick else TABLES:
        if (folder / name).is_file():
            yield _table(folder / name, label)


def scene_series(folder: Path, quick: bool) -> list[Path]:
    """The dates of one place, in order."""
    paths = sorted(folder.glob(SERIES))
    return paths[:6] if quick else paths


def _gathered(path: Path, options: IngestOptions, context: bool) -> NormalSet:
    config = ModelConfig()
    found = gather(find_sources([str(path)]), options, config, None, hold_all=True)
    return NormalSet(path.stem, found.regions, found.bands, context and found.context, True)


def _scene(path: Path, nodata: str | None) -> NormalSet:
    found = _gathered(path, IngestOptions(nodata=nodata), True)
    return replace(found, regions=tuple(_smaller_blocks(region) for region in found.regions))


def _dates(paths: list[Path]) -> Iterator[NormalSet]:
    """Eight dates of the series as one set of normal data."""
    if len(paths) >= 16:
        options, config = IngestOptions(), ModelConfig()
        found = gather(find_sources([str(p) for p in paths[:16:2]]), options, config, None, hold_all=True)
        regions = tuple(_smaller_blocks(region) for region in found.regions)
        yield NormalSet(f"{paths[0].parent.name}, 8 dates", regions, found.bands, found.context, True)


def _clear(path: Path) -> Iterator[NormalSet]:
    """The clear ground of a cube whose shadows and clouds are marked."""
    if not path.is_file():
        return
    with np.load(path, allow_pickle=False) as file:
        values, kind = np.moveaxis(file["img"], -1, 0).astype(np.float32), file["msk"][..., 0]
    rows, cols = kind.shape
    reason = np.where(np.isfinite(values).all(axis=0), Invalid.VALID, Invalid.NAN).astype(np.uint8)
    cube = Cube(np.ascontiguousarray(values), reason, Window(0, 0, rows, cols))
    role = np.where((reason == Invalid.VALID) & (kind > 0) & (kind < 4), Role.CALIBRATION, Role.UNUSED).astype(np.uint8)
    region = _smaller_blocks(
        Region(cube, cube.window, role, np.arange(rows * cols, dtype=np.int32).reshape(rows, cols), 0)
    )
    bands = BandSet(tuple(Band(str(i)) for i in range(1, len(values) + 1)))
    yield NormalSet(path.stem, (region,), bands, True, True)


def _hyperspectral(path: Path) -> NormalSet:
    """A cube whose ``map`` tells the anomalies, which are left out."""
    found = _scene(path, None)
    normal = np.asarray(loadmat(path, variable_names=["map"])["map"]) == 0
    regions = tuple(
        replace(r, role=np.where(normal[r.window.slices], r.role, Role.UNUSED).astype(np.uint8)) for r in found.regions
    )
    return replace(found, regions=regions)


def _smaller_blocks(region: Region) -> Region:
    """A region that is a whole scene is cut in more blocks than a fit would."""
    rows, cols = region.role.shape
    side = min(rows, cols) // BLOCKS
    if side < 4 or np.unique(region.block).size == 1:
        return region
    row, col = np.arange(rows) // min(side, 64), np.arange(cols) // min(side, 64)
    block = row[:, None] * (col[-1] + 1) + col
    return replace(region, block=block.astype(np.int32))


def _table(path: Path, label: str | None) -> NormalSet:
    return _gathered(path, IngestOptions(label_column=label), False)


def _adbench(path: Path) -> NormalSet:
    values, anomalous = read_adbench(path)
    normal = values[~anomalous]
    region = region_of_rows(normal, np.ones(len(normal), bool), SamplingConfig(), 0, hold_all=True)
    bands = BandSet(tuple(Band(str(i)) for i in range(1, normal.shape[1] + 1)))
    return NormalSet(path.stem, (region,), bands, False, False)
