"""score_array: the same pixels get the same scores as on the command line, whatever array they come in."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import rasterio
import rioxarray
import torch
import xarray as xr

from specvae import SpectralVAE, load_model, score_array
from specvae.api.block import ArrayScorer
from specvae.errors import InputError, ModelError, UsageError
from specvae.stages.demo.scenes import write_scene
from specvae.stages.demo.synthetic import BAND_NAMES, WAVELENGTHS, make_scene
from specvae.stages.fit import fit
from specvae.stages.requests import FitRequest
from specvae.stages.score.request import ScoreRequest
from specvae.stages.score.run import score

ROWS, COLS = 150, 210


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene, a model with context and one without, and the scores of the command line."""
    folder = tmp_path_factory.mktemp("arrays")
    write_scene(folder / "scene.tif", make_scene(ROWS, COLS, 3, anomalies=True).values)
    for name, kind in (("context", "ring"), ("pixel", "none")):
        model = str(folder / f"{name}.specvae")
        fit(
            [str(folder / "scene.tif")], FitRequest(model=model, device="cpu", context=kind, set=("training.steps=30",))
        )
        request = ScoreRequest(model=model, out=str(folder / name), parts=True, device="cpu")
        assert score([str(folder / "scene.tif")], request).exit_status == 0
    return folder


def written(place: Path, kind: str) -> np.ndarray:
    """Score, reconstruction and KL of the command line, ``(3, rows, cols)``."""
    with rasterio.open(place / kind / "scene" / "score.tif") as dataset:
        return np.asarray(dataset.read([1, 2, 3]))


def stored(place: Path) -> np.ndarray:
    with rasterio.open(place / "scene.tif") as dataset:
        return np.asarray(dataset.read())


def opened(place: Path, **options: object) -> xr.DataArray:
    array = rioxarray.open_rasterio(place / "scene.tif", **options)
    assert isinstance(array, xr.DataArray)
    return array


KINDS = pytest.mark.parametrize("kind", ["context", "pixel"])


@KINDS
def test_a_numpy_cube_scores_bit_for_bit_as_on_the_command_line(place: Path, kind: str) -> None:
    found = score_array(stored(place), place / f"{kind}.specvae", bands=BAND_NAMES, nodata=0, parts=True)
    np.testing.assert_array_equal(found, written(place, kind))
    assert np.isnan(found).any(), "the collar is not valid"
    again = score_array(stored(place), load_model(place / f"{kind}.specvae"), bands=BAND_NAMES, nodata=0)
    np.testing.assert_array_equal(again, found[0])
    assert again.dtype == np.float32


@KINDS
def test_a_tensor_gives_a_tensor_of_the_same_bits(place: Path, kind: str) -> None:
    values = torch.from_numpy(stored(place).astype(np.int32))
    found = score_array(values, place / f"{kind}.specvae", bands=BAND_NAMES, nodata=0)
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), written(place, kind)[0])
    learning = values.float().requires_grad_()
    np.testing.assert_array_equal(
        score_array(learning, place / f"{kind}.specvae", bands=BAND_NAMES, nodata=0).numpy(), found.numpy()
    )


@KINDS
@pytest.mark.parametrize("masked", [False, True])
def test_a_dataarray_keeps_its_place_on_earth(place: Path, kind: str, masked: bool) -> None:
    array = opened(place, masked=masked)
    found = score_array(array, place / f"{kind}.specvae")
    np.testing.assert_array_equal(found.values, written(place, kind)[0])
    assert found.dims == ("y", "x")
    assert found.name == "score"
    assert found.rio.crs == array.rio.crs
    assert found.rio.transform() == array.rio.transform()
    xr.testing.assert_equal(found.y, array.y)
    assert found.attrs["units"] == "nat"
    parts = score_array(array, place / f"{kind}.specvae", parts=True)
    assert parts.part.values.tolist() == ["score", "reconstruction", "kl"]
    np.testing.assert_array_equal(parts.values, written(place, kind))


@KINDS
@pytest.mark.parametrize("chunks", [(64, 64), (50, 37), (150, 3), (1, 210), (149, 209)], ids=str)
def test_lazy_blocks_of_any_size_give_the_same_bits(place: Path, kind: str, chunks: tuple[int, int]) -> None:
    array = opened(place, chunks={"y": chunks[0], "x": chunks[1], "band": 4})
    found = score_array(array, place / f"{kind}.specvae", parts=True)
    assert found.chunks is not None, "nothing is computed yet"
    np.testing.assert_array_equal(found.compute(scheduler="threads", num_workers=2).values, written(place, kind))


def test_a_lazy_score_computes_only_the_blocks_that_are_asked_for(place: Path) -> None:
    read: list[int] = []
    array = opened(place, chunks={"y": 30, "x": 210})

    def watch(block: np.ndarray) -> np.ndarray:
        if block.size:
            read.append(block.shape[1])
        return block

    watched = array.copy(data=array.data.map_blocks(watch, dtype=array.dtype, meta=np.empty((0, 0, 0), array.dtype)))
    lazy = score_array(watched, place / "context.specvae")
    assert not read
    part = lazy.isel(y=slice(0, 30)).compute(scheduler="synchronous")
    np.testing.assert_array_equal(part.values, written(place, "context")[0, :30])
    assert len(read) == 2, "its own block and the neighbour that the halo reaches into"


def test_a_lazy_score_travels_to_workers_without_pickling_a_network(place: Path) -> None:
    scorer = ArrayScorer(load_model(place / "context.specvae").detector)
    payload = pickle.dumps(scorer)
    assert b"torch" not in payload
    again = pickle.loads(payload)
    assert again.__dask_tokenize__() == scorer.__dask_tokenize__()
    other = ArrayScorer(load_model(place / "pixel.specvae").detector)
    assert other.__dask_tokenize__() != scorer.__dask_tokenize__()
    lazy = score_array(opened(place, chunks={"y": 64, "x": 64}), place / "context.specvae")
    sent = cloudpickle.loads(cloudpickle.dumps(lazy.data))
    np.testing.assert_array_equal(sent.compute(scheduler="synchronous"), written(place, "context")[0])


def test_a_series_is_scored_date_by_date(place: Path) -> None:
    one = opened(place, masked=True)
    series = xr.concat([one, one.where(one.x > one.x[100])], dim="time").assign_coords(time=[10, 20])
    found = score_array(series.transpose("y", "time", "x", "band"), place / "pixel.specvae")
    assert found.dims == ("time", "y", "x")
    assert found.time.values.tolist() == [10, 20]
    np.testing.assert_array_equal(found[0].values, written(place, "pixel")[0])
    assert np.isnan(found[1, :, :101]).all()
    np.testing.assert_array_equal(found[1, :, 101:].values, written(place, "pixel")[0, :, 101:])


def test_a_dataset_has_a_band_a_variable_and_they_are_matched_by_name(place: Path) -> None:
    array = opened(place)
    whole = xr.Dataset({name: array.sel(band=i + 1, drop=True) for i, name in enumerate(BAND_NAMES)})
    for name in whole:
        whole[name].attrs = {"_FillValue": 0}
    found = score_array(whole[list(reversed(BAND_NAMES))], place / "context.specvae")
    np.testing.assert_array_equal(found.values, written(place, "context")[0])
    lost = whole.drop_vars("nir")
    with pytest.raises(ModelError, match="bands do not match"):
        score_array(lost, place / "context.specvae")
    whole["nir"].attrs = {"_FillValue": 7}
    with pytest.raises(InputError, match="different no-data"):
        score_array(whole, place / "context.specvae")


def test_variables_of_a_dataset_that_are_no_bands_do_no_harm(place: Path) -> None:
    array = opened(place)
    plain = xr.Dataset({name: array.sel(band=i + 1, drop=True) for i, name in enumerate(BAND_NAMES)})
    for name in plain:
        plain[name].attrs = {"_FillValue": 0}
    scl = plain[BAND_NAMES[0]].copy(data=np.full((ROWS, COLS), 4, "uint8")).assign_attrs(_FillValue=255)
    more = plain.assign(SCL=scl, spatial_ref=xr.DataArray(32633))
    np.testing.assert_array_equal(score_array(more, place / "pixel.specvae").values, written(place, "pixel")[0])


def test_what_a_masked_array_masks_is_not_scored(place: Path) -> None:
    cube = stored(place)
    mask = np.zeros(cube.shape, bool)
    mask[2, 10:20, 30:50] = True
    found = score_array(np.ma.MaskedArray(cube, mask), place / "pixel.specvae", nodata=0)
    hidden = mask.any(axis=0)
    assert np.isnan(found[hidden]).all()
    np.testing.assert_array_equal(found[~hidden], written(place, "pixel")[0][~hidden])
    rows = np.ma.MaskedArray(cube.reshape(len(cube), -1).T, mask.reshape(len(cube), -1).T)
    np.testing.assert_array_equal(score_array(rows, place / "pixel.specvae", nodata=0), found.ravel())


def test_bands_in_another_order_are_matched_by_name_or_wavelength(place: Path) -> None:
    turned = stored(place)[::-1]
    expected = written(place, "context")[0]
    found = score_array(turned, place / "context.specvae", bands=BAND_NAMES[::-1], nodata=0)
    np.testing.assert_array_equal(found, expected)
    waves = np.array(WAVELENGTHS[::-1]) / 1000
    labelled = xr.DataArray(turned, dims=("band", "y", "x"), coords={"wavelength": ("band", waves, {"units": "um"})})
    np.testing.assert_array_equal(score_array(labelled, place / "context.specvae", nodata=0).values, expected)


def test_nameless_bands_are_matched_by_order_with_a_warning(place: Path) -> None:
    with pytest.warns(UserWarning, match="by their order alone"):
        found = score_array(stored(place), place / "pixel.specvae", nodata=0)
    np.testing.assert_array_equal(found, written(place, "pixel")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score_array(stored(place), place / "pixel.specvae", nodata=0, bands=BAND_NAMES)


def test_scale_and_offset_are_applied_as_the_command_line_applies_them(place: Path) -> None:
    array = opened(place)
    halved = array.copy(data=array.values)
    halved.attrs |= {"scale_factor": 0.5, "add_offset": 3.0}
    physical = np.where(array.values == 0, np.nan, array.values.astype(np.float32) * np.float32(0.5) + np.float32(3.0))
    expected = score_array(physical, place / "pixel.specvae", bands=BAND_NAMES)
    np.testing.assert_array_equal(score_array(halved, place / "pixel.specvae").values, expected)


@KINDS
def test_what_is_not_valid_scores_nan_and_moves_no_score_of_a_pixel_model(place: Path, kind: str) -> None:
    values = stored(place).astype(np.float64)
    clean = score_array(values, place / f"{kind}.specvae", bands=BAND_NAMES, nodata=0)
    values[3, 70, 90], values[0, 71, 91], values[5, 20, 30] = np.nan, np.inf, 1e300
    valid = np.ones((ROWS, COLS), bool)
    valid[100:110, 60:80] = False
    found = score_array(values, place / f"{kind}.specvae", bands=BAND_NAMES, nodata=0, valid=valid)
    assert np.isnan(found[70, 90])
    assert np.isnan(found[71, 91])
    assert np.isfinite(found[20, 30])
    assert found[20, 30] > clean[20, 30]
    assert np.isnan(found[100:110, 60:80]).all()
    if kind == "pixel":
        kept = np.isfinite(found) & ~np.isnan(values).any(axis=0)
        kept[20, 30] = False
        np.testing.assert_array_equal(found[kept], clean[kept])
    lazy = opened(place, chunks={"y": 40, "x": 50})
    mask = xr.DataArray(valid, dims=("y", "x")).chunk({"y": 64, "x": 10})
    eager = score_array(lazy.compute(), place / f"{kind}.specvae", valid=valid)
    np.testing.assert_array_equal(score_array(lazy, place / f"{kind}.specvae", valid=mask).values, eager.values)


def test_rows_are_scored_by_a_pixel_model_and_refused_by_one_with_context(place: Path) -> None:
    values = stored(place)
    rows = values.reshape(len(values), -1).T
    found = score_array(rows, place / "pixel.specvae", bands=BAND_NAMES, nodata=0)
    np.testing.assert_allclose(found.reshape(ROWS, COLS), written(place, "pixel")[0], rtol=1e-5, atol=1e-5)
    table = xr.DataArray(rows, dims=("sample", "band"), coords={"band": list(BAND_NAMES)})
    np.testing.assert_array_equal(score_array(table, place / "pixel.specvae", nodata=0).values, found)
    for given in (rows, table, torch.from_numpy(rows.astype(np.float32))):
        with pytest.raises(InputError, match="a table has no surroundings"):
            score_array(given, place / "context.specvae", bands=BAND_NAMES)


def test_an_estimator_is_a_model_too() -> None:
    cube = np.random.default_rng(0).normal(size=(3, 20, 25))
    model = SpectralVAE(steps=20).fit(cube.reshape(3, -1).T)
    with pytest.warns(UserWarning, match="order"):
        found = score_array(cube, model)
    np.testing.assert_allclose(found.ravel(), model.anomaly_score(cube.reshape(3, -1).T), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_scored_is_refused_in_one_line(place: Path) -> None:
    model = place / "pixel.specvae"
    for bad, wrong in (
        (np.zeros(5), "shape"),
        (np.zeros((2, 3, 4, 5)), "shape"),
        (np.zeros((10, 4, 4), complex), "complex"),
        (np.full((10, 4, 4), "x"), "real numbers"),
    ):
        with pytest.raises(InputError, match=wrong):
            score_array(bad, model)
    with pytest.raises(ModelError, match="bands do not match"):
        score_array(np.zeros((9, 4, 4)), model)
    with pytest.raises(InputError, match="valid has shape"):
        score_array(np.zeros((10, 4, 4)), model, bands=BAND_NAMES, valid=np.ones((4, 5), bool))
    with pytest.raises(InputError, match="9 band names"):
        score_array(np.zeros((10, 4, 4)), model, bands=BAND_NAMES[:9])
    with pytest.raises(UsageError, match="as the model"):
        score_array(np.zeros((10, 4, 4)), 7)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="band_dim"):
        score_array(np.zeros((10, 4, 4)), model, band_dim="band")
    with pytest.raises(InputError, match="give band_dim="):
        score_array(xr.DataArray(np.zeros((10, 4, 4)), dims=("a", "y", "x")), model)
    with pytest.raises(ModelError, match="cannot be read"):
        score_array(np.zeros((10, 4, 4)), place / "nowhere.specvae")


def test_a_real_series_scores_as_on_the_command_line(real_layout: Path, tmp_path: Path) -> None:
    scenes = sorted((real_layout / "scenes" / "rufiji_timeseries").glob("S2_20180[78]*.tif"))[:2]
    model = str(tmp_path / "m.specvae")
    fit([str(scenes[0])], FitRequest(model=model, device="cpu", set=("training.steps=30",)))
    assert score([str(scenes[1])], ScoreRequest(model=model, out=str(tmp_path / "out"), device="cpu")).exit_status == 0
    with rasterio.open(tmp_path / "out" / scenes[1].stem / "score.tif") as dataset:
        expected = dataset.read(1)
    lazy = score_array(rioxarray.open_rasterio(scenes[1], chunks={"y": 50, "x": 60}), model)
    np.testing.assert_array_equal(lazy.values, expected)
    assert np.isfinite(expected).any()


def test_an_estimator_refuses_what_a_masked_array_masks(place: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 4))
    model = SpectralVAE(steps=5).fit(np.ma.MaskedArray(rows, False))
    masked = np.ma.masked_greater(rows, 1.5)
    for call in (model.predict, SpectralVAE(steps=5).fit):
        with pytest.raises(ValueError, match=rf"masks {int(masked.mask.sum())} values in \d+ rows; drop these rows"):
            call(masked)
