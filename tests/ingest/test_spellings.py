"""What headers, names and attributes of rasters say in other spellings: wavelengths, names, times, places and fills."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.crs import CRS
from scipy.io import netcdf_file

from specvae.errors import InputError
from specvae.ingest.formats import crash_guard
from specvae.ingest.formats.arrays.times import time_since
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.spectra import Invalid, Window
from tests.raster_files import ramp, write

ROWS, COLS, WAVES = 40, 50, np.linspace(450.0, 900.0, 10)
CUBE = np.random.default_rng(8).uniform(0.02, 0.6, (10, ROWS, COLS)).astype("f4")
HEADER = (
    f"ENVI\nsamples = {COLS}\nlines = {ROWS}\nbands = 10\nheader offset = 0\nfile type = ENVI Standard\n"
    "data type = 4\ninterleave = bsq\nbyte order = 0\n"
)


@pytest.fixture(autouse=True)
def _no_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own looks at each HDF5 file first; the files here are whole."""
    monkeypatch.setattr(crash_guard, "_ending", lambda *_: "")


def opened(path: Path, **options: Any) -> PixelScene:
    return open_scene(str(path), IngestOptions(**options))


def envi(path: Path, more: str, cube: NDArray[Any] = CUBE, header: str = HEADER) -> Path:
    path.write_bytes(np.ascontiguousarray(cube).tobytes())
    path.with_suffix(".hdr").write_text(header + more)
    return path


def netcdf(path: Path, dims: dict[str, NDArray[Any] | int], **variables: dict[str, Any]) -> Path:
    """A NetCDF file; a dimension with numbers has a coordinate, a variable ``values``, ``dims`` and attributes."""
    with netcdf_file(path, "w") as out:
        for name, values in dims.items():
            out.createDimension(name, values if isinstance(values, int) else len(values))
            if not isinstance(values, int):
                out.createVariable(name, "f8", (name,))[:] = values
        for name, said in variables.items():
            if name not in dims:
                made = out.createVariable(name, said["values"].dtype, said["dims"])
                if said["dims"]:
                    made[:] = said["values"]
            for key, value in said.items():
                if key not in ("values", "dims"):
                    setattr(out.variables[name], key, value)
    return path


# --- wavelengths and names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["Wavelength", "WAVELENGTH", "wavelength"])
@pytest.mark.parametrize("unit", ["", " nm", " Nanometers"])
def test_a_header_is_read_in_any_case_and_with_units_behind_its_numbers(key: str, unit: str, tmp_path: Path) -> None:
    listed = ",\n".join(f" {wave:.2f}{unit}" for wave in WAVES)
    with opened(envi(tmp_path / "a.raw", f"{key} = {{\n{listed}\n}}\n")) as scene:
        assert scene.bands.wavelengths == pytest.approx(WAVES)


def test_micrometres_behind_the_numbers_of_a_header_are_micrometres(tmp_path: Path) -> None:
    listed = ", ".join(f"{wave / 1000:.4f} um" for wave in WAVES)
    with opened(envi(tmp_path / "a.img", f"wavelength = {{{listed}}}\n")) as scene:
        assert scene.bands.wavelengths == pytest.approx(WAVES)


def test_a_classification_of_envi_is_no_scene_and_its_time_is_that_of_the_header(tmp_path: Path) -> None:
    classes = (
        HEADER.replace("bands = 10", "bands = 1").replace("Standard", "Classification").replace("type = 4", "type = 1")
    )
    with pytest.raises(InputError, match="classes, as the type of its header says"):
        opened(envi(tmp_path / "c.img", "classes = 3\n", np.zeros((ROWS, COLS), "u1"), classes))
    with opened(envi(tmp_path / "a.img", "acquisition time = 2021-06-10T10:20:30.0Z\n")) as scene:
        assert scene.datetime == "2021-06-10T10:20:30Z"


@pytest.mark.parametrize(
    ("form", "scale", "guessed"), [("{:.1f} nm", 1, False), ("Band_{:.0f}", 1, True), ("{:.3f} µm", 1000, False)]
)
def test_descriptions_that_are_wavelengths_are_read_as_such(
    form: str, scale: float, guessed: bool, tmp_path: Path
) -> None:
    with opened(write(tmp_path / "a.tif", CUBE, tuple(form.format(w / scale) for w in WAVES))) as scene:
        assert scene.bands.wavelengths == pytest.approx(WAVES)
        assert any("the names of its bands, alike but for a number" in note for note in scene.notes) == guessed


@pytest.mark.parametrize("names", [("2015", "2016", "2017", "2018", "2019"), ("B1", "B2", "B3", "B4", "B5")])
def test_years_and_counts_are_no_wavelengths(names: tuple[str, ...], tmp_path: Path) -> None:
    with opened(write(tmp_path / "a.tif", CUBE[:5], names)) as scene:
        assert scene.bands.wavelengths is None


def test_indices_beside_bands_are_left_out_and_alone_they_are_the_bands(tmp_path: Path) -> None:
    with opened(write(tmp_path / "a.tif", CUBE[:4], ("B2", "B3", "NDVI", "evi2"))) as scene:
        assert scene.bands.names == ("B2", "B3")
        assert any("an index, computed of other bands" in note for note in scene.notes)
    with opened(tmp_path / "a.tif", bands="B2,NDVI") as scene:
        assert scene.bands.names == ("B2", "NDVI")
    with opened(write(tmp_path / "b.tif", CUBE[:2], ("NDVI", "EVI"))) as scene:
        assert scene.bands.names == ("NDVI", "EVI")


# --- arrays ----------------------------------------------------------------------------------------------------------


def test_texts_along_the_axis_of_bands_name_them(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["refl"], out["band"] = CUBE[:4], np.array(["B02", "B03", "B04", "B08"], h5py.string_dtype())
        out["band"].make_scale("band")
        out["refl"].dims[0].attach_scale(out["band"])
    with opened(tmp_path / "a.h5") as scene:
        assert scene.bands.names == ("B02", "B03", "B04", "B08")
        assert np.allclose(scene.read(scene.grid.window).values, CUBE[:4])


@pytest.mark.parametrize("form", ["{:.1f}", "{:.1f} nm"])
def test_a_list_of_texts_beside_a_cube_holds_its_wavelengths(form: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["cube"] = np.moveaxis(CUBE, 0, 2)
        out["wavelengths"] = np.array([form.format(wave).encode() for wave in WAVES])
    with opened(tmp_path / "a.h5") as scene:
        assert scene.bands.wavelengths == pytest.approx(WAVES)
        assert not any(decision.guessed for decision in scene.decisions)


@pytest.mark.parametrize("order", [("time", "band", "y", "x"), ("y", "x", "band", "time"), ("band", "time", "y", "x")])
def test_an_axis_of_one_step_is_none_and_a_time_dates_the_scene(order: tuple[str, ...], tmp_path: Path) -> None:
    sizes = {"time": 1, "band": 10, "y": ROWS, "x": COLS}
    values = np.transpose(CUBE[None], [("time", "band", "y", "x").index(name) for name in order])
    coords = {
        "time": np.array([19553.5]),
        "band": 10,
        "y": 5e6 - 10.0 * np.arange(ROWS),
        "x": 4e5 + 10.0 * np.arange(COLS),
    }
    assert values.shape == tuple(sizes[name] for name in order)
    path = netcdf(
        tmp_path / "a.nc", coords, refl={"values": values, "dims": order}, time={"units": "days since 1970-01-01"}
    )
    with opened(path) as scene:
        assert np.allclose(scene.read(scene.grid.window).values, CUBE)
        assert scene.datetime == "2023-07-15T12:00:00Z"
        assert scene.transform[:6] == pytest.approx((10, 0, 399_995, 0, -10, 5_000_005))


@pytest.mark.parametrize(
    ("value", "units", "expected"),
    [
        (0, "seconds since 2020-02-28 23:59:59", "2020-02-28T23:59:59Z"),
        (36, "hours since 2020-1-1T12", "2020-01-03T00:00:00Z"),
        (1, "months since 2020-01-01", None),
        (1e300, "days since 2020-01-01", None),
        (1, "days since 2020-13-01", None),
    ],
)
def test_a_time_is_counted_from_its_epoch(value: float, units: str, expected: str | None) -> None:
    assert time_since(value, {"units": units}) == expected
    assert time_since(value, {"units": units, "calendar": "360_day"}) is None


def test_kilometres_are_brought_to_the_metres_of_the_crs(tmp_path: Path) -> None:
    y, x = 5000 - 0.01 * np.arange(ROWS), 400 + 0.01 * np.arange(COLS)
    said = {"units": "km", "standard_name": "projection_{}_coordinate"}
    path = netcdf(
        tmp_path / "a.nc",
        {"wavelength": WAVES, "y": y, "x": x},
        crs={"values": np.zeros((), "i4"), "dims": (), "crs_wkt": CRS.from_epsg(32633).to_wkt()},
        rho={"values": CUBE, "dims": ("wavelength", "y", "x"), "grid_mapping": "crs"},
        wavelength={"units": "nm"},
        **{name: {k: v.format(name) for k, v in said.items()} for name in "yx"},
    )
    with opened(path) as scene:
        assert scene.transform[:6] == pytest.approx((10, 0, 399_995, 0, -10, 5_000_005))


def test_every_fill_and_the_valid_range_of_a_cube_mark_what_is_missing(tmp_path: Path) -> None:
    counts = (CUBE * 10_000).astype("i2")
    counts[0, 0, :5], counts[3, 1, :7], counts[:, 2, :9], counts[1, 3, :3] = -999, -28672, -15, 20_000
    said = {"values": counts, "dims": ("wavelength", "y", "x"), "_FillValue": np.int16(-999), "missing_value": np.int16(-28672),
            "scale_factor": 1e-4, "valid_min": np.int16(0), "valid_max": np.int16(10_000)}  # fmt: skip
    path = netcdf(tmp_path / "a.nc", {"wavelength": WAVES, "y": ROWS, "x": COLS}, rho=said, wavelength={"units": "nm"})
    with opened(path) as scene:
        cube = scene.read(scene.grid.window)
        said_of = " | ".join(decision.sentence for decision in scene.decisions)
    assert (cube.reason == Invalid.NODATA).sum() == 5 + 7 + 9 + 3
    assert np.allclose(cube.values[:, cube.valid], counts[:, cube.valid] * 1e-4, atol=1e-6)
    assert "-28672 is missing too" in said_of
    assert "stored values outside 0 to 10000 are missing" in said_of


def test_unsigned_numbers_in_signed_ones_are_read_as_they_are_meant(tmp_path: Path) -> None:
    counts = (CUBE * 400).astype("u1")
    counts[:, 0, 0] = 255
    said = {"values": counts.view("i1"), "dims": ("wavelength", "y", "x"), "_Unsigned": "true", "scale_factor": 0.004,
            "missing_value": np.int8(-1)}  # fmt: skip
    path = netcdf(tmp_path / "a.nc", {"wavelength": WAVES, "y": ROWS, "x": COLS}, rho=said, wavelength={"units": "nm"})
    with opened(path) as scene:
        cube = scene.read(scene.grid.window)
    assert cube.reason[0, 0] == Invalid.NODATA
    assert np.allclose(cube.values[:, cube.valid], counts[:, cube.valid] * 0.004, atol=1e-6)


def test_variables_beside_a_family_at_several_wavelengths_are_no_bands(tmp_path: Path) -> None:
    planes = {f"Rrs_{wave}": {"values": CUBE[at], "dims": ("lat", "lon")} for at, wave in enumerate((412, 443, 490))}
    more = {name: {"values": CUBE[9], "dims": ("lat", "lon")} for name in ("chlor_a", "Kd_490")}
    units = {"lat": {"units": "degrees_north"}, "lon": {"units": "degrees_east"}}
    coords = {"lat": np.linspace(50, 49, ROWS), "lon": np.linspace(3, 4, COLS)}
    with opened(netcdf(tmp_path / "a.nc", coords, **planes, **more, **units)) as scene:
        assert scene.bands.names == ("Rrs_412", "Rrs_443", "Rrs_490")
        assert scene.crs == CRS.from_epsg(4326)
        assert any("chlor_a" in note and "Kd_490" in note for note in scene.notes)


def test_two_families_of_variables_are_asked_about(tmp_path: Path) -> None:
    planes = {f"{kind}_{wave}": {"values": CUBE[at], "dims": ("y", "x"), "wavelength": float(wave)}
              for at, wave in enumerate((443, 492, 560, 665)) for kind in ("rhot", "rhos")}  # fmt: skip
    path = netcdf(tmp_path / "a.nc", {"y": ROWS, "x": COLS}, **planes)
    with pytest.raises(InputError, match=r"which family of variables is the spectrum .* --bands rhot_443,rhot_492"):
        opened(path)
    with opened(path, bands="rhos_443,rhos_560") as scene:
        assert scene.bands.wavelengths == (443, 560)


def test_uncertainties_beside_a_cube_are_no_cube_and_a_table_in_hdf5_is_named(tmp_path: Path) -> None:
    dims = {"number_of_lines": ROWS, "pixels_per_line": COLS, "wavelength_3d": 10}
    cube = {"values": np.moveaxis(CUBE, 0, 2), "dims": tuple(dims)}
    with opened(netcdf(tmp_path / "a.nc", dims, Rrs=cube, Rrs_unc=cube)) as scene:
        assert np.allclose(scene.read(scene.grid.window).values, CUBE)
        assert not any(decision.guessed for decision in scene.decisions)
    with h5py.File(tmp_path / "t.h5", "w") as out:
        out["df/table"] = np.zeros(5, dtype=[("index", "i8"), ("nir", "f8")])
    with pytest.raises(InputError, match="it has df/table of 5 with the fields index, nir"):
        opened(tmp_path / "t.h5")


@pytest.mark.parametrize("order", [("time", "y", "x"), ("y", "x"), ("x", "y")])
@pytest.mark.parametrize("north_up", [True, False])
def test_planes_lie_where_their_coordinates_say_without_units(
    order: tuple[str, ...], north_up: bool, tmp_path: Path
) -> None:
    y, x = 5e6 - 5 - 10.0 * np.arange(ROWS), 4e5 + 5 + 10.0 * np.arange(COLS)
    coords = {"time": np.array([1.0]), "y": y if north_up else y[::-1], "x": x}
    counts = (CUBE * 10_000).astype("i2")
    counts[:, 0, :4] = 0
    stored = counts if north_up else counts[:, ::-1]
    axes = [("time", "y", "x").index(name) for name in (order if "time" in order else ("time", *order))]
    planes = [np.transpose(plane[None], axes) for plane in stored]
    planes = [plane if "time" in order else plane[0] for plane in planes]
    said = {f"B{at}": {"values": planes[at], "dims": order, "nodata": np.int16(0), "grid_mapping": "spatial_ref"}
            for at in (2, 3, 9)}  # fmt: skip
    path = netcdf(tmp_path / "a.nc", coords, **said, SCL={"values": planes[0], "dims": order},
                  spatial_ref={"values": np.zeros((), "i4"), "dims": (), "crs_wkt": CRS.from_epsg(32633).to_wkt()},
                  time={"units": "days since 2023-07-14"})  # fmt: skip
    with opened(path) as scene:
        assert scene.bands.names == ("B2", "B3", "B9")
        assert scene.crs == CRS.from_epsg(32633)
        assert scene.transform[:6] == pytest.approx((10, 0, 4e5, 0, -10, 5e6))
        assert scene.datetime == "2023-07-15T00:00:00Z"
        cube = scene.read(scene.grid.window)
        assert (cube.reason[0, :4] == Invalid.NODATA).all()
        assert np.array_equal(cube.values[:, cube.valid], counts[[2, 3, 9]][:, cube.valid].astype("f4"))
        part = scene.read(Window(3, 5, 7, 11))
        assert np.array_equal(part.values, cube.values[:, 3:10, 5:16])


def test_bands_of_several_times_are_refused_with_what_to_do(tmp_path: Path) -> None:
    said = {name: {"values": CUBE[:3], "dims": ("time", "y", "x")} for name in ("blue", "red")}
    path = netcdf(tmp_path / "a.nc", {"time": np.arange(3.0), "y": ROWS, "x": COLS}, **said)
    with pytest.raises(InputError, match="holds blue, red at 3 times; give a file of one time"):
        opened(path)


@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_xarrays_names_of_bands_time_and_nodata_are_read(kind: str, tmp_path: Path) -> None:
    xr = pytest.importorskip("xarray")
    names, y, x = ["B02", "B03", "B04"], 5e6 - 5 - 10.0 * np.arange(ROWS), 4e5 + 5 + 10.0 * np.arange(COLS)
    coords = {"time": np.array(["2023-07-15T10:00:00"], "M8[ns]"), "band": names, "y": y, "x": x}
    array = xr.DataArray(CUBE[None, :3], dims=("time", "band", "y", "x"), coords=coords, name="refl")
    array.attrs["nodata"], path = -1.0, tmp_path / f"a.{kind}"
    if kind == "zarr":
        pytest.importorskip("zarr")
        array.to_dataset().to_zarr(path)
    else:
        pytest.importorskip("h5netcdf" if not _has("netCDF4") else "netCDF4")
        array.to_netcdf(path)
    with opened(path) as scene:
        assert scene.bands.names == tuple(names)
        assert scene.datetime == "2023-07-15T10:00:00Z"
        assert np.allclose(scene.read(scene.grid.window).values, CUBE[:3])


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def test_what_says_where_or_when_is_no_band_beside_others(tmp_path: Path) -> None:
    with opened(write(tmp_path / "a.tif", CUBE[:5], ("VV", "VH", "angle", "longitude", "date"))) as scene:
        assert scene.bands.names == ("VV", "VH")
    with opened(write(tmp_path / "b.tif", CUBE[:1], ("date",))) as scene:
        assert scene.bands.names == ("date",)


def test_wavelengths_of_zero_are_none_and_said_to_be(tmp_path: Path) -> None:
    listed = ", ".join("0" for _ in WAVES)
    with opened(envi(tmp_path / "a.img", f"wavelength units = Nanometers\nwavelength = {{{listed}}}\n")) as scene:
        assert scene.bands.wavelengths is None
        assert any("in which no number is one" in decision.evidence for decision in scene.decisions)
        assert not any(decision.guessed for decision in scene.decisions)


def test_a_raster_of_plain_names_is_as_it_was(tmp_path: Path) -> None:
    with opened(write(tmp_path / "a.tif", ramp(4), ("blue", "green", "red", "nir"))) as scene:
        assert scene.bands.names == ("blue", "green", "red", "nir")
        assert [decision.about for decision in scene.decisions] == ["bands"]
