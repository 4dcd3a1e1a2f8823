"""The place of the faults: dated scenes, a model, a pipeline, and what an undisturbed run makes of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

__all__ = ["COMMANDS", "Place", "command_of", "contents", "make_place", "torn"]

SCENES = 6
SIDE, BANDS = 96, 4
COMMANDS = {
    "score": ["score", "in", "--model", "model.specvae", "--out", "out"],
    "run": ["run", "batch.toml"],
    "watch": ["watch", "dates", "--out", "out"],
}
"""The commands that are killed, from the place's folder."""
PIPELINE = 'out = "out"\njobs = 2\n[[stage]]\nrun = "score"\nscene = "in/*.tif"\nmodel = "model.specvae"\nout = "out"\n'
VOLATILE = ("report.json", "report.html", "item.json", "model.json", "watch.json", "index.html", "alerts.gpkg")
"""Files that hold the time at which they were made: their bytes differ between two runs."""


@dataclass(frozen=True)
class Place:
    """A folder with inputs, and what undisturbed commands leave."""

    folder: Path
    expected: dict[str, dict[str, str]]
    """SHA-256 of each file that a command writes, by the command's name."""
    seconds: dict[str, float]
    """How long an undisturbed command takes."""

    @property
    def out(self) -> Path:
        """The folder of results."""
        return self.folder / "out"


def command_of(name: str) -> list[str]:
    """The words that start a command as a process."""
    return [sys.executable, "-m", "specvae", *COMMANDS[name]]


def make_place(folder: Path) -> Place:
    """Make scenes and a model, and run each command once undisturbed."""
    (folder / "in").mkdir(parents=True)
    for number in range(SCENES):
        _write_scene(folder / "in" / f"coast_2025010{number + 1}.tif", number)
    (folder / "batch.toml").write_text(PIPELINE, encoding="utf-8")
    _call(folder, ["fit", "in", "--model", "model.specvae", "--set", "training.steps=60"])
    _call(folder, ["score", "in", "--model", "model.specvae", "--out", "dates"])
    expected, seconds = {}, {}
    for name, words in COMMANDS.items():
        started = time.perf_counter()
        _call(folder, words)
        seconds[name] = time.perf_counter() - started
        expected[name] = contents(folder / "out")
        shutil.rmtree(folder / "out")
    return Place(folder, expected, seconds)


def _write_scene(path: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    ground = np.random.default_rng(99).normal(1000, 60, (BANDS, SIDE, SIDE))
    cube = (ground + rng.normal(0, 20, ground.shape)).astype(np.uint16)
    cube[:, 40:44, 50:54] = 3000 + 50 * number
    profile = {"width": SIDE, "height": SIDE, "count": BANDS, "dtype": "uint16", "crs": "EPSG:32633"}
    with rasterio.open(
        path, "w", driver="GTiff", transform=from_origin(4e5, 5e6, 10, 10), nodata=0, **profile
    ) as raster:
        raster.write(cube)


def _call(folder: Path, words: list[str]) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "specvae", *words], cwd=folder, check=True, capture_output=True, env=environment
    )


def contents(out: Path) -> dict[str, str]:
    """SHA-256 of each file of finished results whose bytes do not depend on the time."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and _counts(path, out)]
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _counts(path: Path, out: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(out).parts)
    return not hidden and path.suffix in (".tif", ".csv", ".qml") and path.name not in VOLATILE


def torn(out: Path) -> list[str]:
    """What claims to be complete and is not: a result whose item names a file that is missing or of other bytes."""
    found = []
    for last in (*out.rglob("item.json"), *out.rglob("watch.json")):
        if any(part.startswith(".") for part in last.relative_to(out).parts):
            continue  # a folder that is being made beside its place
        found += _torn(last)
    return found


def _torn(last: Path) -> list[str]:
    try:
        assets = json.loads(last.read_text(encoding="utf-8"))["assets"]
    except (OSError, ValueError, KeyError):
        return [f"{last} cannot be read"]
    found = []
    for asset in assets.values():
        path = last.parent / asset["href"]
        if not path.is_file():
            found.append(f"{path} is missing")
            continue
        # A multihash: 0x12 0x20 stands for 32 bytes of SHA-256.
        checksum = asset.get("file:checksum", "").removeprefix("1220")
        if checksum and hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            found.append(f"{path} has other bytes")
    return found
