"""What belongs to one scene: several products in a folder, sets of band files, archives, and what is passed over."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import example, given
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin

from specvae.errors import InputError
from specvae.ingest.formats.band_sets import band_token
from specvae.ingest.formats.references import dependencies
from specvae.ingest.formats.sensors import landsat_bands, sensor_bands
from specvae.ingest.options import IngestOptions
from specvae.ingest.passed_over import beside_scenes, is_of_a_system, own_results
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from tests.raster_files import ramp, write

FIRST, SECOND = "LC08_L1TP_034032_20200229_20200822_02_T1", "LC08_L1TP_034032_20200316_20200822_02_T1"
MTL = (
    'GROUP = A\nSPACECRAFT_ID = "LANDSAT_8"\nSENSOR_ID = "OLI_TIRS"\nDATE_ACQUIRED = {day}\nSUN_ELEVATION = 30.0\n'
    "END_GROUP = A\nGROUP = LEVEL1_RADIOMETRIC_RESCALING\nREFLECTANCE_MULT_BAND_2 = 2E-05\nREFLECTANCE_ADD_BAND_2 = {add}\n"
    "REFLECTANCE_MULT_BAND_3 = 2E-05\nREFLECTANCE_ADD_BAND_3 = {add}\nEND_GROUP = B\n"
)


def product(folder: Path, name: str, add: float, day: str = "2020-02-29", start: int = 9000) -> Path:
    """A Landsat product of two bands, a quality raster and its metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, band in enumerate(("B2", "B3")):
        write(folder / f"{name}_{band}.TIF", ramp(2, start=start)[at : at + 1])
    write(folder / f"{name}_QA_PIXEL.TIF", np.full((1, 40, 50), 21824, "uint16"))
    (folder / f"{name}_MTL.txt").write_text(MTL.format(day=day, add=add))
    return folder


def chosen(path: Path | str, about: str = "files") -> str:
    with open_scene(path) as scene:
        return " | ".join(d.sentence for d in scene.decisions if d.about == about)


def test_two_products_in_a_folder_are_two_scenes_each_with_its_own_metadata(tmp_path: Path) -> None:
    product(product(tmp_path / "in", FIRST, -0.1), SECOND, -0.3, "2020-03-16")
    sources = find_sources([str(tmp_path / "in")])
    assert [s.key for s in sources] == [FIRST, SECOND]
    values, days = [], []
    for source in sources:
        with open_scene(source) as scene:
            assert scene.bands.names == ("B2", "B3")
            values.append(float(scene.read(scene.grid.window).values[0, 0, 1]))
            days.append(str(scene.datetime)[:10])
        assert {Path(p).name for p in source.files} == {
            f"{source.key}_{end}" for end in ("B2.TIF", "B3.TIF", "QA_PIXEL.TIF", "MTL.txt")
        }
    assert values == pytest.approx([(9001 * 2e-5 - 0.1) * 2, (9001 * 2e-5 - 0.3) * 2], rel=1e-5)
    assert days == ["2020-02-29", "2020-03-16"]
    # What inspect advises to name, which is no file, is a name that works.
    with open_scene(sources[1].path) as scene:
        assert str(scene.datetime).startswith("2020-03-16")


def test_band_files_by_a_glob_or_one_by_one_are_one_scene_with_the_metadata_beside(tmp_path: Path) -> None:
    folder = product(tmp_path / FIRST, FIRST, -0.1)
    with open_scene(folder) as scene:
        wanted = scene.read(scene.grid.window).values
    for patterns in ([f"{folder}/*_B?.TIF"], [str(folder / f"{FIRST}_{b}.TIF") for b in ("B2", "B3")]):
        (source,) = find_sources(patterns)
        assert source.key == FIRST
        with open_scene(source) as scene:
            np.testing.assert_array_equal(scene.read(scene.grid.window).values, wanted)
            assert any("files are the bands of one scene" in d.chosen for d in scene.decisions)


@pytest.mark.parametrize("end", ["tar", "tar.gz", "zip"])
def test_a_packed_product_reads_as_its_folder(end: str, tmp_path: Path) -> None:
    folder, packed = product(tmp_path / FIRST, FIRST, -0.1), tmp_path / f"{FIRST}.{end}"
    if end == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
                archive.writestr(f"__MACOSX/._{path.name}", b"\0\5\x16\7")
    else:
        with tarfile.open(packed, "w:gz" if end == "tar.gz" else "w") as archive_file:
            for path in folder.iterdir():
                archive_file.add(path, f"./{path.name}")
    with open_scene(folder) as there, open_scene(packed) as scene:
        window = scene.grid.window
        np.testing.assert_array_equal(scene.read(window).values, there.read(window).values)
        assert scene.datetime == there.datetime
    assert len(find_sources([str(tmp_path)])) == 2


def test_an_archive_of_two_products_is_refused_and_names_them(tmp_path: Path) -> None:
    folder = product(product(tmp_path / "in", FIRST, -0.1), SECOND, -0.3)
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    with pytest.raises(InputError, match=f"holds 2 Landsat products .{FIRST}, {SECOND}.; unpack it"):
        open_scene(tmp_path / "both.zip")


def test_an_archive_of_band_files_is_one_scene_and_one_of_two_scenes_is_not(tmp_path: Path) -> None:
    for name in ("a_B2.tif", "a_B4.tif", "b_B2.tif"):
        write(tmp_path / name, ramp(1))
    for name, members in (("one.zip", ("a_B2.tif", "a_B4.tif")), ("two.zip", ("a_B2.tif", "b_B2.tif"))):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.write(tmp_path / member, member)
    with open_scene(tmp_path / "one.zip") as scene:
        assert scene.bands.names == ("B2", "B4")
    with pytest.raises(InputError, match="holds 2 rasters; unpack it, or name one"):
        open_scene(tmp_path / "two.zip")


def granule(safe: Path, tile: str, start: int) -> Path:
    images = safe / "GRANULE" / f"S2A_OPER_MSI_L1C_TL_{tile}_N02.04" / "IMG_DATA"
    images.mkdir(parents=True)
    for band in ("B02", "B04"):
        write(images / f"S2A_OPER_MSI_L1C_TL_{tile}_{band}.tif", ramp(1, start=start))
    return images.parent


def test_the_granules_of_a_product_are_a_scene_each(tmp_path: Path) -> None:
    safe = tmp_path / "S2A_OPER_PRD_MSIL1C_PDMC_20160628T172626_R022_V20160628T101026_20160628T101026.SAFE"
    places = [granule(safe, tile, start) for tile, start in (("T32TNR", 1000), ("T32TNS", 3000))]
    (safe / "S2A_OPER_MTD_SAFL1C_PDMC_20160628T172626.xml").write_text(
        "<x><PRODUCT_START_TIME>2016-06-28T10:10:26.027Z</PRODUCT_START_TIME>"
        '<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE></x>'
    )
    sources = find_sources([str(safe)])
    assert [Path(s.key).name for s in sources] == [p.name for p in places]
    for source, start in zip(sources, (1000, 3000), strict=True):
        with open_scene(source) as scene:
            assert scene.read(scene.grid.window).values[0, 0, 0] == pytest.approx(start / 10_000)
            assert scene.datetime == "2016-06-28T10:10:26Z"
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for path in safe.rglob("*.*"):
            archive.write(path, f"{safe.name}/{path.relative_to(safe)}")
    with pytest.raises(InputError, match="holds 2 granules"):
        open_scene(tmp_path / "both.zip")


def sentinel1(folder: Path, kind: str = "grd", dtype: str = "uint16") -> Path:
    safe = folder / "S1A_IW_GRDH_1SDV_20200105T053513_20200105T053538_030665_0383C3_1D0A.SAFE"
    (safe / "measurement").mkdir(parents=True)
    (safe / "preview").mkdir()
    points = [GroundControlPoint(r, c, 10 + c / 1e4, 50 - r / 1e4) for r in (0, 40) for c in (0, 50)]
    for at, band in enumerate(("vv", "vh"), 1):
        name = f"s1a-iw-{kind}-{band}-20200105t053513-20200105t053538-030665-0383c3-00{at}.tiff"
        write(
            safe / "measurement" / name,
            ramp(1, start=100 * at).astype(dtype),
            transform=None,
            crs="EPSG:4326",
            gcps=points,
        )
    write(safe / "preview" / "quick-look.png", ramp(3).astype("uint8"), driver="PNG", crs=None, transform=None)
    (safe / "manifest.safe").write_text("<xml/>")
    return safe


def test_a_sentinel_1_product_is_one_scene_of_its_polarisations(tmp_path: Path) -> None:
    (source,) = find_sources([str(sentinel1(tmp_path))])
    with open_scene(source) as scene:
        assert scene.bands.names == ("VV", "VH")
        assert scene.datetime == "2020-01-05T05:35:13Z"
        assert scene.read(scene.grid.window).values[:, 0, 0].tolist() == [100, 200]
        assert len(scene.grid.gcps) == 4


def test_a_single_look_complex_product_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="single-look complex product; give the ground-range detected one"):
        open_scene(sentinel1(tmp_path, "slc", "int16"))


def test_hls_folders_know_their_bands_and_match_each_other_by_wavelength(tmp_path: Path) -> None:
    bands = {
        "L30": ("B02", "B03", "B04", "B05", "B06", "B07"),
        "S30": ("B02", "B03", "B04", "B05", "B8A", "B11", "B12"),
    }
    for kind, names in bands.items():
        for at, band in enumerate((*names, "Fmask", "SZA")):
            write_to = tmp_path / kind / f"HLS.{kind}.T33UUP.2020060T101010.v2.0.{band}.tif"
            write_to.parent.mkdir(exist_ok=True)
            write(write_to, ramp(1, start=1000 * (at + 1)))
    with open_scene(tmp_path / "L30") as scene:
        model = scene.bands
        assert model.names == ("B2", "B3", "B4", "B5", "B6", "B7")
        assert scene.datetime == "2020-02-29T10:10:10Z"
    with open_scene(tmp_path / "S30", match=model) as scene:
        assert scene.band_match is not None
        assert scene.band_match.by == "wavelength"
        # The near infrared of L30 is called B05; S30's of that name is the red edge, and B8A is the near infrared.
        assert scene.bands.names == ("B2", "B3", "B4", "B8A", "B11", "B12")


def test_a_capture_of_a_drone_camera_is_one_scene(tmp_path: Path) -> None:
    for capture in ("IMG_0001", "IMG_0002"):
        for lens in range(1, 6):
            write(tmp_path / f"{capture}_{lens}.tif", ramp(1, start=100 * lens))
    sources = find_sources([str(tmp_path)])
    assert [(s.key, len(s.members)) for s in sources] == [("IMG_0001", 5), ("IMG_0002", 5)]
    assert "align them first" in " ".join(d.sentence for d in sources[0].decisions if d.guessed)


ATTRIBUTES = (
    '<rdf:Description Camera:BandName="{name}" Camera:CentralWavelength="{centre}" Camera:WavelengthFWHM="{width}"/>'
)
ELEMENTS = (
    "<rdf:Description><Camera:BandName><rdf:Seq><rdf:li>{name}</rdf:li></rdf:Seq></Camera:BandName>"
    "<Camera:CentralWavelength><rdf:Seq><rdf:li>{centre}</rdf:li></rdf:Seq></Camera:CentralWavelength>"
    "<Camera:WavelengthFWHM>{width}</Camera:WavelengthFWHM></rdf:Description>"
)


@pytest.mark.parametrize("layout", [ATTRIBUTES, ELEMENTS])
def test_the_lenses_of_a_drone_camera_are_at_the_wavelengths_that_their_pictures_state(
    layout: str, tmp_path: Path
) -> None:
    lenses = (("Blue", 475, 20), ("Red edge", 717, 10), ("NIR", 842, 40))
    for lens, (name, centre, width) in enumerate(lenses, start=1):
        path = write(tmp_path / f"IMG_0001_{lens}.tif", ramp(1, start=100 * lens))
        with rasterio.open(path, "r+") as file:
            xmp = f"<x:xmpmeta>{layout.format(name=name, centre=centre, width=width)}</x:xmpmeta>"
            file.update_tags(ns="xml:XMP", **{"xml:XMP": xmp})
    with open_scene(tmp_path) as scene:
        bands = [layer.band for layer in scene.plan.layers]
    assert [(b.name, b.wavelength, b.width) for b in bands] == list(lenses)
    with open_scene(tmp_path / "IMG_0001_2.tif") as scene:
        assert scene.bands.wavelengths == (717.0,)


@pytest.mark.parametrize(
    ("name", "known"),
    [("Tahoe_B1.tif", False), ("Tuesday_B2.tif", False), ("T33UUP_20200101T101010_B02.jp2", True), ("S2B_x_B02.tif", True),
     ("Texas2020_B4.tif", False), ("HLS.S30.T33UUP.2020060T101010.v2.0.B02.tif", True)],
)  # fmt: skip
def test_wavelengths_come_from_names_of_tiles_and_satellites_alone(name: str, known: bool) -> None:
    assert bool(sensor_bands(name)) == known


def test_the_multispectral_scanner_is_no_thematic_mapper() -> None:
    scanner, mapper = landsat_bands("LM05_L1TP_1990_B1"), landsat_bands("LT05_L1TP_1990_B1")
    early = landsat_bands("LM01_L1TP_1973_B4")
    assert scanner is not None
    assert mapper is not None
    assert early is not None
    assert scanner["B1"].wavelength == early["B4"].wavelength == 550
    assert mapper["B1"].wavelength == 486
    assert "B5" not in scanner


# --- what is passed over ---------------------------------------------------------------------------------------------


def test_files_of_systems_pictures_and_masks_beside_scenes_are_passed_over(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif", "a_udm2.tif"):
        write(tmp_path / name, ramp(2))
    write(tmp_path / "preview.png", ramp(3).astype("uint8"), driver="PNG", crs=None, transform=None)
    for name in ("Thumbs.db", "desktop.ini", "notes.docx", "a.tif.sha1", "~$a.xlsx", ".DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "@eaDir" / "a.tif").mkdir(parents=True)
    write(tmp_path / "@eaDir" / "a.tif" / "THUMB.tif", ramp(3))
    for patterns in ([str(tmp_path)], [f"{tmp_path}/*"], [f"{tmp_path}/**/*.*"]):
        assert [s.key for s in find_sources(patterns)] == ["a", "b"]
    said = chosen(find_sources([str(tmp_path)])[0].path) or " | ".join(
        d.sentence for d in find_sources([str(tmp_path)])[0].decisions
    )
    assert "passed over preview.png" in said
    assert "passed over a_udm2.tif" in said


def test_pictures_and_masks_alone_are_scenes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write(tmp_path / name, ramp(3).astype("uint8"), driver="PNG", crs=None, transform=None)
    assert len(find_sources([str(tmp_path)])) == 2
    assert beside_scenes(["x_mask.tif", "y_mask.tif"]) == {}


def test_a_picture_that_a_world_file_places_is_a_scene(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", ramp(3))
    write(tmp_path / "b.png", ramp(3).astype("uint8"), driver="PNG", crs=None, transform=None)
    (tmp_path / "b.pgw").write_text("10\n0\n0\n-10\n400005\n4999995\n")
    assert [s.key for s in find_sources([str(tmp_path)])] == ["a", "b"]


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "in" / "2019").mkdir(parents=True)
    (tmp_path / "archive").mkdir()
    write(tmp_path / "in" / "2019" / "a.tif", ramp())
    write(tmp_path / "archive" / "b.tif", ramp())
    (tmp_path / "in" / "2020").symlink_to(tmp_path / "archive")
    (tmp_path / "in" / "2019" / "up").symlink_to(tmp_path / "in")
    assert [s.key for s in find_sources([str(tmp_path / "in")])] == ["2019/a", "2020/b"]


def test_results_of_our_own_are_no_scenes_and_files_beside_them_are(tmp_path: Path) -> None:
    place = tmp_path / "reports" / "night"
    place.mkdir(parents=True)
    for name in ("score.tif", "theirs.tif"):
        write(place / name, ramp(1))
    item = {"properties": {"specvae:fingerprint": {}}, "assets": {"score": {"href": "./score.tif"}}}
    (place / "item.json").write_text(json.dumps(item))
    assert own_results(str(place)) == {"score.tif"}
    for pattern in (str(tmp_path), f"{tmp_path}/**/*.tif"):
        assert [Path(s.path).name for s in find_sources([pattern])] == ["theirs.tif"]
    (place / "theirs.tif").unlink()
    with pytest.raises(InputError, match="results of specvae alone, which are no scenes"):
        find_sources([f"{tmp_path}/**/*.tif"])
    assert find_sources([str(place / "score.tif")])[0].key == "score"  # named, it is what a user wants


def test_brackets_may_belong_to_the_name_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data[2020]").mkdir()
    write(tmp_path / "data[2020]" / "a.tif", ramp())
    assert [Path(s.path).name for s in find_sources([f"{tmp_path}/data[2020]/*.tif"])] == ["a.tif"]


@given(st.text(min_size=1, max_size=20))
def test_no_name_of_a_scene_is_taken_for_one_of_a_system_by_chance(name: str) -> None:
    if name[0] not in ".~":
        assert not is_of_a_system(f"{name}.tif")


@example("Red", 1)
@given(st.from_regex(r"[A-Z][a-z]{2,8}", fullmatch=True), st.integers(1, 12))
def test_a_bands_name_is_found_behind_any_stem(stem: str, number: int) -> None:
    assert band_token(f"{stem}_B{number}.tif") == (stem, f"B{number}")


# --- the fingerprint -------------------------------------------------------------------------------------------------


def vrt(path: Path, reference: str) -> Path:
    path.write_text(
        '<VRTDataset rasterXSize="50" rasterYSize="40"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{reference}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


def test_what_a_vrt_of_a_vrt_and_a_world_file_depend_on_is_part_of_the_identity(tmp_path: Path) -> None:
    write(tmp_path / "deep.tif", ramp(1), crs=None, transform=None)
    (tmp_path / "deep.tfw").write_text("10\n0\n0\n-10\n5\n5\n")
    vrt(tmp_path / "middle.vrt", "deep.tif")
    top = vrt(tmp_path / "top.vrt", "middle.vrt")
    assert {Path(p).name for p in dependencies(str(top))} == {"middle.vrt", "deep.tif", "deep.tfw"}
    vrt(tmp_path / "middle.vrt", "top.vrt")  # a circle ends
    assert {Path(p).name for p in dependencies(str(top))} == {"middle.vrt"}


def test_what_a_mask_depends_on_is_part_of_the_identity(tmp_path: Path) -> None:
    write(tmp_path / "m.tif", ramp(1), crs=None, transform=None)
    (tmp_path / "m.tfw").write_text("10\n0\n0\n-10\n5\n5\n")
    for end in ("shp", "shx", "dbf", "prj"):
        (tmp_path / f"area.{end}").write_bytes(b"x")
    options = IngestOptions(mask=str(tmp_path / "m.tif"), aoi=str(tmp_path / "area.shp"))
    named = {p.name for p in options.companions("scene")}
    assert named == {"m.tif", "m.tfw", "area.shp", "area.shx", "area.dbf", "area.prj"}


def test_bands_at_several_resolutions_are_one_scene_at_the_finest_of_each(tmp_path: Path) -> None:
    stem = "T32TNR_20200615T101010"
    for band in ("B02", "B03"):
        write(tmp_path / f"{stem}_{band}_10m.tif", ramp(1))
    coarse = {"transform": from_origin(400_000, 5_000_000, 20, 20)}
    for band in ("B02", "B11"):
        write(tmp_path / f"{stem}_{band}_20m.tif", ramp(1, 20, 25), **coarse)
    (source,) = find_sources([tmp_path])
    assert [Path(p).name for p in source.members] == [
        f"{stem}_{end}" for end in ("B02_10m.tif", "B03_10m.tif", "B11_20m.tif")
    ]
    assert "of it too, but no band: T32TNR_20200615T101010_B02_20m.tif" in chosen(tmp_path)


def test_a_stac_item_in_a_folder_is_the_scene_of_its_assets(tmp_path: Path) -> None:
    assets = {}
    for at, name in enumerate(("blue", "red")):
        write(tmp_path / f"{name}.tif", ramp(1))
        assets[name] = {
            "href": f"./{name}.tif",
            "type": "image/tiff",
            "eo:bands": [{"name": name, "center_wavelength": 0.5 + at / 10}],
        }
    write(tmp_path / "visual.tif", ramp(3))
    assets["visual"] = {"href": "./visual.tif", "type": "image/tiff", "roles": ["visual"]}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "one", "properties": {"datetime": None}, "assets": assets}
    (tmp_path / "one.json").write_text(json.dumps(item))
    (tmp_path / "settings.json").write_text("{}")
    write(tmp_path / "other.tif", ramp(3))
    sources = find_sources([tmp_path])
    assert [Path(s.path).name for s in sources] == ["one.json", "other.tif"]
    with open_scene(sources[0]) as scene:
        assert scene.bands.wavelengths == (500.0, 600.0)


def test_projects_of_programs_beside_scenes_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", ramp())
    for name in ("map.qgz", "layer.sld", "model.rds", "track.gpx", "plot.svg", "net.pt"):
        (tmp_path / name).write_bytes(b"x")
    assert [Path(s.path).name for s in find_sources([tmp_path])] == ["a.tif"]
