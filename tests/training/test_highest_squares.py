"""The highest-scoring normal squares, and whether they look like cloud: planted places and planted spectra."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.errors import ModelError
from specvae.export.report.highest_page import shown_squares
from specvae.model.config import SamplingConfig
from specvae.model_file import load_model, save_model
from specvae.spectra import Cube, Window
from specvae.thresholds.drift.reference import DriftReference
from specvae.thresholds.tiles import CalibrationTiles, block_tiles
from specvae.training.cloud_like import CloudBands, cloud_warning
from specvae.training.highest_squares import HighestSquares, held_maps, highest_squares
from specvae.training.quota import Quota, Role
from specvae.training.sampling import Region, cross_split
from tests.models import SHORT_FIT, TEN_BANDS, cube_of, small_scene

SHAPE = (160, 192)
BANDS = BandSet(
    (
        Band("B2", wavelength=482.0),
        Band("B3", wavelength=561.0),
        Band("B4", wavelength=655.0),
        Band("B5", wavelength=865.0),
        Band("B10", wavelength=10895.0),
    )
)
GROUND = np.array([0.06, 0.08, 0.09, 0.25, 295.0], np.float32)
CLOUD = np.array([0.55, 0.54, 0.56, 0.60, 265.0], np.float32)


def scene_with(spectrum: NDArray[np.float32], places: list[tuple[slice, slice]]) -> tuple[Region, DriftReference]:
    """Ground with a spectrum planted in some places, cross-fitted, and what its bands are compared with."""
    rng = np.random.default_rng(0)
    values = GROUND[:, None, None] * (1 + 0.1 * rng.standard_normal((len(GROUND), *SHAPE)))
    values[4] = 295 + 3 * rng.standard_normal(SHAPE)
    for place in places:
        values[(slice(None), *place)] = spectrum[:, None, None]
    window = Window(0, 0, *SHAPE)
    cube = Cube(values.astype(np.float32), np.zeros(SHAPE, np.uint8), window)
    split = cross_split(SHAPE, 7, SamplingConfig(), 0)
    role, block = split.role(window), split.block(window)
    region = Region(cube, window, role, block, 0, split.fold_map(window, np.ones(SHAPE, bool)))
    return region, DriftReference.fit(region.spectra(Role.TRAIN), np.empty(0, np.float32))


def tiles_of_map(region: Region, score: NDArray[np.float32]) -> CalibrationTiles:
    """The tiles of a map, fold by fold, as cross-fitting makes them."""
    assert region.folds is not None
    tiles = [t for fold in range(6) for t in block_tiles(score, region.folds.held(fold), region.block, 0)]
    return CalibrationTiles(tuple(tiles), ("north.tif",))


def test_held_out_scores_lie_where_they_were_in_the_scene() -> None:
    region, _ = scene_with(CLOUD, [])
    score = np.random.default_rng(1).gamma(3, 2, SHAPE).astype(np.float32)
    ((same, placed),) = held_maps([region], tiles_of_map(region, score))
    assert same is region
    np.testing.assert_array_equal(placed, score)


def test_the_squares_with_most_pixels_above_the_cut_come_first_with_their_place_and_picture() -> None:
    places = [(slice(40, 52), slice(70, 80)), (slice(100, 104), slice(20, 25)), (slice(10, 11), slice(150, 151))]
    region, reference = scene_with(CLOUD, places)
    score = np.ones(SHAPE, np.float32)
    for place, peak in zip(places, (50.0, 90.0, 70.0), strict=True):
        score[place] = 20.0
        score[place[0].start, place[1].start] = peak
    highest = highest_squares([region], tiles_of_map(region, score), 10.0, BANDS, reference, None)
    assert highest is not None
    of_peaks = {(s["row"], s["col"]): (s["peak"], s["above"]) for s in highest.squares}
    # The first area lies across blocks, each of which is a square of its own.
    assert of_peaks[40, 70][0] == 50.0
    assert of_peaks[100, 20] == (90.0, 20)
    assert of_peaks[10, 150] == (70.0, 1)
    above = [s["above"] for s in highest.squares]
    assert above == sorted(above, reverse=True)
    assert sum(above) == 12 * 10 + 4 * 5 + 1
    assert {s["source"] for s in highest.squares} == {"north.tif"}
    at = next(i for i, s in enumerate(highest.squares) if (s["row"], s["col"]) == (100, 20))
    # Row 100 and column 20 in a picture that was moved into the scene: its first row is 76, its first column 0.
    np.testing.assert_array_equal(highest.pictures[at, 24:28, 20:25], 255)
    assert highest.pictures[at, 24:28, 30:34].max() < 250


def test_where_nothing_is_above_the_cut_and_of_a_table_there_are_no_squares() -> None:
    region, reference = scene_with(CLOUD, [])
    tiles = tiles_of_map(region, np.ones(SHAPE, np.float32))
    assert highest_squares([region], tiles, 10.0, BANDS, reference, None) is None
    table = replace(region, block=np.full(SHAPE, -1, np.int32))
    assert highest_squares([table], tiles, 0.0, BANDS, reference, None) is None


AREAS = [(slice(20, 32), slice(30, 44)), (slice(90, 100), slice(120, 132))]
SPECKS = [(slice(r, r + 1), slice(c, c + 1)) for r in range(5, 155, 10) for c in range(5, 185, 10)]


@pytest.mark.parametrize(
    ("spectrum", "places", "said"),
    [
        (CLOUD, AREAS, True),
        (np.array([0.12, 0.25, 0.60, 0.65, 265.0], np.float32), AREAS, False),
        (np.array([0.55, 0.54, 0.56, 0.60, 310.0], np.float32), AREAS, False),
        (np.array([0.01, 0.01, 0.01, 0.01, 265.0], np.float32), AREAS, False),
        (CLOUD, SPECKS, False),
    ],
    ids=["cloud", "red", "warm", "shadow", "specks"],
)
def test_what_is_bright_white_and_cold_in_areas_is_said_to_look_like_cloud(
    spectrum: NDArray[np.float32], places: list[tuple[slice, slice]], said: bool
) -> None:
    region, reference = scene_with(spectrum, places)
    score = np.random.default_rng(2).uniform(0, 5, SHAPE).astype(np.float32)
    for place in places:
        score[place] += 100.0
    warning = cloud_warning([region], tiles_of_map(region, score), BANDS, reference, None)
    assert (warning is not None) == said
    if warning:
        # Of 308 pixels, a hundredth of the scene, 288 are planted.
        assert "94% of the 308 held-out pixels" in warning
        assert "--mask" in warning


def test_bands_of_unknown_light_say_nothing_of_clouds() -> None:
    assert CloudBands.of(BandSet((Band("1"), Band("2"), Band("3")))).visible == ()
    assert CloudBands.of(BANDS) == CloudBands((0, 1, 2), (4,))


def test_a_model_file_holds_the_squares_small_and_the_page_shows_them(tmp_path: Path) -> None:
    cube = cube_of(small_scene())
    shape = (cube.window.rows, cube.window.cols)
    split = cross_split(shape, 7, SHORT_FIT.sampling, 0)
    role = Quota.crossed(SHORT_FIT.sampling, 1).take(np.where(cube.valid, split.role(cube.window), 0).astype(np.uint8))
    region = Region(cube, cube.window, role, split.block(cube.window), 0, split.fold_map(cube.window, cube.valid))
    detector = Detector.fit((region,), TEN_BANDS, SHORT_FIT, ("scene",), True)
    assert detector.highest is not None
    bare = replace(detector, highest=None)
    save_model(detector, tmp_path / "with.specvae", {})
    save_model(bare, tmp_path / "without.specvae", {})
    read = load_model(tmp_path / "with.specvae").detector.highest
    assert read is not None
    assert read.squares == detector.highest.squares
    np.testing.assert_array_equal(read.pictures, detector.highest.pictures)
    assert load_model(tmp_path / "without.specvae").detector.highest is None
    more = (tmp_path / "with.specvae").stat().st_size - (tmp_path / "without.specvae").stat().st_size
    assert 0 < more < 75_000
    for shown, square, picture in zip(shown_squares(read), read.squares, read.pictures, strict=True):
        png = base64.b64decode(shown.uri.removeprefix("data:image/png;base64,"))
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), picture)
        assert f"row {square['row']}, column {square['col']}" in shown.place
    with pytest.raises(ModelError, match="refit"):
        HighestSquares.from_stored(read.squares, read.pictures[:, :10])
