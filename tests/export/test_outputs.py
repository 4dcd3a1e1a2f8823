"""Outputs appear whole or not at all; overviews keep a single anomalous pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from specvae.errors import OutputError
from specvae.export.maps import MapBand, MapWriter
from specvae.export.overviews import pooled
from specvae.export.result_folders import result_folder
from specvae.files.atomic import atomic_file
from specvae.ingest.grid import Grid
from specvae.spectra import Window


def test_a_failed_write_leaves_the_old_file_and_no_leftover(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="boom"), atomic_file(target) as beside:
        beside.write_text("half")
        raise RuntimeError("boom")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_symbolic_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("keep")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OutputError, match="symbolic link"), atomic_file(tmp_path / "link") as beside:
        beside.write_text("x")
    assert (tmp_path / "real").read_text() == "keep"


def test_a_folder_replaces_an_older_one_and_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    place = tmp_path / "scene"
    for content in ("one", "two"):
        with result_folder(place) as work:
            (work.path / "item.json").write_text(content)
            if content == "one":
                (work.path / "objects.gpkg").write_text("old")
            work.commit()
        (place / "notes.txt").write_text("mine")
    assert (place / "item.json").read_text() == "two"
    assert (place / "notes.txt").read_text() == "mine"
    assert not (place / "objects.gpkg").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["scene"]


def test_an_abandoned_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="boom"), result_folder(tmp_path / "scene") as work:
        (work.path / "score.tif").write_text("half")
        raise RuntimeError("boom")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scene").write_text("a file")
    with pytest.raises(OutputError, match="not a folder"), result_folder(tmp_path / "scene"):
        pass


def test_pooling_takes_all_bands_from_the_highest_first_band() -> None:
    block = np.array([[[1, 5, np.nan], [2, 3, 7]], [[10, 50, 0], [20, 30, 70]]], np.float32)
    np.testing.assert_array_equal(pooled(block, float("nan")), np.array([[[5, 7]], [[50, 70]]], np.float32))


@pytest.mark.parametrize("shape", [(4, 6), (5, 7), (1, 1), (1, 8), (7, 2)])
@pytest.mark.parametrize(("dtype", "nodata"), [("float32", np.nan), ("uint8", 255), ("uint8", 0), ("int16", -1)])
def test_pooling_keeps_the_highest_that_is_not_nodata(dtype: str, nodata: float, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    block = rng.integers(0, 5, shape).astype(dtype)
    block[rng.random(shape) < 0.5] = nodata
    got = pooled(block[None], nodata)[0]
    assert got.dtype == block.dtype
    assert got.shape == (-(-shape[0] // 2), -(-shape[1] // 2))
    for (row, col), value in np.ndenumerate(got):
        four = block[2 * row : 2 * row + 2, 2 * col : 2 * col + 2]
        known = four[~np.isnan(four)] if np.isnan(nodata) else four[four != nodata]
        np.testing.assert_equal(value, known.max() if known.size else block.dtype.type(nodata))


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_a_map_is_a_valid_cog_whose_overviews_keep_one_pixel(tmp_path: Path, dtype: str) -> None:
    from rio_cogeo.cogeo import cog_validate

    nodata = float("nan") if dtype == "float32" else 255
    data = np.zeros((1, 1500, 1300), dtype)
    data[0, :, :40] = nodata
    data[0, 777, 901] = 1
    grid = Grid(1500, 1300, CRS.from_epsg(32632), Affine(10, 0, 5e5, 0, -10, 6e6))
    with MapWriter(tmp_path / "m.tif", grid, [MapBand("score", "what", "nat")], dtype, nodata, {"k": "v"}, 2) as writer:
        for row in range(0, 1500, 448):
            writer.write(Window(row, 0, min(448, 1500 - row), 1300), data[:, row : row + 448])
        path = writer.close()
    assert [p.name for p in tmp_path.iterdir()] == ["m.tif"]
    valid, errors, _ = cog_validate(path)
    assert valid, errors
    with rasterio.open(path) as made:
        np.testing.assert_array_equal(made.read(), data)
        assert made.descriptions == ("score",)
        assert made.tags()["k"] == "v"
        assert (made.crs, made.transform) == (grid.crs, grid.transform)
        factors = made.overviews(1)
        assert factors[:1] == [2]
    for level in range(len(factors)):
        with rasterio.open(path, overview_level=level) as coarse:
            assert np.nanmax(np.where(coarse.read(1) == nodata, 0, coarse.read(1))) == 1


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("step", [64, 448, 333, 5000])
def test_overviews_are_the_same_whatever_windows_a_map_was_written_in(tmp_path: Path, dtype: str, step: int) -> None:
    """Windows of an even side are pooled as they come, others from the finished file: each overview of its finer level."""
    rng = np.random.default_rng(0)
    nodata = float("nan") if dtype == "float32" else 255
    data = rng.integers(0, 200, (2, 1101, 1403)).astype(dtype)
    data[:, rng.random(data.shape[1:]) < 0.3] = nodata
    bands = [MapBand("score", "what", "nat"), MapBand("kl", "part", "nat")]
    with MapWriter(tmp_path / "m.tif", Grid(1101, 1403), bands, dtype, nodata, {}, 1) as writer:
        for row in range(0, 1101, step):
            for col in range(0, 1403, step):
                window = Window(row, col, min(step, 1101 - row), min(step, 1403 - col))
                writer.write(window, np.ascontiguousarray(data[(slice(None), *window.slices)]))
        path = writer.close()
    finer = data
    for level in range(2):
        finer = pooled(finer, nodata)
        with rasterio.open(path, overview_level=level) as coarse:
            np.testing.assert_array_equal(coarse.read(), finer)
    assert [p.name for p in tmp_path.iterdir()] == ["m.tif"]
