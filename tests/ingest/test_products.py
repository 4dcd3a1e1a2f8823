"""Scenes of several files, containers and arrays; references, limits and names that lead astray."""

from __future__ import annotations

import json
import math
import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import scipy.io
from affine import Affine

from specvae.errors import InputError, UsageError
from specvae.ingest.formats import crash_guard
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.spectra import Cube, Invalid
from tests.raster_files import UTM, ramp, write


def read(path: Path | str, **options: object) -> Cube:
    with open_scene(str(path), IngestOptions(**options)) as scene:  # type: ignore[arg-type]
        return scene.read(scene.grid.window)


# --- Landsat ---------------------------------------------------------------------------------------------------------

ID = "LC08_L1TP_034032_20160707_20170221_01_T1"
MTL = """GROUP = L1_METADATA_FILE
  GROUP = PRODUCT_METADATA
    SPACECRAFT_ID = "LANDSAT_8"
    DATE_ACQUIRED = 2016-07-07
    SCENE_CENTER_TIME = "17:43:22.8606010Z"
  END_GROUP = PRODUCT_METADATA
  GROUP = IMAGE_ATTRIBUTES
    SUN_ELEVATION = 30.0
  END_GROUP = IMAGE_ATTRIBUTES
  GROUP = RADIOMETRIC_RESCALING
    REFLECTANCE_MULT_BAND_2 = 2.0000E-05
    REFLECTANCE_ADD_BAND_2 = -0.100000
    REFLECTANCE_MULT_BAND_3 = 2.0000E-05
    REFLECTANCE_ADD_BAND_3 = -0.100000
  END_GROUP = RADIOMETRIC_RESCALING
END_GROUP = L1_METADATA_FILE
END
"""


def landsat(folder: Path, name: str = ID, end: str = "TIF") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    values = ramp(3, dtype="uint16", start=9000)
    values[0, 0, 0], values[1, 1, 1] = 0, 65535
    for at, band in enumerate(("B2", "B3", "B10")):
        write(folder / f"{name}_{band}.{end}", values[at : at + 1])
    pan = UTM["transform"] * Affine.translation(0.25, 0.25) * Affine.scale(0.5)
    write(folder / f"{name}_B8.{end}", ramp(1, 80, 100), transform=pan)
    write(folder / f"{name}_BQA.{end}", ramp(1))
    (folder / f"{name}_MTL.txt").write_text(MTL)
    return folder


def test_a_landsat_folder_is_one_scene_in_reflectance_by_its_mtl(tmp_path: Path) -> None:
    folder = landsat(tmp_path / "scene")
    with open_scene(str(folder)) as scene:
        assert scene.bands.names == ("B2", "B3")
        assert scene.bands.wavelengths == (482, 561)
        assert scene.datetime == "2016-07-07T17:43:22Z"
        assert scene.level == "L1TP"
        cube = scene.read(scene.grid.window)
    counts = ramp(3, start=9000)[0].astype(float)
    right = (counts * 2e-5 - 0.1) / math.sin(math.radians(30))
    assert np.allclose(cube.values[0][cube.valid], right[cube.valid], rtol=1e-5)
    assert cube.reason[0, 0] == Invalid.NODATA
    assert cube.reason[1, 1] == Invalid.SATURATED
    assert cube.valid.sum() == 1998


def test_a_zipped_landsat_product_reads_as_its_folder(tmp_path: Path) -> None:
    folder = landsat(tmp_path / "scene")
    with zipfile.ZipFile(tmp_path / "in box (1).zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"inner/{path.name}")
    there, zipped = read(folder), read(tmp_path / "in box (1).zip")
    assert np.array_equal(there.values, zipped.values, equal_nan=True)
    assert np.array_equal(there.reason, zipped.reason)


@pytest.mark.parametrize("kind", ["json", "xml"])
def test_the_mtl_may_be_json_or_xml(kind: str, tmp_path: Path) -> None:
    folder = landsat(tmp_path / "scene")
    (folder / f"{ID}_MTL.txt").unlink()
    groups = {"IMAGE_ATTRIBUTES": {"SUN_ELEVATION": "30.0"},
              "LEVEL1_RADIOMETRIC_RESCALING": {f"REFLECTANCE_{k}_BAND_{i}": v for i in (2, 3)
                                               for k, v in (("MULT", "2e-5"), ("ADD", "-0.1"))}}  # fmt: skip
    if kind == "json":
        text = json.dumps({"LANDSAT_METADATA_FILE": groups})
    else:
        inner = "".join(
            f"<{g}>" + "".join(f"<{k}>{v}</{k}>" for k, v in items.items()) + f"</{g}>" for g, items in groups.items()
        )
        text = f"<LANDSAT_METADATA_FILE>{inner}</LANDSAT_METADATA_FILE>"
    (folder / f"{ID}_MTL.{kind}").write_text(text)
    assert read(folder).values[0, 0, 1] == pytest.approx((9001 * 2e-5 - 0.1) * 2, rel=1e-5)


def test_collection_2_surface_reflectance_uses_its_own_factors(tmp_path: Path) -> None:
    name = "LC09_L2SP_034032_20220707_20230221_02_T1"
    folder = tmp_path / "c2"
    folder.mkdir()
    for band in ("SR_B4", "SR_B5", "ST_B10", "QA_PIXEL", "SR_QA_AEROSOL"):
        write(folder / f"{name}_{band}.TIF", ramp(1, start=9000))
    (folder / f"{name}_MTL.txt").write_text(
        "GROUP = LEVEL2_SURFACE_REFLECTANCE_PARAMETERS\nREFLECTANCE_MULT_BAND_4 = 2.75e-05\n"
        "REFLECTANCE_ADD_BAND_4 = -0.2\nREFLECTANCE_MULT_BAND_5 = 2.75e-05\nREFLECTANCE_ADD_BAND_5 = -0.2\n"
        "END_GROUP = X\nGROUP = LEVEL1_RADIOMETRIC_RESCALING\nREFLECTANCE_MULT_BAND_4 = 2.0e-05\n"
        "REFLECTANCE_ADD_BAND_4 = -0.1\nEND_GROUP = Y\n"
    )
    with open_scene(str(folder)) as scene:
        assert scene.bands.names == ("B4", "B5")
        assert scene.read(scene.grid.window).values[0, 0, 0] == pytest.approx(9000 * 2.75e-5 - 0.2, rel=1e-5)


# --- Sentinel-2 ------------------------------------------------------------------------------------------------------


def safe(folder: Path, baseline: str, offset: int | None) -> Path:
    product = folder / "S2B_MSIL2A_20230101T000000_N0509_R001_T33UUU_20230101T010000.SAFE"
    for size, bands in ((10, ("B02", "B08")), (20, ("B05", "SCL"))):
        images = product / "GRANULE" / "L2A_X" / "IMG_DATA" / f"R{size}m"
        images.mkdir(parents=True)
        scale = Affine.scale(size // 10)
        for band in bands:
            values = ramp(1, 400 // size, 600 // size, start=2000)
            write(images / f"T33UUU_20230101_{band}_{size}m.tif", values, transform=UTM["transform"] * scale)
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{i}">{offset}</BOA_ADD_OFFSET>' for i in range(13))
    (product / "MTD_MSIL2A.xml").write_text(
        f"<x><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE><PROCESSING_LEVEL>Level-2A</PROCESSING_LEVEL>"
        f"<BOA_QUANTIFICATION_VALUE unit='none'>10000</BOA_QUANTIFICATION_VALUE>{offsets if offset else ''}</x>"
    )
    return product


@pytest.mark.parametrize(("baseline", "offset"), [("02.06", None), ("05.09", -1000)])
def test_the_offset_of_newer_baselines_is_applied(baseline: str, offset: int | None, tmp_path: Path) -> None:
    product = safe(tmp_path, baseline, offset)
    with open_scene(str(product)) as scene:
        assert scene.bands.names == ("B2", "B5", "B8")
        assert scene.shape == (40, 60)
        assert scene.level == "Level-2A"
        cube = scene.read(scene.grid.window)
        assert any("offset -1000" in note for note in scene.notes) == (offset is not None)
        assert any("resampled to the grid of 10" in note for note in scene.notes)
    assert cube.values[0, 3, 4] == pytest.approx((2000 + 3 * 60 + 4 + (offset or 0)) / 10000, rel=1e-6)


def test_bands_of_other_resolution_are_interpolated_and_crops_do_not_change_them(tmp_path: Path) -> None:
    fine = np.fromfunction(lambda b, r, c: 1000 + 10 * r + 4 * c, (1, 120, 160)).astype(np.float32)
    coarse = fine.reshape(1, 40, 3, 160, 1)[:, :, :, :, 0].mean(axis=2).reshape(1, 40, 40, 4).mean(axis=3)
    coarse[0, 20, 20] = -1
    write(tmp_path / "T1_B02.tif", fine, nodata=-1)
    write(tmp_path / "T1_B05.tif", coarse, nodata=-1, transform=UTM["transform"] * Affine.scale(4, 3))
    with open_scene(str(tmp_path)) as scene:
        assert scene.shape == (120, 160)
        cube = scene.read(scene.grid.window)
        inner = np.s_[3:57, 4:76]  # bilinear is exact on a plane, away from the edge and the hole
        assert np.allclose(cube.values[1][inner], fine[0][inner], atol=1.0)
        assert cube.reason[61, 81] == Invalid.NODATA
        assert 12 <= (cube.reason == Invalid.NODATA).sum() <= 12 * 4
        assert cube.values[1][cube.valid].min() >= coarse[coarse > 0].min() - 1
        for window in scene.windows(64 * 64):
            assert np.array_equal(scene.read(window).values, cube.crop(window).values, equal_nan=True)
    assert read(tmp_path, grid="B05").values.shape == (2, 40, 40)


def test_files_that_cover_other_ground_or_systems_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "x_B1.tif", ramp(1))
    write(tmp_path / "x_B2.tif", ramp(1, 60, 60))
    with pytest.raises(InputError, match=r"do not cover the same ground .x_B2.tif 60x60 and x_B1.tif 40x50"):
        open_scene(str(tmp_path))
    write(tmp_path / "x_B2.tif", ramp(1), crs="EPSG:32634")
    with pytest.raises(InputError, match="2 different CRSs"):
        open_scene(str(tmp_path))


def test_a_safe_without_images_or_metadata_is_refused(tmp_path: Path) -> None:
    product = safe(tmp_path, "05.09", None)
    for path in product.rglob("*.tif"):
        path.unlink()
    with pytest.raises(InputError, match="no band image in IMG_DATA"):
        open_scene(str(product))


# --- sources ---------------------------------------------------------------------------------------------------------


def test_a_glob_keeps_the_path_below_its_fixed_part(tmp_path: Path) -> None:
    for name in ("in/a/x.tif", "in/b/x.tif", "in/b/x.tif.aux.xml", "in/b/notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    assert [s.key for s in find_sources([f"{tmp_path}/in/*/*"])] == ["a/x", "b/x"]
    assert [s.key for s in find_sources([f"{tmp_path}/in/**/x.tif"])] == ["a/x", "b/x"]
    assert [s.key for s in find_sources([f"{tmp_path}/in"])] == ["a/x", "b/x"]
    assert [s.key for s in find_sources([f"{tmp_path}/in/b"])] == ["x"]
    assert [s.key for s in find_sources([f"{tmp_path}/in/b/x.tif", f"{tmp_path}/in/b/x.tif"])] == ["x"]


def test_sources_of_one_name_get_different_keys_or_are_refused(tmp_path: Path) -> None:
    for name in ("x.tif", "x.csv", "d/x.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    sources = find_sources([f"{tmp_path}/x.tif", f"{tmp_path}/x.csv"])
    assert [(s.key, s.is_table) for s in sources] == [("x_tif", False), ("x_csv", True)]
    with pytest.raises(UsageError, match="would both report to 'x"):
        find_sources([f"{tmp_path}/x.tif", f"{tmp_path}/d/x.tif"])


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("none.tif", r"none\.tif does not exist; expected a raster"),
        ("none/*.tif", r"none/\*\.tif matches no scene or table"),
        ("[", r"\[ matches no scene or table"),
        ("none?", r"none\? matches no scene or table"),
    ],
)
def test_what_names_nothing_is_refused(pattern: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        find_sources([str(tmp_path / pattern)])


@pytest.mark.parametrize("name", ["a:b.tif", "NETCDF:x.tif", "a (1).tif", "ü é 漢.tif", "a b#c?d!e.tif", "-x.tif", "[1].tif",
                                  "{stem}.tif", "%20.tif", "a'b\".tif"])  # fmt: skip
def test_odd_names_are_only_names(name: str, tmp_path: Path) -> None:
    write(tmp_path / "plain.tif", ramp())
    os.rename(tmp_path / "plain.tif", tmp_path / name)
    with open_scene(str(tmp_path / name)) as scene:
        assert np.array_equal(scene.read(scene.grid.window).values, ramp().astype(np.float32))
        assert scene.key == name.removesuffix(".tif")


def test_no_key_leads_out_of_the_output_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "x.tif", ramp())
    monkeypatch.chdir(tmp_path / "in")
    for pattern in ("../x.tif", "../*.tif", str(tmp_path / "in" / ".." / "x.tif"), "./../x.*"):
        for source in find_sources([pattern]):
            assert not source.key.startswith("/")
            assert ".." not in source.key.split("/")


# --- references and limits -------------------------------------------------------------------------------------------


def vrt(path: Path, reference: str, relative: int) -> Path:
    path.write_text(
        '<VRTDataset rasterXSize="50" rasterYSize="40"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="{relative}">{reference}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


def test_a_vrt_reads_what_lies_beside_it_and_nothing_else_unless_allowed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    secret = write(tmp_path / "secret.tif", ramp(1))
    beside = write(tmp_path / "in" / "beside.tif", ramp(1))
    assert read(vrt(tmp_path / "in" / "a.vrt", "beside.tif", 1)).valid.all()
    assert read(vrt(tmp_path / "in" / "a.vrt", str(beside), 0)).valid.all()
    for reference, relative in (("../secret.tif", 1), (str(secret), 0), ("/vsicurl/http://127.0.0.1/x.tif", 0),
                                ("http://127.0.0.1/x.tif", 0), (f"/vsizip/{secret}", 0), ("WMS:http://127.0.0.1", 0)):  # fmt: skip
        with pytest.raises(InputError, match=r"outside its own folder; allow it with --allow-remote|does not exist"):
            open_scene(str(vrt(tmp_path / "in" / "b.vrt", reference, relative)))
    assert read(vrt(tmp_path / "in" / "c.vrt", str(secret), 0), allow_remote=True).valid.all()
    vrt(tmp_path / "in" / "nested.vrt", "b2.vrt", 1)
    vrt(tmp_path / "in" / "b2.vrt", "../secret.tif", 1)
    with pytest.raises(InputError, match="outside its own folder"):
        open_scene(str(tmp_path / "in" / "nested.vrt"))
    vrt(tmp_path / "in" / "self.vrt", "self.vrt", 1)
    with pytest.raises(InputError, match=r"self.vrt"):
        open_scene(str(tmp_path / "in" / "self.vrt"))


def test_a_vrt_named_as_a_tiff_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "secret.tif", ramp(1))
    with pytest.raises(InputError, match="outside its own folder"):
        open_scene(str(vrt(tmp_path / "in" / "x.tif", "../secret.tif", 1)))
    os.symlink(tmp_path / "secret.tif", tmp_path / "in" / "link.tif")
    with pytest.raises(InputError, match="outside its own folder"):
        open_scene(str(vrt(tmp_path / "in" / "y.vrt", "link.tif", 1)))


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x.tif", "s3://bucket/x.tif", "/vsicurl/http://127.0.0.1:9/x.tif"]
)
def test_remote_addresses_need_a_flag(address: str) -> None:
    with pytest.raises(InputError, match="allow it with --allow-remote"):
        open_scene(address)


def test_absurd_claims_are_refused_unless_lifted(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    with rasterio.open(path, "w", driver="GTiff", width=200_000, height=200_000, count=1, dtype="uint8", tiled=True,
                       sparse_ok=True, bigtiff="yes", blockxsize=4096, blockysize=4096):  # fmt: skip
        pass
    assert path.stat().st_size < 1 << 20
    with pytest.raises(InputError, match=r"4e.10 pixels, more than .*--allow-huge"):
        open_scene(str(path))
    with open_scene(str(path), IngestOptions(allow_huge=True)) as scene:
        assert scene.shape == (200_000, 200_000)
    with rasterio.open(path, "w", driver="GTiff", width=60_000, height=60_000, count=3, dtype="uint16", blockysize=60_000,
                       sparse_ok=True, bigtiff="yes"):  # fmt: skip
        pass
    with pytest.raises(InputError, match=r"blocks of .* MiB|claims to hold"):
        open_scene(str(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tif", b"hello, I am text\n" * 50, "cannot be read as a raster"),
        ("a.tif", b"", "cannot be read as a raster"),
        ("a.kea", b"\x89HDF\r\n\x1a\n" + b"\0" * 500, "needs GDAL's KEA driver, which this installation lacks"),
        ("a.hdf", b"\x0e\x03\x13\x01" + b"\0" * 500, "needs GDAL's HDF4 driver"),
        ("a.sid", b"msid" + b"\0" * 500, "needs GDAL's MrSID driver"),
        ("a.hdr", b"ENVI\nsamples = 3\n", "ENVI header without its data file"),
        ("a.npy", b"\x93NUMPY\x01\x00", "cannot be read as .npy arrays"),
        ("a.npz", b"PK\x03\x04nonsense", "cannot be read as .npz arrays"),
        ("a.mat", b"MATLAB 5.0 MAT-file" + b"\0" * 200, "cannot be read as .mat arrays"),
        ("a.zip", b"PK\x03\x04nonsense", "cannot be read as a zip file"),
    ],
)
def test_what_is_no_raster_is_refused_in_one_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        open_scene(str(tmp_path / name))
    assert str(tmp_path / name) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("look", "message"),
    [
        ("import os; os.abort()", "the library that reads it crashes"),
        ("while True: pass", "does not come to an end within 1 s"),
        ("import time; time.sleep(60)", "has not come back after 1 s"),
    ],
)
def test_a_container_that_takes_its_library_down_is_refused(
    look: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_guard, "LOOK", look)
    monkeypatch.setattr(crash_guard, "PATIENCE", 1)
    monkeypatch.setattr(crash_guard, "WAIT", 1.0 if "sleep" in look else 120.0)
    (tmp_path / "a.nc").write_bytes(b"CDF\x01" + b"\0" * 100)
    with pytest.raises(InputError, match=message):
        open_scene(str(tmp_path / "a.nc"))


# --- arrays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "first"), [((6, 40, 50), True), ((40, 50, 6), False), ((32, 32, 224), False), ((224, 32, 32), True),
                         ((80, 100, 175), False), ((3, 4, 5), False)],
)  # fmt: skip
def test_the_axes_of_an_array_are_inferred_and_noted(shape: tuple[int, int, int], first: bool, tmp_path: Path) -> None:
    values = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    np.save(tmp_path / "a.npy", values)
    np.savez_compressed(tmp_path / "a.npz", cube=values, labels=np.zeros(shape[:2]))
    for end in ("npy", "npz"):
        with open_scene(str(tmp_path / f"a.{end}")) as scene:
            wanted = values if first else np.moveaxis(values, 2, 0)
            assert np.array_equal(scene.read(scene.grid.window).values, wanted.astype(np.float32))
            assert any("bands, rows, cols" in note if first else "rows, cols, bands" in note for note in scene.notes)
        scene_read = read(tmp_path / f"a.{end}", layout="bands-last" if first else "bands-first")
        assert scene_read.values.shape[0] == (shape[2] if first else shape[0])


def test_an_array_of_objects_is_refused_and_nothing_in_it_runs(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    cube = np.empty((4, 5, 6), object)
    cube[...] = Bomb()
    np.save(tmp_path / "a.npy", cube, allow_pickle=True)
    np.savez(tmp_path / "a.npz", cube=cube)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Bomb()))
    for name in ("a.npy", "a.npz", "b.npy"):
        with pytest.raises(InputError, match=name):
            open_scene(str(tmp_path / name))
    assert not (tmp_path / "ran").exists()


def test_several_cubes_need_a_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((5, 6, 3)), y=np.zeros((5, 6, 3)))
    with pytest.raises(InputError, match=r"x .5x6x3 float64., y .5x6x3 float64.; name it with --array"):
        open_scene(str(tmp_path / "a.npz"))
    assert (read(tmp_path / "a.npz", array="x").values == 1).all()
    with pytest.raises(InputError, match="no array 'z'"):
        open_scene(str(tmp_path / "a.npz"), IngestOptions(array="z"))


def test_an_array_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (100_000, 100_000, 100)}
        )
    with pytest.raises(InputError, match=r"an array of 8e.12 bytes"):
        open_scene(str(tmp_path / "a.npz"))


def test_a_mat_of_planes_is_no_scene(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"map": np.zeros((4, 5)), "name": "x"})
    with pytest.raises(InputError, match="a scene is one three-dimensional array"):
        open_scene(str(tmp_path / "a.mat"))


# --- lists beside arrays, and MATLAB 7.3 -------------------------------------------------------------------------------


def matlab_hdf5(path: Path, **arrays: np.ndarray) -> Path:
    """A file as MATLAB 7.3 writes it: HDF5 behind 512 bytes, the axes of each array reversed."""
    with h5py.File(path, "w", userblock_size=512) as out:
        for name, values in arrays.items():
            out[name] = values.T
            out[name].attrs["MATLAB_class"] = np.bytes_("char" if values.dtype == "uint16" else "double")
    head = (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM").ljust(512, b"\0")
    path.write_bytes(head + path.read_bytes()[512:])
    return path


@pytest.mark.parametrize("kind", ["npz", "mat", "mat 7.3"])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
def test_wavelengths_beside_an_array_name_its_bands_and_their_axis(
    kind: str, order: tuple[int, int, int], tmp_path: Path
) -> None:
    cube, waves = np.random.default_rng(1).random((6, 40, 50)), np.linspace(0.45, 0.9, 6)
    arrays = {"cube": np.transpose(cube, order), "wavelengths": waves[:, None], "note": np.ones((1, 4), "uint16")}
    path = tmp_path / f"a.{kind[:3]}"
    if kind == "npz":
        np.savez(path, **arrays)
    elif kind == "mat":
        scipy.io.savemat(path, arrays)
    else:
        matlab_hdf5(path, **arrays)
    with open_scene(path) as scene:
        assert scene.bands.wavelengths == pytest.approx(waves * 1000)
        assert np.allclose(scene.read(scene.grid.window).values, cube, rtol=1e-6)
        said = " | ".join(d.sentence for d in scene.decisions)
    assert "by a list of 6 wavelengths beside it" in said
    assert ("taken in reverse, by MATLAB 7.3" in said) == (kind == "mat 7.3")


def test_a_list_that_counts_or_fits_no_axis_names_no_band(tmp_path: Path) -> None:
    for waves in (np.arange(1, 7), np.linspace(450, 900, 7)):
        np.savez(tmp_path / "a.npz", cube=np.ones((40, 50, 6)), wavelength=waves)
        with open_scene(tmp_path / "a.npz") as scene:
            assert scene.bands.wavelengths is None


def test_variables_of_a_container_that_are_no_spectra_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    with scipy.io.netcdf_file(path, "w") as file:
        for name, size in (("y", 40), ("x", 50)):
            file.createDimension(name, size)
        for name in ("B02", "B03", "SCL", "AOT"):
            file.createVariable(name, "f4", ("y", "x"))[:] = np.random.default_rng(0).random((40, 50))
    with open_scene(path) as scene:
        assert scene.bands.names == ("B02", "B03")


def test_a_time_of_one_step_is_no_band_axis_and_one_of_several_is_said(tmp_path: Path) -> None:
    for steps in (1, 3):
        path = tmp_path / f"{steps}.nc"
        with scipy.io.netcdf_file(path, "w") as file:
            for name, size in (("time", steps), ("band", 4), ("y", 40), ("x", 50)):
                file.createDimension(name, size)
                file.createVariable(name, "f8", (name,))[:] = np.arange(size)
            file.createVariable("rho", "f4", ("time", "band", "y", "x"))[:] = 0.5
        with open_scene(path) as scene:
            (axes,) = (d for d in scene.decisions if d.about == "axes")
            assert len(scene.bands) == 4 * steps
            assert axes.guessed == (steps > 1)
            assert ("a scene for each step of time" in axes.sentence) == (steps > 1)
