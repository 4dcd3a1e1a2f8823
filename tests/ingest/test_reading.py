"""Reading order: every block of a file is decoded once, whatever its layout, and what windows share is carried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from specvae.ingest.scene.carried_windows import CarryingReader
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.scene.windows import pieces, steps
from specvae.spectra import CELL, Cube, Window
from specvae.stages.score.memory import Load, plan_reading
from tests.raster_files import write


class Recorder:
    """A source in memory that counts how often each pixel is read."""

    def __init__(self, rows: int, cols: int, bands: int = 2) -> None:
        rng = np.random.default_rng(0)
        self.values = rng.normal(size=(bands, rows, cols)).astype(np.float32)
        self.reason = (rng.random((rows, cols)) < 0.1).astype(np.uint8)
        self.count = np.zeros((rows, cols), int)
        self.windows: list[Window] = []

    def fill(self, window: Window, values: Any, reason: Any) -> None:
        values[...] = self.values[(slice(None), *window.slices)]
        reason[...] = self.reason[window.slices]
        self.count[window.slices] += 1
        self.windows.append(window)

    def cube(self, window: Window) -> Cube:
        return Cube(self.values[(slice(None), *window.slices)], self.reason[window.slices], window)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 900), st.integers(1, 300), st.integers(0, 24), st.sampled_from([1, 32, CELL]), st.data())
def test_steps_read_every_pixel_once_and_score_what_has_come_by(
    size: int, step: int, halo: int, multiple: int, data: Any
) -> None:
    start = data.draw(st.integers(0, (size - 1) // multiple)) * multiple
    stop = data.draw(st.integers(start + 1, size))
    made = steps(start, stop, size, step, halo, multiple)
    read = [i for s in made for i in range(s.begin, s.end)]
    assert read == list(range(max(0, start - halo), min(size, stop + halo)))
    assert [i for s in made for i in range(s.scored, s.until)] == list(range(start, stop))
    for before, s in zip([None, *made], made, strict=False):
        assert s.scored == s.until or (s.needed <= max(0, s.scored - halo) and min(size, s.until + halo) <= s.end)
        assert s.scored % multiple == 0 or s.scored == s.until
        assert before is None or (s.needed >= before.needed and s.begin % step == 0)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.tuples(st.integers(20, 200), st.integers(20, 200)),
    st.integers(0, 24),
    st.integers(1, 60_000),
    st.booleans(),
)
def test_carried_windows_are_what_reading_them_whole_gives(
    shape: tuple[int, int], step: tuple[int, int], halo: int, largest: int, parted: bool
) -> None:
    source, whole = Recorder(*shape), Window(0, 0, *shape)
    areas = [Window(0, c, shape[0], min(128, shape[1] - c)) for c in range(0, shape[1], 128)] if parted else []
    reader = CarryingReader(source, 2, shape, step, halo, largest, areas)
    seen = np.zeros(shape, int)
    for window in reader.windows:
        cube, expected = reader.read(window), source.cube(window.grow(halo).clip(whole))
        assert cube.window == expected.window
        np.testing.assert_array_equal(cube.values, expected.values)
        np.testing.assert_array_equal(cube.reason, expected.reason)
        seen[window.slices] += 1
    assert (seen == 1).all()
    assert parted or (source.count == 1).all()


@pytest.mark.parametrize("stored", ["uint8", "int16", "uint16", "int32", "float32"])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_windows_hold_the_physical_values_whatever_their_type(stored: str, scale: float, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 200, (3, 150, 170)).astype(stored)
    path = write(tmp_path / "a.tif", values, nodata=7)
    with rasterio.open(path, "r+") as file:
        file.scales = [scale] * 3
    with open_scene(str(path)) as scene:
        assert isinstance(scene, PixelScene)
        assert scene.held == (np.dtype(stored) if scale == 1.0 else np.dtype("float32"))
        reader = CarryingReader(scene, 3, scene.shape, (64, 64), 7, 1 << 20, held=scene.held)
        for window in reader.windows:
            cube, floats = reader.read(window), scene.read(window.grow(7).clip(scene.grid.window))
            assert cube.values.dtype == scene.held
            assert floats.values.dtype == np.float32
            np.testing.assert_array_equal(cube.values, floats.values)
            np.testing.assert_array_equal(cube.reason, floats.reason)
            assert cube.spectra(np.array([0]), np.array([1])).dtype == np.float32


def test_windows_read_out_of_turn_are_refused() -> None:
    reader = CarryingReader(Recorder(300, 300), 2, (300, 300), (128, 128), 7, 1 << 20)
    with pytest.raises(ValueError, match="out of turn"):
        reader.read(reader.windows[1])


@given(
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(1, 10**5),
    st.sampled_from([1, 32, CELL]),
)
def test_pieces_cover_a_window_once(corner: tuple[int, int], rows: int, cols: int, largest: int, multiple: int) -> None:
    largest = max(largest, multiple**2, rows * cols // 2000)  # not a window for every single pixel
    window = Window(corner[0] * multiple, corner[1] * multiple, rows, cols)
    seen = np.zeros((rows, cols), int)
    for piece in pieces(window, largest, multiple):
        assert piece.size <= largest
        assert piece.row % multiple == 0
        assert piece.col % multiple == 0
        seen[piece.shift(-window.row, -window.col).slices] += 1
    assert (seen == 1).all()


LAYOUTS: dict[str, dict[str, Any]] = {
    "tiles, by band": {
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "interleave": "band",
    },
    "tiles, by pixel": {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "zstd", "interleave": "pixel"},
    "small tiles": {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"},
    "tiles of 48 x 80": {"tiled": True, "blockxsize": 80, "blockysize": 48, "compress": "deflate"},
    "strips of 3, by band": {"blockysize": 3, "compress": "deflate", "interleave": "band"},
    "strips of 100, by pixel": {"blockysize": 100, "compress": "deflate", "interleave": "pixel"},
    "JPEG": {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "jpeg", "interleave": "pixel"},
    "uncompressed, by pixel": {"interleave": "pixel"},
    "uncompressed tiles": {"tiled": True, "blockxsize": 256, "blockysize": 256},
    "ENVI by pixel": {"driver": "ENVI", "interleave": "bip"},
    "ENVI by line": {"driver": "ENVI", "interleave": "bil"},
    "ENVI by band": {"driver": "ENVI", "interleave": "bsq"},
    "one strip, by band": {"blockysize": 1400, "compress": "deflate", "interleave": "band"},
    "one strip, by pixel": {"blockysize": 1400, "compress": "deflate", "interleave": "pixel"},
    "tiles larger than the memory": {"tiled": True, "blockxsize": 1024, "blockysize": 1024, "compress": "deflate"},
    "JPEG 2000": {"driver": "JP2OpenJPEG", "blockxsize": 256, "blockysize": 256, "quality": 100, "reversible": "yes"},
}


def bytes_read() -> int:
    """Bytes that this process has read so far, whether the disk had to be asked or not."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this system does not count what a process reads")
@pytest.mark.parametrize("memory", [24 << 20, pytest.param(48 << 20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_block_is_decoded_twice(layout: str, memory: int, tmp_path: Path) -> None:
    side = 700 if layout == "JPEG 2000" else 1400
    values = np.random.default_rng(0).integers(100, 4000, (3, side, side))
    dtype = "uint8" if layout == "JPEG" else "uint16"
    path = write(tmp_path / "a.tif", (values >> (4 if dtype == "uint8" else 0)).astype(dtype), **LAYOUTS[layout])
    with open_scene(str(path)) as scene:
        plan = plan_reading(memory, scene.shape, scene.block, Load(3, 2, 7, 3, 1))
        reader = CarryingReader(scene, 3, scene.shape, plan.step, 7, plan.largest, plan.areas)
        scene.close()
        with scene.cached(plan.cache, plan.rows):
            scene.read(Window(0, 0, 1, 1))
            before = bytes_read()
            got = [reader.read(window).crop(window) for window in reader.windows]
            read = bytes_read() - before
        whole = scene.read(scene.grid.window)
    assert len(got) > 1
    for cube in got:
        np.testing.assert_array_equal(cube.values, whole.values[(slice(None), *cube.window.slices)])
    # GDAL goes through the lines of this one, which nothing encodes, once for each of its bands.
    once = path.stat().st_size * (3 if layout == "ENVI by line" else 1)
    if min(scene.block[0], side) * side * 6 > plan.rows > 0:  # blocks go through a file on disk, which is read again
        once += values.size * 2
    assert read < 1.15 * once, f"{read / path.stat().st_size:.2f} times the file was read"
