"""Cubes of HDF5, NetCDF and arrays are read along their own axes, and imaging spectrometers' products by their structure."""

from __future__ import annotations

import itertools
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine
from scipy.io import netcdf_file

from specvae.errors import InputError, SpecvaeError
from specvae.ingest.formats import crash_guard
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.sources import find_sources
from specvae.spectra import Window
from tests.spectrometer_files import COLS, CUBE, PRODUCTS, ROWS, WAVES, dlr, emit, stored

ORDERS = list(itertools.permutations(("bands", "rows", "cols")))
NAMES = {"bands": "wavelength", "rows": "lat", "cols": "lon"}
COORDS = {"wavelength": WAVES, "lat": np.linspace(41.0, 40.13, ROWS), "lon": np.linspace(10.0, 11.17, COLS)}
UNITS = {"wavelength": "nm", "lat": "degrees_north", "lon": "degrees_east"}


@pytest.fixture(autouse=True)
def _no_first_look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own looks at each HDF5 file first; the files here are whole, but for the damaged ones."""
    if "damaged" not in request.node.name:
        monkeypatch.setattr(crash_guard, "_ending", lambda *_: "")


def opened(path: Path, **options: Any) -> PixelScene:
    return open_scene(str(path), IngestOptions(**options))


def check(path: Path, cube: np.ndarray = CUBE, waves: np.ndarray | None = WAVES, **options: Any) -> PixelScene:
    with opened(path, **options) as scene:
        assert (len(scene.bands), scene.rows, scene.cols) == cube.shape
        values = scene.read(scene.grid.window)
        assert np.allclose(values.values[:, values.valid], cube[:, values.valid], rtol=1e-6, atol=1e-7)
        part = scene.read(Window(3, 5, 7, 11))
        assert np.array_equal(part.values, values.values[:, 3:10, 5:16], equal_nan=True)
        if waves is not None:
            assert np.allclose([band.wavelength for band in scene.bands], waves)
        return scene


def classic(path: Path, order: tuple[str, ...], flip: bool = False) -> Path:
    with netcdf_file(path, "w") as out:
        for name in (NAMES[role] for role in order):
            out.createDimension(name, len(COORDS[name]))
            variable = out.createVariable(name, "f8", (name,))
            variable[:] = COORDS[name][::-1] if flip and name == "lat" else COORDS[name]
            variable.units = UNITS[name]
        cube = CUBE[:, ::-1] if flip else CUBE
        out.createVariable("reflectance", "f4", tuple(NAMES[role] for role in order))[:] = stored(order, cube)
    return path


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("flip", [False, True], ids=["north up", "south up"])
def test_a_netcdf_cube_is_read_by_its_dimensions_whatever_their_order(
    order: tuple[str, ...], flip: bool, tmp_path: Path
) -> None:
    scene = check(classic(tmp_path / "a.nc", order, flip))
    assert scene.crs == CRS.from_epsg(4326)
    assert scene.transform.almost_equals(Affine(0.03, 0, 9.985, 0, -0.03, 41.015), 1e-6)
    assert not any(decision.guessed for decision in scene.decisions)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("evidence", ["scales", "labels", "a list", "an attribute", "the option"])
def test_an_hdf5_cube_is_read_by_what_stands_beside_it(order: tuple[str, ...], evidence: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        data = out.create_dataset("scan/cube", data=stored(order), chunks=True)
        for axis, role in enumerate(order):
            if evidence == "scales":
                out[NAMES[role]] = COORDS[NAMES[role]]
                out[NAMES[role]].make_scale(NAMES[role])
                data.dims[axis].attach_scale(out[NAMES[role]])
            elif evidence == "labels":
                data.dims[axis].label = {"bands": "band", "rows": "line", "cols": "sample"}[role]
        if evidence == "a list":
            out["scan/metadata/Wavelength"] = WAVES / 1000
        elif evidence == "an attribute":
            data.attrs["wavelengths"] = WAVES
    if evidence in ("a list", "an attribute") and order.index("rows") > order.index("cols"):
        pytest.skip("a list of wavelengths says nothing about which of the others runs down")
    if evidence == "the option":
        layouts = {0: "bands-first", 1: "bands-middle", 2: "bands-last"}
        if order.index("rows") > order.index("cols"):
            pytest.skip("--layout says which axis counts bands")
        check(tmp_path / "a.h5", waves=None, layout=layouts[order.index("bands")])
        return
    scene = check(tmp_path / "a.h5", waves=None if evidence == "labels" else WAVES)
    assert not any(decision.guessed for decision in scene.decisions)


@pytest.mark.parametrize(
    ("shape", "bands"),
    [((80, 70, 40), 40), ((12, 70, 80), 12), ((6, 6, 30), 30), ((30, 30, 30), None), ((70, 12, 80), None)],
)
@pytest.mark.parametrize("end", ["h5", "npy"])
def test_a_shape_alone_is_a_guess_that_is_said_or_a_question(
    shape: tuple[int, ...], bands: int | None, end: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{end}"
    values = np.random.default_rng(0).random(shape).astype("float32")
    if end == "npy":
        np.save(path, values)
    else:
        with h5py.File(path, "w") as out:
            out["data"] = values
    if bands is None:
        with pytest.raises(InputError, match=r"which axis of .* counts bands cannot be told .*--layout bands-middle"):
            opened(path)
        assert len(opened(path, layout="bands-middle").bands) == shape[1]
        return
    with opened(path) as scene:
        assert len(scene.bands) == bands
        assert any("guessed from its shape alone" in note and "--layout" in note for note in scene.notes)


def test_several_cubes_are_asked_about_and_array_chooses(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["radiance"], out["reflectance"] = CUBE + 1, CUBE
        out["wavelength"] = WAVES
    with pytest.raises(InputError, match="holds 2 cubes; give one of them: --array radiance, --array reflectance"):
        opened(tmp_path / "a.h5")
    check(tmp_path / "a.h5", array="reflectance")


# --- products --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_known_by_its_structure(name: str, tmp_path: Path) -> None:
    expected = PRODUCTS[name](tmp_path / name)
    with opened(tmp_path / name) as scene:
        assert scene.plan.product.kind == expected["kind"]
        assert scene.crs == CRS.from_epsg(expected["crs"])
        assert scene.transform.almost_equals(expected["transform"], 1e-6)
        assert np.allclose([band.wavelength for band in scene.bands], WAVES)
        assert {band.width for band in scene.bands} == {expected["width"]}
        cube = scene.read(scene.grid.window)
        want = expected.get("cube", CUBE)
        there = cube.valid
        assert there.mean() > 0.8
        assert np.array_equal(~there, np.isnan(want[0]) | (cube.values[0] < -1)) or name == "neon.h5"
        assert np.allclose(cube.values[:, there], want[:, there], atol=expected.get("tolerance", 1e-6))
        assert not any(decision.guessed for decision in scene.decisions)
        assert {"format", "axes", "place"} <= {decision.about for decision in scene.decisions}
        part = scene.read(Window(4, 6, 9, 13))
        assert np.array_equal(part.values[:, part.valid], cube.crop(Window(4, 6, 9, 13)).values[:, part.valid])


def test_bands_that_a_product_marks_as_bad_are_left_out_and_said(tmp_path: Path) -> None:
    emit(tmp_path / "a.nc")
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        file["sensor_band_parameters/good_wavelengths"][2:5] = 0
    with opened(tmp_path / "a.nc") as scene:
        assert len(scene.bands) == len(WAVES) - 3
        assert any("3 bands are not used" in note for note in scene.notes)


def test_a_swath_without_its_table_says_that_it_is_one(tmp_path: Path) -> None:
    emit(tmp_path / "a.nc")
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        del file["location/glt_x"]
    with opened(tmp_path / "a.nc") as scene:
        assert (scene.rows, scene.cols) == (ROWS, COLS)
        assert any("swath in the sensor's own geometry" in decision.chosen for decision in scene.decisions)
        assert any("no CRS" in note for note in scene.notes)


def test_a_table_that_leads_out_of_the_swath_leads_nowhere(tmp_path: Path) -> None:
    emit(tmp_path / "a.nc")
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        file["location/glt_y"][:5] = 1_000_000
    with opened(tmp_path / "a.nc") as scene:
        cube = scene.read(scene.grid.window)
        assert not cube.valid[:5].any()
        assert cube.valid[5:].mean() > 0.8


# --- EnMAP and DESIS -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mission", ["ENMAP", "DESIS"])
def test_a_dlr_product_is_read_by_its_xml(mission: str, tmp_path: Path) -> None:
    folder = dlr(tmp_path / "product", mission)
    (source,) = find_sources([folder])
    assert source.path == str(folder)
    scene = check(folder, CUBE.round(4))
    assert scene.plan.product.kind.upper().startswith(mission)
    assert scene.level == "L2A"
    assert (scene.datetime or "").startswith("2022")
    assert {band.width for band in scene.bands} == {7.5}
    assert any("clouds" in note and "--product-masks none" in note for note in scene.notes)
    assert {"wavelengths", "scale"} <= {decision.about for decision in scene.decisions}


def test_a_dlr_product_in_an_archive_is_one_scene(tmp_path: Path) -> None:
    folder = dlr(tmp_path / "product", "ENMAP")
    with zipfile.ZipFile(tmp_path / "enmap.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"tile/{path.name}")
    scene = check(tmp_path / "enmap.zip", CUBE.round(4))
    assert scene.plan.product.kind == "EnMAP product"


@pytest.mark.parametrize("xml", ["<a/>", "not xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", ""])
def test_metadata_that_are_none_are_refused_in_one_line(xml: str, tmp_path: Path) -> None:
    folder = dlr(tmp_path / "product", "ENMAP")
    next(folder.glob("*METADATA.XML")).write_text(xml)
    with pytest.raises(InputError, match=r"describes no band|cannot be read as XML|defines entities"):
        opened(folder)


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["neon.h5", "emit.nc", "a.nc"])
def test_a_damaged_cube_is_read_or_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    PRODUCTS[name](path) if name in PRODUCTS else classic(path, ORDERS[5])
    whole, rng = path.read_bytes(), np.random.default_rng(7)
    for at in rng.integers(0, min(len(whole), 6000), 6):
        path.write_bytes(whole[:at] + bytes(rng.integers(0, 256, 8, dtype=np.uint8)) + whole[at + 8 :])
        try:
            with opened(path) as scene:
                scene.read(scene.grid.window)
        except SpecvaeError:
            continue


def test_a_large_swath_opens_at_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        data = out.create_dataset("x/Reflectance/Reflectance_Data", (1000, 1000, 426), "i2", chunks=(50, 50, 426))
        data.attrs["Scale_Factor"] = 10_000
        out["x/Reflectance/Metadata/Spectral_Data/Wavelength"] = np.linspace(383, 2512, 426)
    begun = time.perf_counter()
    with opened(tmp_path / "a.h5") as scene:
        assert len(scene.bands) == 426
    assert time.perf_counter() - begun < 20
