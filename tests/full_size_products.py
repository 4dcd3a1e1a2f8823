"""What ``specvae inspect`` costs on files of full size: processor time, time by the clock and memory of a process each.

usage: python -m tests.full_size_products [--out FOLDER] [--repeats N]

The files are made here, in the layout of their products: the chunks of a cube are one noisy chunk, packed once, so that
hundreds of megabytes are written in seconds. A chunk of noise is packed worse than a measured one and costs more.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import zlib
from collections.abc import Callable
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

from specvae.benchmarks.speed.processes import Timing, timed_command

SECONDS, MEGABYTES = 3.0, 300.0
"""The limits: seconds of a processor, and megabytes of memory."""
RNG = np.random.default_rng(1)


def noise(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    values = RNG.normal(0.3, 0.05, shape)
    return np.rint(values * 10_000).astype(dtype) if np.dtype(dtype).kind in "iu" else values.astype(dtype)


def cube(
    group: h5py.Group, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, shuffle: bool = False
) -> h5py.Dataset:
    """A dataset whose chunks are all the same noise, packed once."""
    data = group.create_dataset(name, shape, dtype, chunks=chunks, compression="gzip", shuffle=shuffle)
    plain = noise(chunks, dtype)
    raw = plain.view("u1").reshape(-1, plain.dtype.itemsize).T.tobytes() if shuffle else plain.tobytes()
    packed = zlib.compress(raw, 4)
    for start in product(*(range(0, size, step) for size, step in zip(shape, chunks, strict=True))):
        data.id.write_direct_chunk(start, packed)
    return data


def emit(path: Path, chunks: tuple[int, int, int], shuffle: bool = False) -> None:
    rows, cols, bands = 1280, 1242, 285
    with h5py.File(path, "w") as out:
        data = cube(out, "reflectance", (rows, cols, bands), chunks, "f4", shuffle)
        data.attrs["_FillValue"] = np.float32(-9999)
        for axis, name in enumerate(("downtrack", "crosstrack", "bands")):
            data.dims[axis].label = name
        waves = np.linspace(381, 2493, bands)
        out["sensor_band_parameters/wavelengths"], out["sensor_band_parameters/fwhm"] = waves, np.full(bands, 8.5)
        out["sensor_band_parameters/good_wavelengths"] = np.ones(bands, "f4")
        down, across = np.mgrid[:1900, :2100] - np.array([950, 1050])[:, None, None]
        x, y = 0.77 * across + 0.32 * down + cols / 2, 0.77 * down - 0.32 * across + rows / 2
        inside = (x >= 0) & (x < cols) & (y >= 0) & (y < rows)
        for name, place in (("glt_x", x), ("glt_y", y)):
            values = np.where(inside, place + 1, 0).astype("i4")
            out.create_dataset(f"location/{name}", data=values, chunks=(475, 525), compression="gzip")
        out.attrs["geotransform"] = np.array([10.0, 0.00054, 0, 45.0, 0, -0.00054])
        out.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()


def prisma(path: Path) -> None:
    with h5py.File(path, "w") as out:
        fields = out.create_group("HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields")
        for name, bands, ends in (("Vnir", 63, (977, 400)), ("Swir", 171, (2497, 943))):
            cube(fields, f"{name.upper()}_Cube", (1000, bands, 1000), (1, bands, 1000), "u2")
            waves = np.linspace(*ends, bands)
            out.attrs[f"List_Cw_{name}"], out.attrs[f"List_Fwhm_{name}"] = waves, np.full(bands, 9.5)
            out.attrs[f"List_Cw_{name}_Flags"] = np.ones(bands, "u1")
            out.attrs[f"L2Scale{name}Min"], out.attrs[f"L2Scale{name}Max"] = 0.0, 0.65


def neon(path: Path) -> None:
    with h5py.File(path, "w") as out:
        data = cube(out, "HARV/Reflectance/Reflectance_Data", (1000, 1000, 426), (25, 25, 106), "i2")
        data.attrs.update(Scale_Factor=10_000.0, Data_Ignore_Value=-9999.0)
        place = out.create_group("HARV/Reflectance/Metadata")
        place["Spectral_Data/Wavelength"], place["Spectral_Data/FWHM"] = np.linspace(382, 2510, 426), np.full(426, 5.8)
        place["Coordinate_System/Map_Info"] = "UTM, 1, 1, 731000, 4713000, 1, 1, 18, North, WGS-84, units=Meters"
        place["Coordinate_System/EPSG Code"] = "32618"


def tanager(path: Path) -> None:
    with h5py.File(path, "w") as out:
        name = "HDFEOS/GRIDS/HYP/Data Fields/surface_reflectance"
        data = cube(out, name, (426, 704, 640), (426, 32, 32), "f4", shuffle=True)
        data.attrs.update(wavelengths=np.linspace(376, 2500, 426), fwhm=np.full(426, 6.1), _FillValue=-9999.0)


def dlr(folder: Path) -> None:
    folder.mkdir()
    stem = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
    rows, cols, bands = 1130, 1260, 224
    profile = {"driver": "GTiff", "height": rows, "width": cols, "crs": 32632, "transform": from_origin(4e5, 58e5, 30, 30),
               "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}  # fmt: skip
    plane = noise((rows, cols), "int16")
    image = folder / f"{stem}-SPECTRAL_IMAGE.TIF"
    with rasterio.open(image, "w", count=bands, dtype="int16", nodata=-32768, interleave="band", **profile) as out:
        for band in range(1, bands + 1):
            out.write(plane, band)
    with rasterio.open(folder / f"{stem}-QL_QUALITY_CLOUD.TIF", "w", count=1, dtype="uint8", **profile) as out:
        out.write(np.zeros((1, rows, cols), "uint8"))
    text = "".join(
        f"<bandID number='{i + 1}'><wavelengthCenterOfBand>{wave}</wavelengthCenterOfBand><FWHMOfBand>7.5</FWHMOfBand>"
        "<GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
        for i, wave in enumerate(np.linspace(420, 2440, bands))
    )
    text = f"<level_X><specific><bandCharacterisation>{text}</bandCharacterisation></specific></level_X>"
    (folder / f"{stem}-METADATA.XML").write_text(f"<?xml version='1.0'?>{text}")


def frame(rows: int) -> pd.DataFrame:
    return pd.DataFrame(noise((rows, 256), "f4").round(4), columns=[f"{400 + 5 * i}nm" for i in range(256)])


def tiny(path: Path) -> None:
    with rasterio.open(path, "w", driver="GTiff", count=4, height=64, width=64, dtype="uint16") as out:
        out.write(noise((4, 64, 64), "uint16"))


FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a small GeoTIFF, 64x64x4": ("a.tif", tiny),
    "EMIT, 1280x1242x285, chunks of 256x249x57": ("a.nc", lambda path: emit(path, (256, 249, 57))),
    "EMIT, the same, shuffled": ("b.nc", lambda path: emit(path, (256, 249, 57), shuffle=True)),
    "EMIT, chunks of 40x78x18": ("c.nc", lambda path: emit(path, (40, 78, 18))),
    "EMIT, chunks of whole rows, 10x1242x285": ("d.nc", lambda path: emit(path, (10, 1242, 285))),
    "PRISMA, 1000x1000x234, chunks of whole rows": ("a.he5", prisma),
    "NEON AOP, 1000x1000x426": ("neon.h5", neon),
    "Tanager, 704x640x426": ("tanager.h5", tanager),
    "EnMAP, 1130x1260x224, tiles of 512x512": ("enmap", dlr),
    "a table of 20,000x256 in Feather": ("a.feather", lambda path: frame(20_000).to_feather(path)),
    "a table of 20,000x256 in Parquet": ("a.parquet", lambda path: frame(20_000).to_parquet(path)),
    "a table of 5,000x256 in CSV": ("a.csv", lambda path: frame(5_000).to_csv(path, index=False)),
    "a workbook of 1,000x256": ("a.xlsx", lambda path: frame(1_000).to_excel(path, index=False)),
}
"""What is inspected -> the name of its file and what makes it."""


def measured(repeats: int) -> dict[str, Timing]:
    """The inspection of each file that took the least processor time. Raises SpecvaeError where one fails."""
    out = {}
    for what, (name, make) in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            make(path)
            out[what] = min((timed_command("inspect", path) for _ in range(repeats)), key=lambda run: run.cpu_seconds)
        print(f"{what}: {out[what].cpu_seconds:.2f} s, {out[what].peak_mib:.0f} MB", flush=True)
    return out


def write(costs: dict[str, Timing], repeats: int, out: Path) -> None:
    base = next(iter(costs.values())).cpu_seconds
    rows = [
        f"| {what} | {run.cpu_seconds:.2f} | {run.seconds:.2f} | {run.peak_mib:.0f} | {run.cpu_seconds / base:.1f} | "
        f"{'yes' if run.cpu_seconds < SECONDS and run.peak_mib < MEGABYTES else 'no'} |"
        for what, run in costs.items()
    ]
    tried = Path(__file__).with_name("full_size_tried.csv")
    with tried.open(newline="") as file:
        head, *ideas = csv.reader(file)
    text = [
        "# What `specvae inspect` costs on files of full size",
        "",
        f"Made by `python -m tests.full_size_products`: of {repeats} inspections of each file, a process each, the cheapest; "
        f"its helpers are counted too. Files of noise in the layout of their products, {os.cpu_count()} processors. "
        f"Limits: {SECONDS:g} s of a processor and {MEGABYTES:g} MB.",
        "",
        "| file | processor, s | clock, s | memory, MB | times the small one | within both limits |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        *rows,
        "",
        "A scene is looked at in so many places that about 16 million values are decoded for one look, and in one place at "
        "least. A second look at one place decodes nothing. All rows of a table are read, to decide on its columns and to "
        "count the rows that are not usable, so that the cost grows with them.",
        "",
        "## What was tried",
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(f"| {' | '.join(idea)} |" for idea in ideas),
        "",
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text("\n".join(text))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("reports/inspect"))
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    write(measured(given.repeats), given.repeats, given.out)


if __name__ == "__main__":
    main()
