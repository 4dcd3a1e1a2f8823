"""Makes ``data/samples``: small made-up stand-ins for the public data that the examples and pipelines are meant for.

Every file has the name, the layout and the type of the real one, and nothing of its content: the scripts run on them on any
machine, and their figures mean nothing. ``python examples/samples.py`` writes the folder anew.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import savemat
from scipy.ndimage import gaussian_filter

from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import make_scene

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
STEP = 20
"""Values are rounded to multiples of this, so that the files compress."""
DATES = ("20160710", "20170715", "20180725", "20190605", "20190610", "20200101")
ADBENCH = {"6_cardio": 21, "28_pendigits": 16, "30_satellite": 36, "38_thyroid": 6}
"""Columns of each set."""
SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcfgd")
"""Strokes of the digits 0 to 9, as on a pocket calculator."""
STROKES = {"a": (4, 5, 9, 19), "b": (5, 13, 17, 19), "c": (13, 22, 17, 19), "d": (21, 22, 9, 19), "e": (13, 22, 8, 10),
           "f": (5, 13, 8, 10), "g": (12, 14, 9, 19)}  # fmt: skip
"""First and last row, first and last column of each stroke in 28 x 28 pixels."""


def ground(
    rows: int, cols: int, seed: int, anomalies: bool = False, bands: int = 10
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Values ``(bands, rows, cols)`` without the made scene's invalid collar, and where something is planted."""
    wavelengths = None if bands == 10 else np.linspace(450, 2300, bands)
    margin = cols // 4
    made = make_scene(rows, cols + margin, seed, anomalies, wavelengths)
    values = (made.values[:, :, margin:] // STEP * STEP).astype(np.uint16)
    return np.maximum(values, 1), made.truth[:, margin:]


def scenes(place: Path) -> None:
    """Six dates of one place; and a place before and after something happened, with masks."""
    for seed, date in enumerate(DATES):
        values, _ = ground(64, 72, seed, anomalies=date > "2020")
        write_scene(place / "rufiji_timeseries" / f"S2_{date}.tif", values)
    fires = place / "coldsprings"
    before, _ = ground(176, 240, 10, bands=4)
    after, truth = ground(176, 240, 11, anomalies=True, bands=4)
    names = ("B2_blue", "B4_red", "B5_nir", "B6_swir1")
    write_scene(fires / "20160707_pre_sr7.tif", before, names)
    write_scene(fires / "20160723_post_sr7.tif", after, names)
    for name in ("20160707_pre_clear", "20160723_post_clear"):
        write_scene(fires / f"{name}.tif", np.ones((1, 176, 240), np.uint8), ("clear",), nodata=255)
    write_scene(fires / "burn_mask.tif", (truth > 0).astype(np.uint8)[None], ("burnt",), nodata=255)


def hyperspectral(place: Path) -> None:
    """Two cubes of 40 bands with a map each, as MATLAB files."""
    place.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("abu-airport-1", "abu-urban-3")):
        values, truth = ground(60, 64, 20 + seed, anomalies=True, bands=40)
        cube = {"data": np.moveaxis(values, 0, 2), "map": (truth > 0).astype(np.uint8)}
        savemat(place / f"{name}.mat", cube, do_compression=True)


def tables(place: Path) -> None:
    """Four sets of rows and labels; infrared spectra with a label and a split; spectra of a soil."""
    (place / "adbench").mkdir(parents=True, exist_ok=True)
    (place / "spectra").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name, columns in ADBENCH.items():
        rows = rng.normal(size=(400, 3)) @ rng.normal(size=(3, columns)) + 0.2 * rng.normal(size=(400, columns))
        odd = np.arange(400) >= 360
        rows[odd] += rng.normal(size=(40, columns))
        np.savez_compressed(place / "adbench" / f"{name}.npz", X=rows.round(2).astype(np.float32), y=odd.astype(int))
    at = np.linspace(0, 1, 60)
    depth, odd = rng.normal(1, 0.15, (240, 1)), np.arange(240) % 4 == 0
    puree = depth * np.exp(-(((at - 0.3) / 0.1) ** 2)) + 0.6 * depth**2 * np.exp(-(((at - 0.7) / 0.2) ** 2))
    puree += odd[:, None] * 0.1 * np.exp(-(((at - 0.5) / 0.03) ** 2)) + 0.01 * rng.normal(size=puree.shape)
    frame = pd.DataFrame(puree.round(3), columns=[f"ch{i}" for i in range(60)])
    frame["adulterated"], frame["split"] = odd.astype(int), np.where(np.arange(240) % 3 == 0, "test", "train")
    frame.to_csv(place / "spectra" / "ftir_strawberry.csv", index=False)
    bands = np.linspace(454, 950, 40).astype(int)
    soil = (0.1 + 0.2 * (bands - 454) / 500) * rng.normal(1, 0.1, (120, 1)) + 0.003 * rng.normal(size=(120, 40))
    soils = pd.DataFrame(soil.clip(0, 1).round(4), columns=[str(band) for band in bands])
    soils.to_csv(place / "spectra" / "soilmoisture_dataset.csv", index=False)


def digits(place: Path) -> None:
    """Digits of straight strokes, shifted, thickened and blurred, as MNIST's four files.

    They are not packed, because packed ones have to be the original files.
    """
    place.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for part, count in (("train", 400), ("t10k", 100)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.stack([digit(int(label), rng) for label in labels])
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (place / f"{part}-{kind}-ubyte").write_bytes(head + array.tobytes())


def digit(number: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One digit ``(28, 28)``, grey levels 0 to 255 in steps of 32."""
    image = np.zeros((28, 28))
    for stroke in SEGMENTS[number]:
        top, bottom, left, right = STROKES[stroke]
        image[top : bottom + 1, left : right + 1] = 1
    image = np.roll(image, rng.integers(-3, 4, 2), axis=(0, 1))
    image = gaussian_filter(image, rng.uniform(0.4, 1.1)) * rng.uniform(0.7, 1.0)
    return (image * 255 / 32).round().clip(0, 7).astype(np.uint8) * 32


def main() -> None:
    """Write everything below the folder given, or below ``data/samples``."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES
    scenes(place / "scenes")
    hyperspectral(place / "had")
    tables(place)
    digits(place / "mnist")
    print(f"{place}: {sum(p.stat().st_size for p in place.rglob('*') if p.is_file()):,} bytes")


if __name__ == "__main__":
    main()
