"""What a reader decides of types, fill, wavelengths, names and times, and where it says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from shapely.geometry import shape

from specvae.bands import Band, BandSet, canonical_name
from specvae.errors import InputError, ModelError
from specvae.files.fingerprint import Fingerprint, identify, same
from specvae.files.names import lines_of, printable
from specvae.ingest.formats.acquisition import acquired
from specvae.ingest.grid import Grid
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.footprint import box_around, corners, footprint
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.table.reading import read_table
from specvae.spectra import Invalid
from tests.raster_files import UTM, ramp, write

TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")


def said(path: Path, about: str = "", **options: object) -> str:
    with open_scene(path, IngestOptions(**options)) as scene:  # type: ignore[arg-type]
        return " | ".join([*scene.notes, *(d.sentence for d in scene.decisions if about in d.about)])


# --- types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
def test_every_real_type_of_gdal_is_read(dtype: str, tmp_path: Path) -> None:
    values = (ramp(2) % 100).astype(dtype)
    with open_scene(write(tmp_path / "a.tif", values)) as scene:
        np.testing.assert_array_equal(scene.read(scene.grid.window).values, values.astype("float32"))


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "complex_int16"])
def test_every_complex_type_of_gdal_is_refused_in_one_line(dtype: str, tmp_path: Path) -> None:
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", width=9, height=8, count=1, dtype=dtype, **UTM):
        pass
    with pytest.raises(InputError, match=f"holds complex values .{dtype}.; give real ones"):
        open_scene(tmp_path / "a.tif")


def test_half_precision_is_read(tmp_path: Path) -> None:
    values = np.moveaxis(ramp(3, 20, 30) % 500, 0, 2).astype("float16")
    np.save(tmp_path / "a.npy", values)
    with open_scene(tmp_path / "a.npy", IngestOptions(layout="bands-last")) as scene:
        np.testing.assert_array_equal(scene.read(scene.grid.window).values, np.moveaxis(values, 2, 0).astype("float32"))


# --- fill ------------------------------------------------------------------------------------------------------------


def test_fill_of_one_band_of_single_bands_and_of_other_values_is_said(tmp_path: Path) -> None:
    one = ramp(1, 100, 120, "int16", 500)
    one[:, :, :24] = -9999
    assert "fill: -9999 at" in said(write(tmp_path / "one.tif", one))
    with open_scene(tmp_path / "one.tif", IngestOptions(nodata="auto")) as scene:
        assert (scene.read(scene.grid.window).reason == Invalid.NODATA).sum() == 2400
    mixed = ramp(3, 100, 120, "int16", 3000)
    mixed[:2, :, :24], mixed[2, :, :24] = 0, -9999
    text = said(write(tmp_path / "mixed.tif", mixed, ("a", "b", "c")))
    assert "fill: 0 in a, b and -9999 in c at" in text
    single = ramp(3, 100, 120, "float32", 500)
    single[1, :, :24] = -9999
    assert "fill: -9999 in b at" in said(write(tmp_path / "single.tif", single, ("a", "b", "c")))


def test_a_nodata_value_that_the_type_cannot_hold_is_said_and_hides_no_other(tmp_path: Path) -> None:
    values = ramp(3, 100, 120)
    values[:, :, :24] = 0
    text = said(write(tmp_path / "a.tif", values), nodata="-9999")
    assert "--nodata -9999 marks nothing: uint16 cannot hold it" in text
    assert "fill: 0 in all bands" in text
    assert "cannot hold" not in said(tmp_path / "a.tif", nodata="0")


def test_fill_in_a_table_is_said_unless_it_is_declared(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).uniform(0.1, 0.4, (50, 4))
    rows[:5, 1:3] = -9999
    text = "\n".join(["450,550,650,850", *(",".join(f"{v:g}" for v in row) for row in rows)])
    (tmp_path / "a.csv").write_text(text)
    table = read_table(str(tmp_path / "a.csv"))
    assert any("fill: -9999 in 2 bands (550, 650) looks like undeclared fill" in note for note in table.notes)
    told = read_table(str(tmp_path / "a.csv"), IngestOptions(nodata="-9999"))
    assert int((told.reason == Invalid.NODATA).sum()) == 5
    assert not any("fill" in note for note in told.notes)


def test_a_table_that_does_not_match_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("450,550\n0.1,0.2\n0.2,0.1\n")
    with pytest.raises(ModelError, match=r"a.csv: the bands do not match"):
        read_table(str(tmp_path / "a.csv"), None, BandSet((Band("x", 900.0), Band("y", 1000.0))))


@pytest.mark.parametrize("seed", range(4))
def test_measured_values_are_no_fill(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    values = rng.gamma(2, 300, (3, 90, 80)).astype("uint16")  # reaches down to 0, as dark counts do
    assert "fill" not in said(write(tmp_path / "a.tif", values))


# --- wavelengths and names -------------------------------------------------------------------------------------------


def envi(path: Path, waves: list[float], unit: str = "", more: str = "") -> Path:
    cube = ramp(len(waves), 12, 10)
    path.write_bytes(cube.tobytes())
    units = f"wavelength units = {unit}\n" if unit else ""
    path.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = 10\nlines = 12\nbands = {len(waves)}\nheader offset = 0\nfile type = ENVI Standard\ndata type = 12\n"
        f"interleave = bsq\nbyte order = 0\n{units}wavelength = {{{', '.join(f'{w:.6g}' for w in waves)}}}\n{more}"
    )
    return path


def wavelengths(path: Path) -> list[float]:
    with open_scene(path) as scene:
        assert scene.bands.wavelengths is not None
        return list(scene.bands.wavelengths)


def test_wavelengths_are_those_of_the_header_to_the_thousandth_of_a_nanometre(tmp_path: Path) -> None:
    waves = [379.027, 379.663, 380.3, 1000.12]
    assert wavelengths(envi(tmp_path / "a.dat", waves, "nm")) == pytest.approx(waves, abs=1e-3)
    with open_scene(tmp_path / "a.dat") as scene:
        assert scene.bands.labels == ("379.027 nm", "379.663 nm", "380.3 nm", "1000.12 nm")


@pytest.mark.parametrize(
    ("waves", "unit", "first", "says"),
    [([420, 800, 2400], "Micrometers", 420, True), ([0.42, 0.8, 2.4], "nm", 420, True), ([0.42, 0.8, 2.4], "um", 420, False),
     ([420, 800, 2400], "Nanometers", 420, False), ([0.42, 0.8, 2.4], "", 420, False), ([7.5, 9.0, 12.0], "um", 7500, False)],
)  # fmt: skip
def test_a_unit_that_cannot_be_is_judged_by_size_and_said(
    waves: list[float], unit: str, first: float, says: bool, tmp_path: Path
) -> None:
    path = envi(tmp_path / "a.dat", waves, unit)
    assert wavelengths(path)[0] == pytest.approx(first)
    assert ("unit: wavelengths are in" in said(path)) == says


def test_a_spectrum_of_the_mid_infrared_is_whole(tmp_path: Path) -> None:
    waves = list(np.linspace(4000, 900, 40))  # wave numbers
    assert len(wavelengths(envi(tmp_path / "a.dat", waves, "Wavenumber"))) == 40
    camera = envi(tmp_path / "b.dat", [0.48, 0.56, 0.66, 0.86, 10.9, 12.0], "um")
    assert len(wavelengths(camera)) == 4
    assert "left out (thermal)" in said(camera)


def test_lists_of_a_header_that_do_not_fit_are_said_and_commas_at_their_ends_are_nothing(tmp_path: Path) -> None:
    assert "its list bbl is passed over" in said(envi(tmp_path / "a.dat", [420, 500, 600], "nm", "bbl = {1, 0}\n"))
    path = envi(tmp_path / "b.dat", [420, 500, 600], "nm")
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace("600}", "600, }"))
    assert wavelengths(path) == [420, 500, 600]
    assert "header" not in said(path)


def test_a_header_of_two_data_files_is_said(tmp_path: Path) -> None:
    envi(tmp_path / "a.dat", [420, 500], "nm")
    (tmp_path / "a.img").write_bytes((tmp_path / "a.dat").read_bytes())
    text = said(tmp_path / "a.hdr")
    assert "a.hdr is read as the header of a.img, guessed" in text
    assert "else a.dat" in text


def test_a_wavelength_that_two_detectors_measure_is_matched_each_to_its_own() -> None:
    waves = (850.0, 950.0, 980.0, 950.0, 980.0, 1050.0)
    bands = BandSet(tuple(Band(wavelength=w) for w in waves))
    assert bands.match(bands).order == (0, 1, 2, 3, 4, 5)
    once = BandSet(tuple(Band(wavelength=w) for w in (850.0, 950.0, 980.0, 1050.0, 1100.0, 1200.0)))
    with pytest.raises(ModelError, match="bands do not match"):
        bands.match(once)


@given(st.integers(1, 20), st.sampled_from(["B{}", "B0{}", "b{}", "band_{}", "Band {}", "sr_band{}"]))
def test_one_band_has_one_name_however_it_is_written(number: int, form: str) -> None:
    assert canonical_name(form.format(number)) == f"b{number}"


def test_names_that_mean_other_light_do_not_match() -> None:
    model = BandSet((Band("b10", 500.0), Band("b11", 503.0), Band("b12", 506.0)))
    shifted = BandSet((Band("b10", 540.0), Band("b11", 543.0), Band("b12", 546.0)))
    with pytest.raises(ModelError, match="bands do not match"):
        model.match(shifted)
    satellite = BandSet((Band("B4", 665.0, 31.0), Band("B8", 833.0, 106.0)))
    assert satellite.match(BandSet((Band("B04", 664.0), Band("B08", 842.0)))).by == "name"


def test_a_scene_that_does_not_match_is_named_with_advice_that_works(tmp_path: Path) -> None:
    path = write(tmp_path / "tonight.tif", ramp(3))
    with pytest.raises(ModelError, match=r"tonight.tif: the bands do not match: .*choose the 2 of .* with --bands"):
        open_scene(path, match=BandSet((Band("a"), Band("b"))))
    with open_scene(path, IngestOptions(bands="1,3"), BandSet((Band("a"), Band("b")))) as scene:
        assert len(scene.bands) == 2


# --- times, names, places --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "name", "time"),
    [
        ({"TIFFTAG_DATETIME": "2024:05:06 07:08:09"}, "S2A_MSIL2A_20190715T101031_N0213.tif", "2019-07-15T10:10:31Z"),
        ({"TIFFTAG_DATETIME": "2024:05:06 07:08:09"}, "a.tif", "2024-05-06T07:08:09Z"),
        ({"DATE_ACQUIRED": "2018-01-31", "TIFFTAG_DATETIME": "2024:05:06"}, "x_20200101.tif", "2018-01-31T00:00:00Z"),
        ({}, "HLS.S30.T33UUP.2020060T101010.v2.0.B02.tif", "2020-02-29T10:10:10Z"),
        ({}, "MOD09GA.A2020060.h18v04.tif", "2020-02-29T00:00:00Z"),
        ({}, "LC80340322016189LGN00_B4.TIF", "2016-07-07T00:00:00Z"),
        (
            {},
            "S2A_OPER_PRD_MSIL1C_PDMC_20160629T172626_R022_V20160628T101026_20160628T101026.tif",
            "2016-06-28T10:10:26Z",
        ),
        ({}, "x_20190231.tif", None),
        ({}, "x_20990101.tif", None),
    ],
)
def test_the_time_of_acquisition_comes_before_that_of_the_file(
    tags: dict[str, str], name: str, time: str | None
) -> None:
    assert acquired(tags, name) == time


def test_names_that_are_no_utf_8_are_read_and_shown_as_text(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tif")
    os.rename(write(tmp_path / "a.tif", ramp()), name)
    with open_scene(name) as scene:
        assert scene.key == "café"
        assert scene.read(scene.grid.window).values[0, 0, 0] == 100
    mark = Fingerprint(identify([name]), "", {})
    assert mark.inputs[0].path.endswith("café.tif")
    assert len(mark.inputs[0].sha256) == 64


@given(st.binary(min_size=1, max_size=30))
def test_every_name_becomes_text_that_can_be_written(raw: bytes) -> None:
    printable(raw.decode("utf-8", "surrogateescape")).encode("utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_a_list_of_names_is_read_in_any_encoding(encoding: str) -> None:
    assert lines_of("# list\na.tif\r\nscène été.tif\n\n".encode(encoding)) == ["a.tif", "scène été.tif"]


def test_one_file_under_two_spellings_of_its_path_is_the_same_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tif").write_bytes(b"x")
    stored = Fingerprint(identify(["./a.tif"]), "m", {}).to_json()
    assert same(Fingerprint(identify(["a.tif"]), "m", {}), stored)
    (tmp_path / "a.tif").write_bytes(b"y")
    assert not same(Fingerprint(identify(["a.tif"]), "m", {}), stored)


DEGREES = CRS.from_epsg(4326)


@pytest.mark.parametrize(
    ("grid", "kind", "bounds"),
    [
        (Grid(20, 40, DEGREES, Affine(0.5, 0, 170, 0, -0.5, 10)), "MultiPolygon", [170, 0, -170, 10]),
        (Grid(10, 10, DEGREES, Affine(1, 0, -185, 0, -1, 10)), "MultiPolygon", [175, 0, -175, 10]),
        (Grid(18, 36, DEGREES, Affine(10, 0, 0, 0, -10, 90)), "Polygon", [-180, -90, 180, 90]),
        (Grid(18, 36, DEGREES, Affine(10, 0, -180, 0, -10, 90)), "Polygon", [-180, -90, 180, 90]),
        (Grid(18, 20, DEGREES, Affine(10, 0, -90, 0, -10, 90)), "Polygon", [-90, -90, 110, 90]),
        (Grid(10, 10, DEGREES, Affine(1, 0, 10, 0, -1, 50)), "Polygon", [10, 40, 20, 50]),
    ],
)
def test_a_footprint_is_split_at_the_antimeridian_and_only_there(grid: Grid, kind: str, bounds: list[float]) -> None:
    geometry, box = footprint(grid)
    assert geometry is not None
    assert box == pytest.approx(bounds)
    assert geometry["type"] == kind
    area = shape(geometry)
    assert area.is_valid
    west, _, east, _ = area.bounds
    assert west >= -180
    assert east <= 180
    assert area.area == pytest.approx(grid.rows * grid.cols * abs(grid.transform.determinant))
    assert corners(grid) is not None


def test_a_footprint_in_metres_across_the_antimeridian_and_around_a_pole() -> None:
    geometry, box = footprint(Grid(100, 100, CRS.from_epsg(32601), Affine(10_000, 0, 100_000, 0, -10_000, 5_000_000)))
    assert geometry is not None
    assert box is not None
    assert geometry["type"] == "MultiPolygon"
    assert box[0] > 170 > -160 > box[2]
    _, polar = footprint(Grid(100, 100, CRS.from_epsg(3413), Affine(10_000, 0, -5e5, 0, -10_000, 5e5)))
    assert polar is not None
    assert (polar[0], polar[2], polar[3]) == (-180, 180, 90)


def test_the_box_around_boxes_across_the_antimeridian_is_the_small_one() -> None:
    assert box_around([[170, 0, -175, 5], [-178, -3, -170, 4]]) == [170, -3, -170, 5]
    assert box_around([[10, 0, 20, 5], [-20, -3, -10, 4]]) == [-20, -3, 20, 5]
    assert box_around([]) == [-180, -90, 180, 90]


# --- standard output -------------------------------------------------------------------------------------------------


def status(command: str, scene: Path, **environment: str) -> tuple[int, str]:
    """The exit status of `specvae COMMAND`, and what it says on standard error."""
    words = command.replace("specvae", f"'{sys.executable}' -m specvae").replace("SCENE", f"'{scene}'")
    done = subprocess.run(["bash", "-c", words], capture_output=True, env={**os.environ, **environment}, check=False)
    return done.returncode, done.stderr.decode()


def test_closed_full_and_broken_standard_output_keep_the_right_status(tmp_path: Path) -> None:
    scene = write(tmp_path / "a.tif", ramp())
    assert status("specvae inspect SCENE >&-", scene) == (0, "")
    code, text = status("specvae inspect SCENE >/dev/full", scene)
    assert code == 4
    assert text.startswith("specvae: standard output cannot be written")
    assert status("set -o pipefail; specvae inspect SCENE | true", scene) == (0, "")
    assert status("specvae inspect SCENE.none >/dev/full", scene)[0] == 4


def test_a_locale_without_utf_8_reads_names_all_the_same(tmp_path: Path) -> None:
    scene = write(tmp_path / "scène.tif", ramp())
    code, text = status("specvae inspect SCENE", scene, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (code, text) == (0, "")
