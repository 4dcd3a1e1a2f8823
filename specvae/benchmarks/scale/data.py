"""The scenes of the benchmark: small ones by the thousand, some of them broken in one of ten ways."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specvae.stages.demo.scenes import write_scene

__all__ = ["WAYS", "make_scenes"]

NAMES = ("blue", "green", "red", "nir")
SIDE = 32
"""Pixels of a scene's side: the cost of a scene is then nearly all overhead, which is what is measured."""


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("<html>404 not found</html>\n", encoding="utf-8")


def _without_a_band(path: Path) -> None:
    write_scene(path, _land(1)[:3], NAMES[:3])


def _other_bands(path: Path) -> None:
    write_scene(path, _land(1), ("vv", "vh", "hh", "hv"))


def _all_nodata(path: Path) -> None:
    write_scene(path, np.zeros((4, SIDE, SIDE), np.uint16), NAMES)


def _garbled_header(path: Path) -> None:
    data = bytearray(path.read_bytes())
    # The first four bytes stay, so that the file is still taken for a TIFF.
    data[4:64] = bytes(range(60))
    path.write_bytes(bytes(data))


def _garbled_pixels(path: Path) -> None:
    """Every block's deflated stream is overwritten; the header stays."""
    data = path.read_bytes()
    first = data.find(b"\x78")
    # A zlib stream begins with 0x78 and one of four bytes that state the level of compression.
    for at in (i for i in range(first, len(data) - 2) if data[i] == 0x78 and data[i + 1] in (0x01, 0x5E, 0x9C, 0xDA)):
        data = data[: at + 2] + bytes(200) + data[at + 202 :]
    path.write_bytes(data)


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _dangling(path: Path) -> None:
    path.unlink()
    os.symlink(path.with_name("moved-away"), path)


WAYS: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut in the middle": (_cut, r"cannot be read|read|truncated"),
    "empty": (_empty, r"cannot be read as a raster"),
    "a web page in its place": (_text, r"cannot be read as a raster"),
    "without a band": (_without_a_band, r"band"),
    "other bands": (_other_bands, r"band"),
    "nothing but nodata": (_all_nodata, r"no valid pixel"),
    "a garbled header": (_garbled_header, r"cannot be read as a raster"),
    "garbled pixels": (_garbled_pixels, r"read"),
    "zeros in its place": (_zeros, r"cannot be read as a raster"),
    "a link to what was moved": (_dangling, r"cannot be read as a raster|does not exist"),
}
"""Name of each way -> what it does to a file, and a pattern that the reason given for it must match."""


def _land(seed: int) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).normal(1000, 50, (4, SIDE, SIDE)).astype(np.uint16)


def make_scenes(folder: Path, count: int, broken: int) -> dict[str, str]:
    """Write ``count`` scenes, ``broken`` of them broken by each way in turn; the key of each broken scene and its way."""
    folder.mkdir(parents=True, exist_ok=True)
    # Spread evenly, so that broken scenes come up from the beginning of a run to its end.
    chosen = {int((at + 0.5) * count / broken): at for at in range(broken)} if broken else {}
    ways, names = {}, list(WAYS)
    for number in range(count):
        path = folder / f"scene{number:05d}.tif"
        write_scene(path, _land(number), NAMES)
        if number in chosen:
            way = names[chosen[number] % len(names)]
            WAYS[way][0](path)
            ways[path.stem] = way
    return ways
