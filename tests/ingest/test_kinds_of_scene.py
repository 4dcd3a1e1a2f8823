"""Both kinds of scene, of pixels and of patches, keep what the class Scene promises."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import PatchScene, in_patches
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.scene.scene import Scene
from specvae.spectra import CELL, IMAGE_CELL, Window

ROWS, COLS, SIDE = 150, 131, 4


@pytest.fixture(params=[None, SIDE], ids=["pixels", "patches"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "height": ROWS, "width": COLS, "crs": "EPSG:32632"}
    place = Affine(10, 0, 500_010, 0, -10, 5_000_020)  # 1 column and 2 rows off the lattice of patches
    with rasterio.open(tmp_path / "a.tif", "w", count=2, dtype="uint16", transform=place, nodata=0, **profile) as file:
        file.write(rng.integers(0, 999, (2, ROWS, COLS)).astype("uint16"))
    for name in ("normal.tif", "truth.tif"):
        with rasterio.open(tmp_path / name, "w", count=1, dtype="uint8", transform=place, **profile) as file:
            file.write(rng.integers(0, 2, (1, ROWS, COLS)).astype("uint8"))
    options = IngestOptions(normal=str(tmp_path / "normal.tif"), truth=str(tmp_path / "truth.tif"))
    with in_patches(open_scene(tmp_path / "a.tif", options), request.param) as opened:
        yield opened


def test_windows_cover_the_grid_once_at_multiples_of_a_cell(scene: Scene) -> None:
    assert scene.cell == (IMAGE_CELL if isinstance(scene, PatchScene) else CELL)
    count = np.zeros(scene.shape, int)
    for window in scene.windows(scene.cell**2):
        assert window.row % scene.cell == window.col % scene.cell == 0
        count[window.slices] += 1
    assert (count == 1).all()


def test_rows_cols_shape_and_what_is_read_are_of_one_grid(scene: Scene) -> None:
    assert scene.shape == (scene.rows, scene.cols) == scene.grid.shape
    whole = Window(0, 0, *scene.shape)
    assert scene.grid.window == whole
    cube, truth = scene.read(whole), scene.truth(whole)
    assert truth is not None
    assert cube.reason.shape == scene.normal(whole).shape == truth.shape == scene.shape
    part = Window(3, 5, 7, 11)
    np.testing.assert_array_equal(scene.read(part).values, cube.crop(part).values)
    np.testing.assert_array_equal(scene.normal(part), scene.normal(whole)[part.slices])


def test_patches_gather_the_values_of_their_pixels(scene: Scene) -> None:
    if not isinstance(scene, PatchScene):
        pytest.skip("of patches")
    assert (scene.lattice.row, scene.lattice.col) == (-2, -1)
    inner = Window(1, 1, 1, 1)  # pixels of rows 2 to 5 and columns 3 to 6
    with open_scene(scene.path) as pixels:
        expected = pixels.read(Window(2, 3, SIDE, SIDE)).values
    np.testing.assert_array_equal(scene.read(inner).values[:, 0, 0], expected.ravel())


def test_values_made_of_a_window_lie_on_the_pixels_of_the_file(scene: Scene) -> None:
    window = Window(0, 0, 8, 8)
    place, values = scene.on_pixels(window, scene.read(window).values)
    with open_scene(scene.path) as pixels:
        assert scene.pixel_grid == pixels.grid
        np.testing.assert_array_equal(values, pixels.read(place).values)
    assert place.size == (8 * 8 if isinstance(scene, PixelScene) else (8 * SIDE - 2) * (8 * SIDE - 1))


def test_under_a_window_lie_the_pixels_of_the_file_and_no_data_beyond_them(scene: Scene) -> None:
    window = Window(0, 0, 8, 8)
    under = scene.under(window)
    assert under.values.shape == (2, 8 * scene.side, 8 * scene.side)
    inside, _ = scene.on_pixels(window, scene.read(window).values)
    with open_scene(scene.path) as pixels:
        expected = pixels.read(inside)
    np.testing.assert_array_equal(under.crop(inside).values, expected.values)
    assert under.valid.sum() == expected.valid.sum()


def test_holding_rows_and_a_small_cache_change_no_value(scene: Scene) -> None:
    window = Window(2, 1, 20, 9)
    expected = scene.read(window)
    with scene.cached(1 << 20, rows=1 << 16):
        held = scene.read(window)
    np.testing.assert_array_equal(held.values, expected.values)
    np.testing.assert_array_equal(held.reason, expected.reason)


def test_a_scene_arrives_in_another_process_as_its_own_kind(scene: Scene) -> None:
    window = Window(0, 0, 5, 6)
    with pickle.loads(pickle.dumps(scene)) as again:
        assert type(again) is type(scene)
        np.testing.assert_array_equal(again.read(window).values, scene.read(window).values)
        np.testing.assert_array_equal(again.truth(window), scene.truth(window))


def test_only_a_scene_of_pixels_is_filled_into_arrays_of_pixels(scene: Scene) -> None:
    assert hasattr(scene, "fill") == isinstance(scene, PixelScene)
