"""``sample``, ``interpolate``, ``encode`` and ``reconstruct`` of a model of patches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from PIL import Image
from sklearn.decomposition import PCA

from specvae.model.patches import by_band, to_patches
from specvae.model_file import load_model
from specvae.scoring.latent import latent_means, reconstructions
from specvae.stages.demo.synthetic import make_texture
from tests.commands import run
from tests.textures import PLACE, SIDE, write_part

BANDS, ROWS, COLS = 3, 128, 168


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A normal and another texture in physical units, the other one with a hole, and a model of the first."""
    folder = tmp_path_factory.mktemp("latent_patches")
    for name, seed in (("normal", 1), ("scene", 2)):
        values = 1000 + 300 * make_texture(ROWS, COLS, seed, side=SIDE, bands=BANDS).values
        if name == "scene":
            values[:, 20, 30] = -9999.0
        write_part(folder / f"{name}.tif", values, nodata=-9999.0)
    quick = ("--set", "training.steps=150", "--set", "training.refits=0", "--set", "network.latent=12", "--folds", "1")
    assert run("fit", folder / "normal.tif", "--patch", SIDE, "--model", folder / "m.specvae", *quick) == 0
    return folder


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return np.asarray(file.read())


def patches(place: Path, name: str = "scene") -> np.ndarray:
    """``(bands * side * side, rows, cols)``"""
    return to_patches(read(place / f"{name}.tif"), SIDE)


def test_draws_are_patches_in_physical_units_and_a_grid(place: Path, tmp_path: Path) -> None:
    args = ("sample", "--model", place / "m.specvae", "--count", 400)
    assert run(*args, "--out", tmp_path / "a") == 0
    drawn = np.load(tmp_path / "a" / "samples.npy")
    assert drawn.shape == (400, BANDS, SIDE, SIDE)
    normal = read(place / "normal.tif").astype(float)
    np.testing.assert_allclose(drawn.mean(axis=(0, 2, 3)), normal.mean(axis=(1, 2)), rtol=0.05)
    assert (
        0.3 * normal.std() < drawn.std() < 1.2 * normal.std()
    )  # expected patches: what the latent values do not know is left out
    table = pd.read_csv(tmp_path / "a" / "samples.csv")
    np.testing.assert_allclose(table.to_numpy(), drawn.mean(axis=(2, 3)), rtol=1e-4)
    with Image.open(tmp_path / "a" / "samples.png") as picture:
        assert picture.width == picture.height
        assert np.asarray(picture.convert("L")).std() > 20
    assert run(*args, "--out", tmp_path / "b") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "b" / "samples.npy"), drawn)


def test_a_path_runs_between_two_patches_of_a_scene(place: Path, tmp_path: Path) -> None:
    args = ("--start", "0,0", "--end", "5,7", "--steps", 6, "--model", place / "m.specvae", "--out", tmp_path)
    assert run("interpolate", place / "scene.tif", *args) == 0
    path = np.load(tmp_path / "path.npy")
    assert path.shape == (8, BANDS, SIDE, SIDE)
    ends = patches(place)[:, [0, 5], [0, 7]]
    np.testing.assert_array_equal(path[[0, -1]].reshape(2, -1).T, ends)
    net = load_model(place / "m.specvae").detector.net
    np.testing.assert_allclose(path[[1, -2]].reshape(2, -1).T, reconstructions(net, ends), rtol=1e-4)
    assert (path[2] != path[3]).any()
    table = pd.read_csv(tmp_path / "path.csv")
    np.testing.assert_allclose(table.iloc[:, 3:].to_numpy(), path.mean(axis=(2, 3)), rtol=1e-4)
    assert run("score", place / "scene.tif", "--model", place / "m.specvae", "--out", tmp_path / "r") == 0
    score = read(tmp_path / "r" / "scene" / "score.tif")[0]
    np.testing.assert_allclose(table["score"].iloc[[0, -1]], [score[0, 0], score[5, 7]], rtol=1e-4)
    with Image.open(tmp_path / "images.png") as picture:
        assert picture.width / picture.height == pytest.approx(8, rel=0.01)


@pytest.mark.parametrize(
    ("source", "start", "message"),
    [
        ("scene.tif", "2,3", "patch 2,3 of .* is not valid: nodata"),
        ("scene.tif", "16,0", "lies outside .*, of 16 x 21 patches"),
        ("scene.tif", "1.5,0", "give row,col of a patch"),
        (None, "1,2,3", "give a raster, and --start and --end as row,col of a patch"),
    ],
)
def test_what_is_no_patch_is_refused(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str | None, start: str, message: str
) -> None:
    given = [place / source] if source else []
    args = ("--start", start, "--end", "0,0", "--model", place / "m.specvae", "--out", tmp_path / "o")
    assert run("interpolate", *given, *args) in (2, 4)
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert pd.Series([error]).str.contains(message).all()
    assert not (tmp_path / "o").exists()


def test_codes_lie_on_the_grid_of_patches_and_a_crop_changes_none(place: Path, tmp_path: Path) -> None:
    assert run("encode", place / "scene.tif", "--model", place / "m.specvae", "--out", tmp_path) == 0
    with rasterio.open(tmp_path / "scene" / "latent.tif") as file:
        assert (file.shape, file.count) == ((ROWS // SIDE, COLS // SIDE), 12)
        assert file.transform == PLACE * Affine.scale(SIDE)
        codes = file.read()
    assert np.argwhere(np.isnan(codes[0])).tolist() == [[2, 3]]
    detector = load_model(place / "m.specvae").detector
    given = patches(place).reshape(BANDS * SIDE**2, -1)
    good = np.isfinite(codes[0]).ravel()
    oracle = latent_means(detector.net, given[:, good])
    np.testing.assert_allclose(codes.reshape(12, -1)[:, good], oracle, atol=1e-4)
    write_part(tmp_path / "crop.tif", read(place / "scene.tif")[:, 11:, 5:], 11, 5, nodata=-9999.0)
    assert run("encode", tmp_path / "crop.tif", "--model", place / "m.specvae", "--out", tmp_path) == 0
    crop = read(tmp_path / "crop" / "latent.tif")
    np.testing.assert_allclose(crop[:, 1:, 1:], codes[:, 2:, 1:], atol=1e-5)
    assert np.isnan(crop[:, 0]).all()
    assert (
        run("encode", place / "scene.tif", "--model", place / "m.specvae", "--format", "csv", "--out", tmp_path / "t")
        == 0
    )
    rows = pd.read_csv(tmp_path / "t" / "scene" / "latent.csv")
    np.testing.assert_allclose(
        rows.filter(like="z").to_numpy().T, codes[:, rows["row"], rows["col"]], rtol=1e-5, atol=1e-6
    )


def test_reconstruction_and_residual_lie_on_the_scene_s_own_grid_and_add_up_to_it(place: Path, tmp_path: Path) -> None:
    assert run("reconstruct", place / "scene.tif", "--model", place / "m.specvae", "--out", tmp_path) == 0
    folder, scene = tmp_path / "scene", read(place / "scene.tif")
    with rasterio.open(folder / "reconstruction.tif") as file:
        assert (file.shape, file.transform, file.count) == ((ROWS, COLS), PLACE, BANDS)
        made = file.read()
    left = read(folder / "residual.tif")
    missing = np.zeros((ROWS, COLS), bool)
    missing[2 * SIDE : 3 * SIDE, 3 * SIDE : 4 * SIDE] = True
    assert (np.isnan(made) == missing).all()
    np.testing.assert_allclose((made + left)[:, ~missing], scene[:, ~missing], rtol=1e-5)
    summary = json.loads((folder / "summary.json").read_text())
    rmse = np.sqrt(np.square(left[:, ~missing]).mean(axis=1))
    np.testing.assert_allclose(list(summary["rmse_by_band"].values()), rmse, rtol=1e-4)
    assert summary["mse_of_all"] == pytest.approx(np.square(rmse).mean(), rel=1e-4)
    assert (summary["kind"], summary["values"], summary["valid"]) == ("patches", BANDS * SIDE**2, 16 * 21 - 1)
    assert summary["ratio"] == pytest.approx(BANDS * SIDE**2 / summary["active"])
    given = patches(place).reshape(BANDS * SIDE**2, -1)
    given = given[:, (given > 0).all(axis=0)].T
    train = patches(place, "normal").reshape(BANDS * SIDE**2, -1).T
    pca = PCA(summary["active"]).fit(train)
    theirs = np.square(given - pca.inverse_transform(pca.transform(given))).mean()
    assert summary["pca_mse"] == pytest.approx(theirs, rel=0.1)  # a seventh of the patches is held out of training
    explained = 1 - np.square(left[:, ~missing]).sum(axis=1) / np.square(
        scene[:, ~missing] - scene[:, ~missing].mean(axis=1, keepdims=True)
    ).sum(axis=1)
    np.testing.assert_allclose(pd.read_csv(folder / "bands.csv")["explained"], explained, atol=1e-3)
    with Image.open(folder / "images.png") as picture:
        assert picture.width / picture.height == pytest.approx(12 / 3, rel=0.01)


def test_tables_are_refused_in_one_line(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame(np.ones((5, BANDS)), columns=["b1", "b2", "b3"]).to_csv(tmp_path / "rows.csv", index=False)
    for command in ("encode", "reconstruct"):
        assert run(command, tmp_path / "rows.csv", "--model", place / "m.specvae", "--out", tmp_path / "o") == 4
        assert "is a table and has no patches" in "".join(capsys.readouterr())
    args = ("--start", 1, "--end", 2, "--model", place / "m.specvae", "--out", tmp_path / "o")
    assert run("interpolate", tmp_path / "rows.csv", *args) == 4
    assert "is a table and has no patches" in capsys.readouterr().err


def test_means_by_band_are_those_of_the_patches(place: Path) -> None:
    detector, values = load_model(place / "m.specvae").detector, patches(place, "normal")
    np.testing.assert_allclose(detector.means(values), by_band(values, SIDE).mean(axis=1))
