"""The normal data of the benchmark: scenes and tables as regions, without their known anomalies."""

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
from specvae.stages.gathering import gather
from specvae.thresholds.tiles import INDEPENDENT
from specvae.training.quota import Role
from specvae.training.sampling import Region, region_of_rows

__all__ = ["NormalSet", "normal_sets", "scene_series"]

SCENES = (
    ("scenes/coldsprings/20160707_pre_sr7.tif", None),
    ("scenes/aberystwyth/sen2_20210527_aber_10band.tif", None),
    ("scenes/sitakunda/s2_sitakunda_4band.tif", "auto"),
    ("scenes/rufiji_timeseries/S2_20160710.tif", None),
    ("scenes/rufiji_timeseries/S2_20190610.tif", None),
)
"""Scenes below the data folder, each with its nodata option."""
TABLES = (
    ("spectra/ftir_strawberry.csv", "adulterated"),
    ("spectra/deafrica_s2_spectra.csv", None),
)
"""Tables below the data folder, each with its label column."""
CLEAR = "scenes/cloudmask_sentinel2.npz"
"""A cube with a mask of what each pixel shows: 0 shadow, 1 to 3 clear ground, 4 cloud."""
SERIES = "scenes/rufiji_timeseries/S2_*.tif"
"""The dates of one place."""
QUICK_DATES = 6
JOINED_DATES = 16
"""Dates of the series whose every second one makes a data set of its own."""
BLOCKS, LEAST_SIDE, LARGEST_SIDE = 12, 4, 64
"""Blocks along the shorter side of a small scene, and limits of a block's side in pixels: enough blocks for halves of halves,
each larger than the correlation of neighbours."""
TRAIN_SHARE, VALIDATION_SHARE = 0.45, 0.05
"""Shares of the blocks to train on and to validate with; the others are held out."""


@dataclass(frozen=True)
class NormalSet:
    """Normal spectra as regions of scenes or tables."""

    name: str
    regions: tuple[Region, ...]
    """Every usable normal pixel has the role CALIBRATION until :meth:`split` gives it one."""
    bands: BandSet
    context: bool
    """Whether a model may use the neighbours of a pixel."""
    spectral: bool
    """Whether the values are spectra, so that a target spectrum can be planted."""

    def split(self, seed: int) -> tuple[Region, ...]:
        """The regions with random roles: 45 % of the blocks (or rows) train, 5 % validate, the other half is held out."""
        random = np.random.default_rng(seed)
        return tuple(replace(region, role=_roles(region, random)) for region in self.regions)


def _roles(region: Region, random: np.random.Generator) -> NDArray[np.uint8]:
    """The role of each pixel ``(rows, cols)``, drawn block by block; independent rows are blocks of one."""
    keys = region.block
    if (keys == INDEPENDENT).all():
        keys = np.arange(keys.size, dtype=np.int32).reshape(keys.shape)
    names, where = np.unique(keys, return_inverse=True)
    # A permutation gives each role its exact share of the blocks. A single block would always
    # have rank 0, and so would always be trained on: its rank is random.
    ranks = random.permutation(names.size) / names.size if names.size > 1 else random.random(1)
    steps = [ranks < TRAIN_SHARE, ranks < TRAIN_SHARE + VALIDATION_SHARE]
    kinds = np.select(steps, [Role.TRAIN, Role.VALIDATION], Role.CALIBRATION)
    role = kinds[where.reshape(keys.shape)]
    return np.where(region.role == Role.CALIBRATION, role, Role.UNUSED).astype(np.uint8)


def normal_sets(folder: Path, quick: bool) -> Iterator[NormalSet]:
    """Every data set that the folder holds, or with ``quick`` one of each kind."""
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
    """The scenes of one place in the order of their dates; with ``quick`` the first few."""
    paths = sorted(folder.glob(SERIES))
    return paths[:QUICK_DATES] if quick else paths


def _gathered(path: Path, options: IngestOptions, context: bool) -> NormalSet:
    config = ModelConfig()
    gathered = gather(find_sources([str(path)]), options, config, None, hold_all=True)
    return NormalSet(path.stem, gathered.regions, gathered.bands, context and gathered.context, True)


def _scene(path: Path, nodata: str | None) -> NormalSet:
    scene = _gathered(path, IngestOptions(nodata=nodata), True)
    return replace(scene, regions=tuple(_smaller_blocks(region) for region in scene.regions))


def _dates(paths: list[Path]) -> Iterator[NormalSet]:
    """Every second of the first sixteen dates of the series, as one data set."""
    if len(paths) >= JOINED_DATES:
        options, config = IngestOptions(), ModelConfig()
        gathered = gather(find_sources([str(p) for p in paths[:JOINED_DATES:2]]), options, config, None, hold_all=True)
        regions = tuple(_smaller_blocks(region) for region in gathered.regions)
        yield NormalSet(f"{paths[0].parent.name}, 8 dates", regions, gathered.bands, gathered.context, True)


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
    # Each pixel is a block of its own at first, which the cut into smaller blocks then replaces.
    region = _smaller_blocks(
        Region(cube, cube.window, role, np.arange(rows * cols, dtype=np.int32).reshape(rows, cols), 0)
    )
    bands = BandSet(tuple(Band(str(i)) for i in range(1, len(values) + 1)))
    yield NormalSet(path.stem, (region,), bands, True, True)


def _hyperspectral(path: Path) -> NormalSet:
    """A cube without the anomalies that its ``map`` marks."""
    scene = _scene(path, None)
    normal = np.asarray(loadmat(path, variable_names=["map"])["map"]) == 0
    regions = tuple(
        replace(r, role=np.where(normal[r.window.slices], r.role, Role.UNUSED).astype(np.uint8)) for r in scene.regions
    )
    return replace(scene, regions=regions)


def _smaller_blocks(region: Region) -> Region:
    """A region that is a complete small scene, cut into more blocks than a fit would cut; others stay as they are."""
    rows, cols = region.role.shape
    side = min(rows, cols) // BLOCKS
    if side < LEAST_SIDE or np.unique(region.block).size == 1:
        return region
    row, col = np.arange(rows) // min(side, LARGEST_SIDE), np.arange(cols) // min(side, LARGEST_SIDE)
    block = row[:, None] * (col[-1] + 1) + col
    return replace(region, block=block.astype(np.int32))


def _table(path: Path, label: str | None) -> NormalSet:
    return _gathered(path, IngestOptions(label_column=label), False)


def _adbench(path: Path) -> NormalSet:
    """The normal rows of an ADBench file."""
    values, anomalous = read_adbench(path)
    normal = values[~anomalous]
    region = region_of_rows(normal, np.ones(len(normal), bool), SamplingConfig(), 0, role=Role.CALIBRATION)
    bands = BandSet(tuple(Band(str(i)) for i in range(1, normal.shape[1] + 1)))
    return NormalSet(path.stem, (region,), bands, False, False)
