"""Synthetic files in the folders, names and layouts of the real data, for tests that need no more of it than that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import scipy.io
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.transform import from_origin

from specvae.stages.demo.synthetic import endmembers, make_scene
from tests.raster_files import write

FIRE_GRID: dict[str, Any] = {"crs": "EPSG:32613", "transform": from_origin(455_655, 4_428_465, 30, 30)}
FIRE_BANDS = ("B1_coastal", "B2_blue", "B3_green", "B4_red", "B5_nir", "B6_swir1", "B7_swir2")
FIRE_COLUMNS = [0, 0, 1, 2, 6, 8, 9]
"""Of the synthetic scene's ten bands, the one nearest to each of Landsat's seven."""
SENTINEL_BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
DATES = {
    2016: ("0312", "0710", "0720", "0829", "0918"),
    2017: ("0615", "0715", "0829"),
    2018: ("0615", "0725", "0804", "0819", "0829", "0923"),
    2019: ("0605", "0610", "0615", "0620", "0715", "0809"),
    2020: ("0101",),
}
"""Year -> months and days of the series."""
MAT_CUBES = {"abu-airport-1": 205, "abu-beach-2": 193, "abu-urban-3": 191, "hydice-urban-21": 175, "sandiego1-58": 189}
"""Name of a circulated cube -> its bands."""


def write_stand_ins(folder: Path) -> Path:
    """Write all of them below ``folder``."""
    scenes = folder / "scenes"
    for name in (
        "coldsprings",
        "coldsprings_landsat8_bands/20160707_pre",
        "rufiji_timeseries",
        "sitakunda",
        "aberystwyth",
    ):
        (scenes / name).mkdir(parents=True)
    for name in ("had", "awkward"):
        (folder / name).mkdir()
    before = write_fire(scenes / "coldsprings")
    write_landsat_bands(scenes / "coldsprings_landsat8_bands" / "20160707_pre", before)
    for seed, date in enumerate(f"{year}{day}" for year, days in DATES.items() for day in days):
        values = ground(140, 169, seed) // 10
        write(scenes / "rufiji_timeseries" / f"S2_{date}.tif", values, SENTINEL_BANDS, nodata=0)
    write(scenes / "aberystwyth" / "sen2_20210527_aber_10band.tif", ground(300, 280, 31), SENTINEL_BANDS)
    write(scenes / "sitakunda" / "s2_sitakunda_4band.tif", ground(256, 200, 32)[[2, 1, 0, 6]], nodata=0)
    labels = np.zeros((1, 256, 200), np.uint8)
    labels[0, 40:44, 50:60], labels[0, 90:95, 20:30] = 1, 2
    write(scenes / "sitakunda" / "labels.tif", labels, nodata=0)
    write_mat_cubes(folder / "had")
    write_unplaced(folder / "awkward")
    return folder


def ground(rows: int, cols: int, seed: int) -> NDArray[np.uint16]:
    """The synthetic scene, ``(10, rows, cols)``; its nodata is 0."""
    return make_scene(rows, cols, seed=seed).values.astype(np.uint16)


def write_fire(folder: Path) -> NDArray[np.int16]:
    """One place before and after a fire, its clear pixels and the burnt ones; returns the values before it, without gaps."""
    rows, cols = 177, 246
    scene = ground(rows, cols, 1)[FIRE_COLUMNS].astype(float)
    y, x = np.mgrid[:rows, :cols]
    burnt = (y - 110) ** 2 + (x - 170) ** 2 <= 24**2
    burnt |= (y - 50) ** 2 + (x - 90) ** 2 <= 16**2
    burnt &= (scene > 0).all(axis=0)
    after = scene * np.random.default_rng(2).normal(1, 0.01, scene.shape)
    ash = endmembers()["burn"][FIRE_COLUMNS] * 1e4
    after[:, burnt] = 0.3 * after[:, burnt] + 0.7 * ash[:, None]
    for name, values in (("20160707_pre", scene), ("20160723_post", after)):
        counts = np.where(scene > 0, values.round(), -32768).astype(np.int16)
        write(folder / f"{name}_sr7.tif", counts, FIRE_BANDS, nodata=-32768, **FIRE_GRID)
        write(folder / f"{name}_clear.tif", (scene > 0).all(axis=0)[None].astype(np.uint8), **FIRE_GRID)
    write(folder / "burn_mask.tif", burnt[None].astype(np.uint8), **FIRE_GRID)
    return np.where(scene > 0, scene, 300).astype(np.int16)


def write_landsat_bands(folder: Path, values: NDArray[np.int16]) -> None:
    """A folder of Landsat 8 surface reflectance, a file a band, with its pixel_qa and its metadata."""
    stem = "LC08_L1TP_034032_20160707_20170221_01_T1"
    for at, band in enumerate(values, start=1):
        write(folder / f"{stem}_sr_band{at}_crop.tif", band[None], nodata=-32768, **FIRE_GRID)
    classes = np.array([322, 324, 328, 336, 352, 392, 480, 992], np.int16)
    bits = np.random.default_rng(3).choice(classes, (1, *values.shape[1:]), p=[0.6, *[0.4 / 7] * 7])
    write(folder / f"{stem}_pixel_qa_crop.tif", bits, nodata=-32768, **FIRE_GRID)
    text = "GROUP = A\nSPACECRAFT_ID = LANDSAT_8\nSUN_ELEVATION = 60\nDATE_ACQUIRED = 2016-07-07\nEND_GROUP = A\nEND\n"
    (folder / f"{stem}_MTL.txt").write_text(text, encoding="utf-8")


def write_mat_cubes(folder: Path) -> None:
    """Cubes as MATLAB files, ``data`` in rows, columns and bands, ``map`` with 1 at anomalies."""
    for seed, (name, bands) in enumerate(MAT_CUBES.items()):
        rng = np.random.default_rng(seed)
        truth = np.zeros((40, 50), np.uint8)
        truth[5:8, 10 : 14 + seed] = 1
        cube = rng.integers(100, 4000, (40, 50, bands)).astype("<u2" if seed % 2 else "<i2")
        scipy.io.savemat(folder / f"{name}.mat", {"data": cube, "map": truth})


def write_unplaced(folder: Path) -> None:
    """A raster that is placed by ground control points and one placed by rational polynomials."""
    bytes_of = np.arange(400, dtype=np.uint8).reshape(1, 20, 20)
    profile = {"driver": "GTiff", "width": 20, "height": 20, "count": 1, "dtype": "uint8"}
    points = [GroundControlPoint(r, c, 440_720 + 60 * c, 3_751_320 - 60 * r) for r in (0, 20) for c in (0, 20)]
    with rasterio.open(folder / "gdal_byte_gcp.tif", "w", **profile, crs="EPSG:26711", gcps=points) as file:
        file.write(bytes_of)
    line, sample = [0.0, 0.0, -1.0, *[0.0] * 17], [0.0, 1.0, *[0.0] * 18]
    one = [1.0, *[0.0] * 19]
    places = {
        "lat_off": 45.0,
        "lat_scale": 0.1,
        "long_off": 7.0,
        "long_scale": 0.1,
        "height_off": 0.0,
        "height_scale": 500.0,
    }
    pixels = {"line_off": 10.0, "line_scale": 10.0, "samp_off": 10.0, "samp_scale": 10.0}
    terms = {"line_num_coeff": line, "line_den_coeff": one, "samp_num_coeff": sample, "samp_den_coeff": one}
    with rasterio.open(folder / "rioxarray_test_rpcs.tif", "w", **profile) as file:
        file.write(bytes_of)
        file.rpcs = RPC(**places, **pixels, **terms, err_bias=0.0, err_rand=0.0)
