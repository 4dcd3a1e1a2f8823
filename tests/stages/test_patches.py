"""Patches: anchored in the CRS, seen by the same commands, and able to tell textures apart that have one spectrum."""

from __future__ import annotations

import base64
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from specvae.errors import UsageError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.patch_scene import PatchScene, in_patches
from specvae.model.config_file import load_config
from specvae.model.normaliser import Normaliser
from specvae.model.patches import Lattice, by_band, to_patches, to_pixels
from specvae.spectra import Window
from specvae.stages.demo.synthetic import make_texture
from specvae.stages.score.patch_pixels import picture_of
from specvae.training.descent import Sample
from tests.commands import run
from tests.textures import PLACE, SIDE, write_part

QUICK = ["--set", "training.steps=300", "--set", "training.refits=1", "--folds", "1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Normal and planted texture, a patch model and a pixel model, and the planted scene scored by both."""
    folder = tmp_path_factory.mktemp("patches")
    write_part(folder / "normal.tif", make_texture(256, 256, 1, side=SIDE, bands=3).values)
    planted = make_texture(256, 256, 2, 60, SIDE, 3)
    write_part(folder / "planted.tif", planted.values)
    write_part(folder / "truth.tif", planted.truth[None])
    models = {"patch": ["--patch", SIDE], "pixel": ["--context", "none"]}
    for name, extra in models.items():
        assert run("fit", folder / "normal.tif", "--model", folder / f"{name}.specvae", *extra, *QUICK) == 0
        args = ("--model", folder / f"{name}.specvae", "--truth", folder / "truth.tif", "--out", folder / name)
        assert run("score", folder / "planted.tif", *args, "--parts", "--overwrite") == 0
    return folder


def report(place: Path, name: str) -> dict:
    return json.loads((place / name / "planted" / "report.json").read_text())


def scores(folder: Path) -> np.ndarray:
    with rasterio.open(folder / "score.tif") as file:
        return file.read()


def test_a_changed_texture_is_found_by_patches_and_not_by_pixels(place: Path) -> None:
    assert report(place, "patch")["metrics"]["auroc"] >= 0.95
    assert 0.4 <= report(place, "pixel")["metrics"]["auroc"] <= 0.6


def test_the_map_lies_on_a_grid_of_patches_with_both_terms(place: Path) -> None:
    with rasterio.open(place / "patch" / "planted" / "score.tif") as file:
        assert file.shape == (32, 32)
        assert file.transform == PLACE * Affine.scale(SIDE)
        score, reconstruction, kl = file.read([1, 2, 3])
    assert np.isfinite(score).all()
    assert (score == reconstruction + kl).all()
    assert (reconstruction > 0).all()
    written = report(place, "patch")
    assert written["pixels"]["total"] == written["pixels"]["valid"] == 32 * 32
    assert written["metrics"]["positives"] == 60
    assert any("patches of 8 x 8 pixels, anchored in the CRS" in note for note in written["scene"]["notes"])


def test_pixels_add_up_to_the_reconstruction_of_their_patch(place: Path) -> None:
    with rasterio.open(place / "patch" / "planted" / "pixels.tif") as file:
        assert (file.shape, file.transform) == ((256, 256), PLACE)
        pixels = file.read(1)
    summed = pixels.reshape(32, SIDE, 32, SIDE).sum(axis=(1, 3))
    np.testing.assert_allclose(summed, scores(place / "patch" / "planted")[1], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(("row", "col"), [(5, 11), (8, 16), (0, 1)])
def test_a_crop_changes_no_score(place: Path, tmp_path: Path, row: int, col: int) -> None:
    with rasterio.open(place / "planted.tif") as file:
        write_part(tmp_path / "crop.tif", file.read()[:, row:, col:], row, col)
    assert run("score", tmp_path / "crop.tif", "--model", place / "patch.specvae", "--out", tmp_path) == 0
    crop = scores(tmp_path / "crop")[0]
    whole = scores(place / "patch" / "planted")[0][row // SIDE :, col // SIDE :]
    assert crop.shape == whole.shape
    partial = np.zeros(crop.shape, bool)
    partial[: 1 if row % SIDE else 0] = partial[:, : 1 if col % SIDE else 0] = True
    assert (np.isnan(crop) == partial).all()
    away = np.abs(crop - whole)[~partial] / np.maximum(1.0, np.abs(whole[~partial]))
    assert away.max() <= 1e-5


def test_memory_and_another_run_leave_every_bit(place: Path, tmp_path: Path) -> None:
    args = ("--model", place / "patch.specvae", "--out", tmp_path, "--parts", "--max-memory", "16M")
    assert run("score", place / "planted.tif", *args) == 0
    ours = scores(tmp_path / "planted")[:3]
    assert ours.tobytes() == scores(place / "patch" / "planted")[:3].tobytes()


def test_a_patch_is_invalid_where_any_pixel_is_and_the_reason_is_kept(place: Path, tmp_path: Path) -> None:
    values = make_texture(256, 256, 2, 60, SIDE, 3).values
    values[:, 9, 17] = -9999.0
    values[1, 100, 100] = np.nan
    write_part(tmp_path / "holes.tif", values, nodata=-9999.0)
    assert run("score", tmp_path / "holes.tif", "--model", place / "patch.specvae", "--out", tmp_path) == 0
    missing = np.argwhere(np.isnan(scores(tmp_path / "holes")[0])).tolist()
    assert missing == [[1, 2], [12, 12]]
    reasons = json.loads((tmp_path / "holes" / "report.json").read_text())["pixels"]["invalid_by_reason"]
    assert (reasons["nodata"], reasons["nan"]) == (1, 1)


def test_evidence_calibration_and_inspection_know_patches(place: Path, tmp_path: Path) -> None:
    model = place / "patch.specvae"
    assert run("score", place / "planted.tif", "--model", model, "--out", tmp_path, "--pool") == 0
    with rasterio.open(tmp_path / "planted" / "evidence.tif") as file:
        assert file.shape == (32, 32)
    assert run("calibrate", place / "normal.tif", "--model", model, "--out", tmp_path / "again.specvae") == 0
    assert run("score", place / "planted.tif", "--model", tmp_path / "again.specvae", "--out", tmp_path / "b") == 0
    assert run("inspect", model) == 0


def test_truth_is_any_pixel_and_normal_is_all(place: Path, tmp_path: Path) -> None:
    mask = np.zeros((1, 256, 256), np.uint8)
    mask[0, 3, 3] = 1
    mask[0, 20, 20] = 255
    write_part(tmp_path / "mask.tif", mask)
    options = IngestOptions(truth=str(tmp_path / "mask.tif"), normal=str(tmp_path / "mask.tif"))
    with in_patches(open_scene(str(place / "planted.tif"), options), SIDE) as scene:
        truth = scene.truth(Window(0, 0, 4, 4))
        assert truth is not None
        assert truth.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 255, 0], [0, 0, 0, 0]]
        assert not scene.normal(Window(0, 0, 4, 4)).any()
        again = pickle.loads(pickle.dumps(scene))
        assert isinstance(again, PatchScene)
        assert (again.read(Window(2, 3, 5, 6)).values == scene.read(Window(2, 3, 5, 6)).values).all()


def test_a_scene_without_a_place_is_anchored_at_its_first_pixel(tmp_path: Path) -> None:
    values = make_texture(40, 50, bands=2).values
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(
        tmp_path / "bare.tif", "w", driver="GTiff", height=40, width=50, count=2, dtype="float32"
    ) as file:  # fmt: skip
        file.write(values)
    with in_patches(open_scene(str(tmp_path / "bare.tif")), SIDE) as scene:
        assert scene.shape == (5, 7)
        np.testing.assert_array_equal(scene.read(Window(1, 2, 1, 1)).values.ravel(), values[:, 8:16, 16:24].ravel())
        assert "no CRS" in scene.notes[-1]


def test_what_has_no_patches_is_refused(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "rows.csv"
    pd.DataFrame(np.random.default_rng(0).random((60, 3)), columns=["b1", "b2", "b3"]).to_csv(table, index=False)
    assert run("fit", table, "--patch", 8, "--model", tmp_path / "m.specvae") == 2
    assert "--patch takes squares of pixels" in capsys.readouterr().err
    assert run("score", table, "--model", place / "patch.specvae", "--out", tmp_path) == 4
    assert "a table has none" in capsys.readouterr().err
    args = ("--patch", 8, "--context", "ring", "--model", tmp_path / "m.specvae")
    assert run("fit", place / "normal.tif", *args) == 2
    assert "do not go together" in capsys.readouterr().err


@given(st.integers(-3000, 3000), st.integers(0, 60), st.sampled_from([4, 8, 16, 32]), st.sampled_from([0.0, 0.5, 0.3]))
def test_patches_begin_at_the_same_places_of_the_crs_whatever_the_crop(
    at: int, crop: int, side: int, off: float
) -> None:
    whole = Lattice.over((200, 200), side, (at + off, 0.0))
    part = Lattice.over((200 - crop, 200), side, (at + crop + off, 0.0))
    assert -side < part.row <= 0
    assert (crop + part.row - whole.row) % side == 0
    assert part.row + part.rows * side >= 200 - crop


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(2, 5))
def test_patches_and_pixels_are_each_others_inverse(bands: int, rows: int, cols: int, side: int) -> None:
    values = np.arange(bands * rows * cols * side**2, dtype=np.float32).reshape(bands, rows * side, cols * side)
    patches = to_patches(values, side)
    assert patches.shape == (bands * side * side, rows, cols)
    np.testing.assert_array_equal(to_pixels(patches, side), values)
    np.testing.assert_array_equal(by_band(patches, side)[:, :, 0, 0], values[:, :side, :side].reshape(bands, -1))


def test_a_patch_model_is_an_image_model_of_the_scenes_bands() -> None:
    config = load_config("patches", overrides={"patch": 16}).resolved(table=False, bands=7)
    assert config.network.shape == (7, 16, 16)
    assert config.network.linear
    assert not load_config("patches", overrides={"patch": 32}).resolved(table=False, bands=13).network.linear
    with pytest.raises(UsageError, match="a table has none"):
        load_config("patches", overrides={"patch": 16}).resolved(table=True, bands=7)


def test_turned_patches_are_the_eight_positions_of_a_square() -> None:
    patch = torch.arange(18.0).reshape(18, 1)
    turned = Sample(patch).turned(3).x
    assert turned.shape == (18, 8)
    squares = {tuple(turned[:9, i].tolist()) for i in range(8)}
    assert len(squares) == 8
    assert tuple(patch[:9, 0].tolist()) in squares
    assert (turned[9:] - turned[:9] == 9).all()  # both bands alike


def test_patches_are_whitened_and_come_back() -> None:
    rng = np.random.default_rng(0)
    mixed = np.tensordot(rng.normal(size=(3, 3)), rng.normal(size=(3, 16, 500)), 1)
    values = (200 + 30 * mixed).reshape(48, 500).astype(np.float32)
    normaliser = Normaliser.fit(values, side=4)
    x = normaliser(torch.from_numpy(values))
    bands = x.reshape(3, -1).numpy().astype(np.float64)
    np.testing.assert_allclose(np.cov(bands), np.eye(3), atol=0.05)
    np.testing.assert_allclose(normaliser.inverse(x).numpy(), values, rtol=1e-3, atol=0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_real_fire_is_found_in_patches_of_16_pixels(real_data: Path, tmp_path: Path) -> None:
    scenes, model = real_data / "scenes" / "coldsprings", tmp_path / "m.specvae"
    fit = ("--normal", scenes / "20160707_pre_clear.tif", "--patch", 16, "--model", model)
    assert run("fit", scenes / "20160707_pre_sr7.tif", *fit) == 0
    score = ("--truth", scenes / "burn_mask.tif", "--model", model, "--out", tmp_path)
    assert run("score", scenes / "20160723_post_sr7.tif", *score) == 0
    report = json.loads((tmp_path / "20160723_post_sr7" / "report.json").read_text())
    assert report["metrics"]["auroc"] > 0.9
    assert report["metrics"]["auroc"] > report["metrics"]["baselines"]["rx"]["auroc"]


def test_the_report_counts_patches_and_shows_the_scene_in_its_own_pixels(place: Path) -> None:
    page = (place / "patch" / "planted" / "report.html").read_text(encoding="utf-8")
    assert report(place, "patch")["model"]["patch"] == SIDE
    assert "of 1,024 valid patches are anomalous" in page
    assert report(place, "pixel")["model"]["patch"] is None
    encoded = page.partition('id="blob-composite"')[2].partition(">")[2].partition("<")[0]
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        assert picture.size == (256, 256)
    with in_patches(open_scene(str(place / "planted.tif")), SIDE) as scene:
        assert isinstance(scene, PatchScene)
        shown = picture_of(scene, (2, 1, 0))
        assert shown is not None
        with rasterio.open(place / "planted.tif") as file:
            np.testing.assert_array_equal(shown, file.read([3, 2, 1]))


def test_pixels_beyond_the_scene_are_no_data_in_its_picture(tmp_path: Path) -> None:
    write_part(tmp_path / "crop.tif", make_texture(41, 50, bands=2).values, 3, 5)
    with in_patches(open_scene(str(tmp_path / "crop.tif")), SIDE) as scene:
        assert isinstance(scene, PatchScene)
        shown = picture_of(scene, (1, 1, 0))
        with rasterio.open(tmp_path / "crop.tif") as file:
            values = file.read()
    assert shown is not None
    assert shown.shape == (3, scene.rows * SIDE, scene.cols * SIDE)
    inside = (slice(-scene.lattice.row, 41 - scene.lattice.row), slice(-scene.lattice.col, 50 - scene.lattice.col))
    np.testing.assert_array_equal(shown[(slice(None), *inside)], values[[1, 1, 0]])
    assert np.isfinite(shown[0]).sum() == 41 * 50
