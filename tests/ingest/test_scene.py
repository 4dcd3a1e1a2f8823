"""Scenes read window by window: validity, bands, masks, grids, with planted truth."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from shapely.geometry import Point, box

from specvae.bands import Band, BandSet
from specvae.errors import InputError, ModelError, ReadError, UsageError
from specvae.ingest.formats.band_metadata import layers_of
from specvae.ingest.grid import Grid
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.area import pixel_areas
from specvae.ingest.scene.describe import description
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.windows import tile
from specvae.ingest.sources import find_sources
from specvae.spectra import Cube, Invalid, Window
from tests.raster_files import UTM, ramp, write


def read(path: Path, match: BandSet | None = None, **options: object) -> Cube:
    with open_scene(str(path), IngestOptions(**options), match) as scene:  # type: ignore[arg-type]
        return scene.read(scene.grid.window)


def notes(path: Path, **options: object) -> str:
    with open_scene(str(path), IngestOptions(**options)) as scene:  # type: ignore[arg-type]
        return " | ".join(scene.notes)


# --- validity --------------------------------------------------------------------------------------------------------


def test_nodata_in_one_band_makes_the_pixel_invalid(tmp_path: Path) -> None:
    values = ramp()
    values[1, 3, 4] = 7
    cube = read(write(tmp_path / "a.tif", values, nodata=7))
    assert cube.reason[3, 4] == Invalid.NODATA
    assert (cube.reason == 0).sum() == 40 * 50 - 1
    assert np.array_equal(cube.values, values.astype(np.float32))


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("fill", [np.nan, -3.4028234663852886e38, -9999.0, 0.1])
def test_float_nodata_is_compared_in_its_own_type(fill: float, tmp_path: Path) -> None:
    values = ramp(dtype="float32")
    values[2, 0, 0] = fill
    cube = read(write(tmp_path / "a.tif", values, nodata=fill))
    assert cube.reason[0, 0] == Invalid.NODATA
    assert (cube.reason != 0).sum() == 1


def test_nan_and_infinity_are_invalid_where_nodata_is_something_else(tmp_path: Path) -> None:
    values = ramp(dtype="float64")
    values[0, 1, 1], values[1, 2, 2], values[2, 3, 3], values[0, 4, 4] = np.nan, np.inf, -np.inf, -1
    cube = read(write(tmp_path / "a.tif", values, nodata=-1))
    assert [int(cube.reason[i, i]) for i in range(1, 5)] == [Invalid.NAN] * 3 + [Invalid.NODATA]


def test_a_value_beyond_float32_stays_finite(tmp_path: Path) -> None:
    values = ramp(dtype="float64")
    values[0, 1, 1] = 1e300
    cube = read(write(tmp_path / "a.tif", values))
    assert cube.reason[1, 1] == 0
    assert np.isfinite(cube.values).all()
    assert cube.values[0, 1, 1] == cube.values.max()


def test_a_nodata_that_the_type_cannot_hold_marks_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a", ramp(), driver="ENVI")
    with (tmp_path / "a.hdr").open("a") as header:
        header.write("data ignore value = -9999\n")
    assert read(path).valid.all()
    assert read(path, nodata="-9999").valid.all()
    assert read(path, nodata="100.5").valid.all()
    assert read(path, nodata="nan").valid.all()


def vrt_of(source: Path, path: Path, extra: str = "", reference: str | None = None, relative: int = 1) -> None:
    """A VRT of the three bands of a 40 x 50 raster."""
    name = reference or source.name
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{i}">{extra.replace("@", str(i))}<SimpleSource>'
        f'<SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><SourceBand>{i}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for i in (1, 2, 3)
    )
    path.write_text(f'<VRTDataset rasterXSize="50" rasterYSize="40">{bands}</VRTDataset>')


def test_nodata_may_differ_by_band(tmp_path: Path) -> None:
    values = ramp()
    values[:, 0, 0], values[0, 5, 5], values[1, 6, 6] = 50, 1, 1
    write(tmp_path / "a.tif", values)
    vrt_of(tmp_path / "a.tif", tmp_path / "a.vrt", "<NoDataValue>@</NoDataValue>")
    cube = read(tmp_path / "a.vrt")
    assert cube.reason[5, 5] == Invalid.NODATA  # 1 is the fill of band 1
    assert cube.reason[6, 6] == Invalid.VALID  # but not of band 2


def test_internal_and_external_masks_and_alpha_are_masks(tmp_path: Path) -> None:
    hole = np.full((40, 50), 255, np.uint8)
    hole[2, 3:5] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        internal = write(tmp_path / "internal.tif", ramp(), mask=hole)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False):
        external = write(tmp_path / "external.tif", ramp(), mask=hole)
    assert (tmp_path / "external.tif.msk").exists()
    rgba = np.concatenate([ramp(dtype="uint8"), hole[None]])
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    alpha = write(tmp_path / "alpha.tif", rgba, colorinterp=colours)
    for path in (internal, external, alpha):
        cube = read(path)
        assert cube.values.shape[0] == 3
        assert np.array_equal(cube.reason == Invalid.MASK, hole == 0)


def test_alpha_and_nodata_together_both_count(tmp_path: Path) -> None:
    rgba = np.full((4, 8, 8), 200, np.uint8)
    rgba[3, 0, 0], rgba[0, 1, 1] = 0, 9
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    cube = read(write(tmp_path / "a.tif", rgba, colorinterp=colours, nodata=9))
    assert cube.reason[0, 0] == Invalid.MASK
    assert cube.reason[1, 1] == Invalid.NODATA
    assert cube.valid.sum() == 62


def test_an_undeclared_collar_is_noted_and_taken_as_nodata_only_when_asked(tmp_path: Path) -> None:
    values = ramp(4, 100, 120)
    values[:, :, :9] = 0
    path = write(tmp_path / "a.tif", values)
    assert "0 in all bands" in notes(path)
    assert "undeclared fill" in notes(path)
    assert read(path).valid.all()
    assert (read(path, nodata="auto").reason == Invalid.NODATA).sum() == 900
    assert (read(path, nodata="0").reason == Invalid.NODATA).sum() == 900


def test_dark_pixels_inside_are_no_fill(tmp_path: Path) -> None:
    values = ramp(4, 100, 120, start=0) % 3000  # measured down to 0
    values[:, 40:60, 40:60] = 0
    path = write(tmp_path / "a.tif", values)
    assert "fill" not in notes(path)
    assert read(path, nodata="auto").valid.all()


def test_what_looks_like_fill_inside_is_said_and_never_taken_unasked(tmp_path: Path) -> None:
    values = ramp(4, 100, 120, start=3000)
    values[:, 30:70, 30:70] = 0
    path = write(tmp_path / "a.tif", values)
    assert "fill: 0 in all bands at" in notes(path)
    assert read(path, nodata="auto").valid.all()


def test_a_given_nodata_replaces_the_declared_one(tmp_path: Path) -> None:
    values = ramp()
    values[0, 1, 1], values[0, 2, 2] = 5, 6
    cube = read(write(tmp_path / "a.tif", values, nodata=5), nodata="6")
    assert cube.reason[1, 1] == 0
    assert cube.reason[2, 2] == Invalid.NODATA


def test_empty_bands_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    values = ramp(5, dtype="float32")
    values[1], values[3] = -1, np.nan
    path = write(tmp_path / "a.tif", values, ("a", "b", "c", "d", "e"), nodata=-1)
    assert "empty, no value at all): b, d" in notes(path)
    assert read(path).valid.all()
    model = BandSet((Band("a"), Band("b")))
    with pytest.raises(InputError, match=r"no value at all in b;"):
        read(path, model)


def test_of_two_reasons_the_first_in_the_list_is_counted(tmp_path: Path) -> None:
    values = ramp(dtype="float32")
    values[0, 0, 0], values[1, 0, 0] = np.nan, -1
    masked = np.zeros((1, 40, 50), np.uint8)
    masked[0, 0, :2] = 1
    mask = write(tmp_path / "m.tif", masked)
    cube = read(write(tmp_path / "a.tif", values, nodata=-1), mask=str(mask), mask_values=("1",))
    assert cube.reason[0, 0] == Invalid.NODATA
    assert cube.reason[0, 1] == Invalid.MASK


# --- bands -----------------------------------------------------------------------------------------------------------


def test_scale_and_offset_apply_by_band(tmp_path: Path) -> None:
    values = ramp(2, dtype="int16")
    cube = read(write(tmp_path / "a.tif", values, scales=(1e-4, 0.5), offsets=(-0.1, 20.0)))
    assert np.allclose(cube.values[0], values[0] * 1e-4 - 0.1, rtol=1e-6, atol=1e-6)
    assert np.allclose(cube.values[1], values[1] * 0.5 + 20, rtol=1e-6)


def test_an_envi_header_gives_wavelengths_widths_bad_bands_and_fill(tmp_path: Path) -> None:
    path = write(tmp_path / "cube", ramp(4), driver="ENVI")
    header = tmp_path / "cube.hdr"
    header.write_text(
        header.read_text() + "wavelength units = Micrometers\nwavelength = {0.45, 0.55, 1.4, 2.2}\n"
        "fwhm = {0.01, 0.01, 0.02, 0.02}\nbbl = {1, 1, 0, 1}\ndata ignore value = 100\n"
    )
    for given_path in (path, header):
        with open_scene(str(given_path)) as scene:
            assert scene.bands.wavelengths == pytest.approx((450, 550, 2200))
            assert [b.width for b in scene.bands] == pytest.approx([10, 10, 20])
            assert any("marked bad" in note for note in scene.notes)
            assert scene.read(scene.grid.window).reason[0, 0] == Invalid.NODATA


def test_the_offset_that_metadata_tell_is_applied_to_plain_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ramp(start=1200))
    with rasterio.open(path, "r+") as file:
        file.update_tags(PROCESSING_BASELINE="05.09", BOA_ADD_OFFSET="-1000")
    with open_scene(str(path)) as scene:
        assert any("offset -1000 of its metadata" in note for note in scene.notes)
        assert np.array_equal(scene.read(scene.grid.window).values, ramp(start=1200).astype(np.float32) - 1000)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (1e-4,) * 3, (-0.1,) * 3
    with open_scene(str(path)) as scene:  # applied already
        assert np.allclose(scene.read(scene.grid.window).values, ramp(start=1200) * 1e-4 - 0.1, atol=1e-6)


def test_the_imagery_domain_gives_wavelengths(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ramp(2))
    with rasterio.open(path, "r+") as file:
        for at, centre in ((1, "0.665"), (2, "0.842")):
            file.update_tags(at, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=centre, FWHM_UM="0.03")
    with open_scene(str(path)) as scene:
        assert scene.bands.wavelengths == (665, 842)
        assert scene.bands[0].width == 30


def test_bands_that_are_no_spectra_are_left_out_with_a_word(tmp_path: Path) -> None:
    names = ("B2", "SCL", "B3", "pixel_qa", "ST_B10", "cloud_mask", "Fmask")
    path = write(tmp_path / "a.tif", ramp(7), names)
    with open_scene(str(path)) as scene:
        assert scene.bands.names == ("B2", "B3")
        reasons = {row["band"]: row["why"] for row in description(scene)["left_out"]}
    assert reasons == {"SCL": "classes or flags, not spectra", "pixel_qa": "classes or flags, not spectra",
                    "ST_B10": "thermal", "cloud_mask": "classes or flags, not spectra",
                    "Fmask": "classes or flags, not spectra"}  # fmt: skip
    with open_scene(str(path), IngestOptions(bands="B3,SCL")) as scene:
        assert scene.bands.names == ("B3", "SCL")


def test_a_raster_of_classes_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no spectral band .classes or flags.*--bands"):
        open_scene(str(write(tmp_path / "a.tif", ramp(1), ("SCL",))))


@pytest.mark.parametrize(
    ("asked", "got"),
    [("b,a", [1, 0]), ("2-3", [1, 2]), ("3, 1", [2, 0]), ("A", [0]), ("500nm-600nm", [1]), ("400-1000nm", [0, 1, 2]),
     ("swir-2", [3]), ("1,1,1-2", [0, 1])],
)  # fmt: skip
def test_bands_are_chosen_by_name_number_range_or_wavelength(asked: str, got: list[int], tmp_path: Path) -> None:
    tags = {i: {"wavelength": str(w)} for i, w in enumerate((450, 550, 850, 2200), start=1)}
    values = ramp(4)
    cube = read(write(tmp_path / "a.tif", values, ("a", "b", "c", "swir-2"), band_tags=tags), bands=asked)
    assert np.array_equal(cube.values, values[got].astype(np.float32))


@pytest.mark.parametrize("asked", ["z", "0", "5", "3-9", "3-1", ",", "900nm-950nm", "-1"])
def test_bands_that_are_not_there_are_refused_with_those_that_are(asked: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ramp(3), ("blue", "green", "red"))
    with pytest.raises(UsageError, match="--bands"):
        open_scene(str(path), IngestOptions(bands=asked))


def test_a_model_gets_its_bands_in_its_order(tmp_path: Path) -> None:
    values = ramp(4)
    path = write(tmp_path / "a.tif", values, ("blue", "green", "red", "SCL"))
    with open_scene(str(path), match=BandSet((Band("red"), Band("blue")))) as scene:
        assert scene.band_match is not None
        assert scene.band_match.by == "name"
        assert np.array_equal(scene.read(Window(0, 0, 5, 5)).values, values[[2, 0], :5, :5].astype(np.float32))
    with open_scene(str(path), match=BandSet((Band("scl"), Band("blue")))) as scene:
        assert scene.bands.names == ("SCL", "blue")
    with pytest.raises(ModelError, match=r"model has 2 .nir, blue.*scene has 3 .blue, green, red"):
        open_scene(str(path), match=BandSet((Band("nir"), Band("blue"))))


def test_names_that_only_count_match_by_order_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ramp(2), ("Band 1", "Band 2"))
    with open_scene(str(path), match=BandSet((Band("red"), Band("nir")))) as scene:
        assert scene.band_match is not None
        assert scene.band_match.by == "order"
        assert any("order alone" in note for note in scene.notes)


def test_complex_values_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ramp(1, dtype="complex64"))
    with pytest.raises(InputError, match=r"complex values .complex64.; give real ones"):
        open_scene(str(path))


# --- masks -----------------------------------------------------------------------------------------------------------


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    scene = write(tmp_path / "a.tif", ramp())
    mask = write(tmp_path / "m.tif", ramp(1, 39, 50, "uint8"))
    for what in ("mask", "normal", "truth"):
        with pytest.raises(InputError, match=f"--{what} .*m.tif is 39x50 pixels, the scene is 40x50"):
            open_scene(str(scene), IngestOptions(**{what: str(mask)}))


def test_a_mask_of_the_same_ground_at_half_the_resolution_is_spread(tmp_path: Path) -> None:
    scene = write(tmp_path / "a.tif", ramp())
    classes = np.full((1, 20, 25), 4, np.uint8)
    classes[0, 3, 5], classes[0, 0, 0] = 9, 0
    mask = write(tmp_path / "T33_SCL.tif", classes, transform=UTM["transform"] * Affine.scale(2))
    cube = read(scene, mask=str(mask))
    wanted = np.zeros((40, 50), bool)
    wanted[6:8, 10:12] = wanted[:2, :2] = True
    assert np.array_equal(cube.reason == Invalid.MASK, wanted)
    assert (read(scene, mask=str(mask), mask_values=("vegetation",)).reason == 0).sum() == 8


def test_a_mask_elsewhere_is_refused(tmp_path: Path) -> None:
    scene = write(tmp_path / "a.tif", ramp())
    mask = write(tmp_path / "m.tif", ramp(1), transform=UTM["transform"] * Affine.translation(40, 0))
    with pytest.raises(InputError, match="lies elsewhere"):
        open_scene(str(scene), IngestOptions(mask=str(mask)))


def test_a_word_that_no_mask_knows_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    scene = write(tmp_path / "a.tif", ramp())
    mask = write(tmp_path / "m.tif", ramp(1))
    with pytest.raises(UsageError, match="--mask-values has 'cloud', but the mask's kind is not told"):
        open_scene(str(scene), IngestOptions(mask=str(mask), mask_values=("cloud",)))
    with pytest.raises(UsageError, match=r"scl knows .*cirrus"):
        open_scene(str(scene), IngestOptions(mask=str(mask), mask_values=("scl:fog",)))
    with pytest.raises(UsageError, match="--mask-values needs --mask"):
        IngestOptions(mask_values=("1",))


@pytest.mark.parametrize(
    ("values", "left_out"),
    [((), {0, 255}), (("1",), {1}), (("0-2", "7"), {0, 1, 2, 7}), (("bit2",), {4, 5, 6, 7}),
     (("bits:0-1",), {1, 2, 3, 5, 6, 7, 9, 10, 11}),
     (("scl",), {0, 1, 3, 8, 9, 10, 11}), (("scl:cloud", "scl:water"), {6, 8, 9}), (("qa_pixel:cloud",), {8, 9, 10, 11})],
)  # fmt: skip
def test_mask_values_are_numbers_ranges_bits_kinds_and_names(
    values: tuple[str, ...], left_out: set[int], tmp_path: Path
) -> None:
    codes = np.resize(np.arange(12, dtype=np.uint8), (1, 40, 50))
    codes[0, 0, 0] = 255
    mask = write(tmp_path / "m.tif", codes, nodata=255)
    cube = read(write(tmp_path / "a.tif", ramp()), mask=str(mask), mask_values=values)
    assert np.array_equal(cube.reason == Invalid.MASK, np.isin(codes[0], list(left_out)))


def test_masks_and_truths_pair_by_stem(tmp_path: Path) -> None:
    scene = write(tmp_path / "night.tif", ramp())
    marked = np.zeros((1, 40, 50), np.uint8)
    marked[0, 1, 1], marked[0, 2, 2] = 3, 255
    write(tmp_path / "night_truth.tif", marked)
    with open_scene(str(scene), IngestOptions(truth=str(tmp_path / "{stem}_truth.tif"))) as opened:
        truth = opened.truth(opened.grid.window)
    assert truth is not None
    assert (int(truth[1, 1]), int(truth[2, 2]), int(truth.sum())) == (1, 255, 256)


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3857"])
def test_polygons_of_any_crs_bound_what_is_used(crs: str, tmp_path: Path) -> None:
    scene = write(tmp_path / "a.tif", ramp(3, 200, 200))
    area = box(400_500, 4_999_000, 401_000, 4_999_500)
    frame = geopandas.GeoDataFrame(geometry=[area], crs="EPSG:32633").to_crs(crs)
    frame.to_file(tmp_path / "aoi.gpkg")
    cube = read(scene, aoi=str(tmp_path / "aoi.gpkg"))
    wanted = np.zeros((200, 200), bool)
    wanted[50:100, 50:100] = True
    wrong = (cube.valid != wanted).sum()
    assert wrong <= (0 if crs == "EPSG:32633" else 100)
    assert set(np.unique(cube.reason)) == {0, Invalid.OUTSIDE}


def test_polygons_as_a_mask_leave_out_what_is_inside(tmp_path: Path) -> None:
    scene = write(tmp_path / "a.tif", ramp())
    frame = geopandas.GeoDataFrame(geometry=[box(400_000, 4_999_900, 400_100, 5_000_000)], crs="EPSG:32633")
    frame.to_file(tmp_path / "clouds.geojson")
    cube = read(scene, mask=str(tmp_path / "clouds.geojson"))
    assert (cube.reason == Invalid.MASK).sum() == 100
    assert (cube.reason[:10, :10] == Invalid.MASK).all()


def test_polygons_read_by_windows_are_those_of_the_whole(tmp_path: Path) -> None:
    scene = write(tmp_path / "a.tif", ramp(1, 200, 200))
    shapes = [Point(400_300, 4_999_700).buffer(180), Point(401_100, 4_999_000).buffer(333)]
    geopandas.GeoDataFrame(geometry=shapes, crs="EPSG:32633").to_file(tmp_path / "n.geojson")
    with open_scene(str(scene), IngestOptions(normal=str(tmp_path / "n.geojson"))) as opened:
        whole = opened.normal(opened.grid.window)
        for window in tile((200, 200), (64, 64), 64 * 64, 64):
            assert np.array_equal(opened.normal(window), whole[window.slices])
    assert 0.9 < whole.sum() * 100 / (np.pi * (180**2 + 333**2)) < 1.1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("a.gpkg", b"not a database", "cannot be read as polygons"), ("none.gpkg", None, "does not exist"),
     ("m.tif", b"", "is not a vector file")],
)  # fmt: skip
def test_a_bad_aoi_is_refused_in_one_line(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    scene = write(tmp_path / "s.tif", ramp())
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_scene(str(scene), IngestOptions(aoi=str(tmp_path / name)))


def test_points_are_no_area(tmp_path: Path) -> None:
    scene = write(tmp_path / "s.tif", ramp())
    geopandas.GeoDataFrame(geometry=[Point(1, 1)], crs="EPSG:4326").to_file(tmp_path / "p.gpkg")
    with pytest.raises(InputError, match="holds no polygon"):
        open_scene(str(scene), IngestOptions(aoi=str(tmp_path / "p.gpkg")))


# --- grids -----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(
    rows=st.integers(1, 3000), cols=st.integers(1, 3000), tall=st.integers(1, 1024), wide=st.integers(1, 3000),
    target=st.integers(4096, 1 << 20),
)  # fmt: skip
def test_windows_cover_a_scene_once_on_a_64_pixel_lattice(
    rows: int, cols: int, tall: int, wide: int, target: int
) -> None:
    seen = np.zeros((rows, cols), np.uint8)
    windows = tile((rows, cols), (min(tall, rows), min(wide, cols)), target, 64)
    for window in windows:
        assert window.row % 64 == 0
        assert window.col % 64 == 0
        seen[window.slices] += 1
    assert (seen == 1).all()
    assert windows == sorted(windows)


def test_strips_are_read_whole_and_tiles_by_rows() -> None:
    strips = tile((5000, 4000), (16, 4000), 1 << 20, 64)
    assert all(w.cols == 4000 and w.row % 64 == 0 for w in strips)
    tiles = tile((5000, 4000), (512, 512), 1 << 20, 64)
    assert all(w.row % 512 == 0 and w.col % 512 == 0 for w in tiles)
    assert max(w.size for w in [*strips, *tiles]) <= 1 << 21


def test_a_window_is_the_same_as_its_part_of_the_whole_and_so_is_a_reopened_scene(tmp_path: Path) -> None:
    values = ramp(3, 150, 170, "float32")
    values[0, ::7, ::5] = -1
    path = write(tmp_path / "a.tif", values, nodata=-1, tiled=True, blockxsize=64, blockysize=64)
    with open_scene(str(path)) as scene:
        whole = scene.read(scene.grid.window)
        again = pickle.loads(pickle.dumps(scene))
        for window in (Window(3, 9, 100, 33), Window(149, 169, 1, 1)):
            for opened in (scene, again):
                part, wanted = opened.read(window), whole.crop(window)
                assert np.array_equal(part.values, wanted.values)
                assert np.array_equal(part.reason, wanted.reason)
        again.close()
        with pytest.raises(ValueError, match="does not lie inside"):
            scene.read(Window(0, 0, 151, 1))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(0.01, 0, 10, 0, -0.01, 60)), ("EPSG:4326", Affine(0.25, 0, 170, 0, -0.25, 90)),
        ("EPSG:4326", Affine(0.25, 0, -10, 0, 0.25, -20)), ("EPSG:4267", Affine(0.02, 0, -100, 0, -0.02, 45)),
    ],
)  # fmt: skip
def test_geographic_areas_are_those_of_geodesic_polygons(crs: str, transform: Affine) -> None:
    grid = Grid(60, 80, rasterio.crs.CRS.from_string(crs), transform)
    areas = pixel_areas(grid, 5, 50)
    assert areas is not None
    geod = pyproj.CRS.from_string(crs).get_geod()
    for at in (0, 20, 49):
        south, north = (transform.f + transform.e * (5 + at + i) for i in (1, 0))
        lon = np.linspace(0, transform.a, 50)  # follow the parallels closely
        ring = ([*lon, *lon[::-1]], [*np.full(50, south), *np.full(50, north)])
        assert areas[at] == pytest.approx(abs(geod.polygon_area_perimeter(*ring)[0]), rel=1e-5)


def test_projected_areas_take_the_unit_and_rotation_and_nothing_is_made_up() -> None:
    feet = rasterio.crs.CRS.from_epsg(2263)
    assert pixel_areas(Grid(5, 5, feet, Affine(10, 0, 0, 0, -10, 0)), 0, 1) == pytest.approx(100 * 0.3048006**2)
    turned = Affine.rotation(30) * Affine.scale(10, -10)
    assert pixel_areas(Grid(5, 5, rasterio.crs.CRS.from_epsg(32633), turned), 0, 1) == pytest.approx(100)
    assert pixel_areas(Grid(5, 5, None, turned), 0, 1) is None
    assert pixel_areas(Grid(5, 5, rasterio.crs.CRS.from_epsg(4326)), 0, 1) is None


@pytest.mark.parametrize(
    "transform",
    [Affine(10, 0, 0, 0, 10, 0), Affine.translation(5e5, 5e6) * Affine.rotation(20) * Affine.scale(10, -10)],
)
def test_south_up_and_rotated_rasters_keep_their_transform(transform: Affine, tmp_path: Path) -> None:
    with open_scene(str(write(tmp_path / "a.tif", ramp(), transform=transform))) as scene:
        assert scene.transform.almost_equals(transform)
        assert np.array_equal(scene.read(scene.grid.window).values, ramp().astype(np.float32))


# --- nothing on stderr -----------------------------------------------------------------------------------------------


def test_a_damaged_file_says_where_and_nothing_reaches_stderr(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.random.default_rng(0).integers(0, 9999, (3, 200, 200)).astype("uint16"),
                 compress="deflate", tiled=True, blockxsize=64, blockysize=64)  # fmt: skip
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    code = (
        "import sys; from specvae.ingest.scene.opening import open_scene\n"
        f"s = open_scene({str(path)!r})\ns.read(s.grid.window)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip().splitlines()[-1].startswith("specvae.errors.")
    assert str(path) in done.stderr.splitlines()[-1]
    assert "ERROR" not in done.stderr
    with pytest.raises((ReadError, InputError), match=r"a\.tif"):
        read(path)


def test_the_lists_of_all_bands_are_gathered_once_however_many_bands_there_are(tmp_path: Path) -> None:
    path = tmp_path / "many.tif"
    with rasterio.open(path, "w", driver="GTiff", count=40, height=4, width=4, dtype="uint8", nodata=0) as out:
        out.descriptions = [f"b{i}" for i in range(40)]
    asked: Counter[str] = Counter()

    class Counted:
        def __init__(self, dataset: Any) -> None:
            self.dataset = dataset

        def __getattr__(self, name: str) -> Any:
            asked[name] += 1
            return getattr(self.dataset, name)

    with rasterio.open(path) as dataset:
        layers = layers_of(Counted(dataset), str(path))
    assert [layer.band.name for layer in layers] == [f"b{i}" for i in range(40)]
    lists = ("descriptions", "units", "scales", "offsets", "nodatavals", "mask_flag_enums", "colorinterp")
    assert {name: asked[name] for name in lists} == dict.fromkeys(lists, 1)


def test_links_to_one_missing_file_are_a_scene_each_and_links_to_one_file_are_one(tmp_path: Path) -> None:
    write(tmp_path / "there.tif", ramp(2, 8, 8))
    for name, target in (("a.tif", "gone"), ("b.tif", "gone"), ("c.tif", "there.tif")):
        (tmp_path / name).symlink_to(tmp_path / target)
    keys = sorted(source.key for source in find_sources([str(tmp_path / "*.tif")]))
    assert len(keys) == 3
    assert keys[:2] == ["a", "b"]
