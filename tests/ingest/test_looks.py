"""The pixels at which a scene is looked at before it is read: few, and of large blocks one at a time."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specvae.bands import Band
from specvae.ingest.formats import crash_guard
from specvae.ingest.formats.arrays.reader import Part, TreeCubes, TreeReader
from specvae.ingest.formats.zarr_reader import ZarrReader
from specvae.ingest.grid import Grid
from specvae.ingest.layer import Layer
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.looks import DECODED, LARGE_BLOCK, border_windows, is_large, within_block
from specvae.ingest.scene.remembering import RememberingReader
from specvae.spectra import Window
from specvae.stages.inspect import inspect
from tests.raster_files import ramp, write

SIZES = st.integers(1024, 4000)


@given(
    st.tuples(SIZES, SIZES), st.integers(0, 12_000), st.integers(0, 12_000), st.integers(1, 512), st.integers(1, 512)
)
def test_a_look_lies_in_one_block_and_keeps_its_size(
    block: tuple[int, int], row: int, col: int, rows: int, cols: int
) -> None:
    moved = within_block(Window(row, col, rows, cols), block)
    assert (moved.rows, moved.cols) == (rows, cols)
    assert 0 <= moved.row <= row
    assert 0 <= moved.col <= col
    if is_large(block):
        assert moved.row // block[0] == (moved.row + rows - 1) // block[0]
        assert moved.col // block[1] == (moved.col + cols - 1) // block[1]


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64))
def test_the_corners_are_among_the_windows_of_a_border(rows: int, cols: int, side: int) -> None:
    every, corners = border_windows(rows, cols, side), border_windows(rows, cols, side, corners=True)
    assert set(corners) <= set(every)
    assert len(corners) == (1 + (rows > side)) * (1 + (cols > side))
    assert all(w.row + w.rows <= rows and w.col + w.cols <= cols for w in every)


def test_an_inspection_of_large_chunks_unpacks_few_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zarr = pytest.importorskip("zarr")
    side, chunk = 3200, 1100
    assert chunk * chunk > LARGE_BLOCK
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    array = root.create_array("red", shape=(side, side), dtype="uint16", chunks=(chunk, chunk))
    array[...] = np.tile(ramp(1, 100, 100)[0], (side // 100, side // 100))
    array.attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]
    chunks: list[int] = []
    plain = ZarrReader._values

    def counted(reader: ZarrReader, leading: tuple[int, ...], window: Window) -> np.ndarray:
        first, last = window.row // chunk, (window.row + window.rows - 1) // chunk
        start, stop = window.col // chunk, (window.col + window.cols - 1) // chunk
        chunks.append((last - first + 1) * (stop - start + 1))
        return plain(reader, leading, window)

    monkeypatch.setattr(ZarrReader, "_values", counted)
    described = inspect(str(tmp_path / "a.zarr"))
    assert described["kind"] == "raster"
    assert set(chunks) == {1}
    assert len(chunks) <= 16


def test_an_inspection_of_a_cube_in_large_chunks_of_many_bands_reads_few_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        cube = out.create_dataset("cube", (1024, 1024, 200), "u1", chunks=(256, 256, 200), fillvalue=7)
        cube[512:544, 512:544] = 9
        out["wavelength"] = np.linspace(400, 2400, 200)
    monkeypatch.setattr(crash_guard, "_ending", lambda *_: "")
    boxes: list[int] = []
    plain = TreeReader._box

    def counted(reader: TreeReader, window: Window) -> np.ndarray:
        boxes.append(window.size)
        return plain(reader, window)

    monkeypatch.setattr(TreeReader, "_box", counted)
    described = inspect(str(tmp_path / "a.h5"))
    assert described["kind"] == "raster"
    assert len(boxes) <= 6
    assert max(boxes) <= 64 * 64


@pytest.mark.parametrize("chunks", [(256, 256, 60), (1, 1024, 300), (40, 78, 18)])
def test_an_inspection_of_a_cube_of_many_bands_decodes_few_of_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: tuple[int, int, int]
) -> None:
    shape = (1024, 1024, 300)
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out.create_dataset("cube", shape, "u1", chunks=chunks, fillvalue=7)
        out["wavelength"] = np.linspace(400, 2400, 300)
    monkeypatch.setattr(crash_guard, "_ending", lambda *_: "")
    decoded: list[int] = []
    plain = h5py.Dataset.__getitem__

    def counted(array: h5py.Dataset, where: tuple[slice, ...]) -> np.ndarray:
        if array.name == "/cube":
            touched = [
                -(-min(s.stop, size) // step) * step - s.start // step * step
                for s, size, step in zip(where, shape, chunks, strict=True)
            ]
            decoded.append(int(np.prod(touched)))
        return np.asarray(plain(array, where))

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    described = inspect(str(tmp_path / "a.h5"))
    assert described["kind"] == "raster"
    assert described["pixels_looked_at"] >= 64 * 64
    # Three looks (for empty bands, for fill, for what is valid) and what they decode beside it; a whole cube is 315 million.
    assert 0 < sum(decoded) <= 5 * DECODED


def test_looks_at_one_place_read_it_once_and_a_changed_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "a.h5")
    grid, layers = Grid(8, 8), tuple(Layer(path, i + 1, Band()) for i in range(3))
    windows: list[Window] = []
    plain = TreeReader.read

    def counted(reader: TreeReader, window: Window) -> np.ndarray:
        windows.append(window)
        return plain(reader, window)

    monkeypatch.setattr(TreeReader, "read", counted)
    place = Window(2, 2, 4, 4)
    for factor in (1.0, 2.0):
        cube = factor * np.arange(192.0, dtype="f4").reshape(3, 8, 8)
        with h5py.File(path, "w") as out:
            out["cube"] = cube
        os.utime(path, ns=(int(factor) * 10**15,) * 2)
        for _ in range(2):
            opened = TreeCubes(path, (Part("cube", (0, 1, 2), 3),)).open(layers, grid, allow_remote=False)
            reader = RememberingReader(opened, grid)
            np.testing.assert_array_equal(reader.read(place), cube[:, 2:6, 2:6])
            reader.close()
    assert len(windows) == 2


def test_what_a_virtual_scene_is_made_of_is_read_again_where_it_changed(tmp_path: Path) -> None:
    """A VRT is the same file, byte for byte, when the one behind it is another."""
    vrt = tmp_path / "a.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    shares = []
    for value in (0, 200):
        pixels = np.full((1, 64, 64), 7, "uint8")
        pixels[:, :, :32] = value
        write(tmp_path / "a.tif", pixels)
        shares.append(inspect(str(vrt), IngestOptions(nodata=0))["valid_share"])
    assert shares == [0.5, 1.0]


def test_a_scene_of_many_bands_in_small_blocks_is_looked_at_in_parts(tmp_path: Path) -> None:
    write(
        tmp_path / "a.tif",
        np.full((240, 600, 600), 7, "uint8"),
        tiled=True,
        blockxsize=16,
        blockysize=16,
        interleave="pixel",
    )
    described = inspect(str(tmp_path / "a.tif"))
    assert described["kind"] == "raster"
    assert 50_000 <= described["pixels_looked_at"] <= 131_072
