"""Quality layers that come with a product leave out what its provider's documents say, unless the options say otherwise."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

from specvae.errors import InputError
from specvae.ingest.formats import crash_guard
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.pixel_scene import PixelScene
from specvae.ingest.sources import find_sources
from specvae.spectra import Invalid, Window
from tests.raster_files import ramp, write
from tests.spectrometer_files import COLS, CUBE, ROWS, WAVES, dlr, tanager

PROFILE = {"crs": 32632, "transform": from_origin(400000, 5800000, 30, 30)}


@pytest.fixture(autouse=True)
def _no_first_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own looks at each HDF5 file first; the files here are whole."""
    monkeypatch.setattr(crash_guard, "_ending", lambda *_: "")


def opened(path: Path | str, **options: Any) -> PixelScene:
    return open_scene(str(path), IngestOptions(**options))


def masked(scene: PixelScene) -> np.ndarray:
    return scene.read(scene.grid.window).reason == Invalid.MASK


def layer(folder: Path, name: str, values: np.ndarray, nodata: float | None = 255) -> None:
    (image,) = folder.glob("*-SPECTRAL_IMAGE.TIF")
    path = Path(str(image).replace("SPECTRAL_IMAGE", f"QL_{name}"))
    write(path, values.astype("uint8").reshape(-1, ROWS, COLS), nodata=nodata, **PROFILE)


def enmap(folder: Path) -> tuple[Path, np.ndarray]:
    """An EnMAP product with a patch of each quality layer, and the pixels that they leave out."""
    dlr(folder, "ENMAP")
    expected = np.zeros((ROWS, COLS), bool)
    for at, name in enumerate(("CLOUD", "CLOUDSHADOW", "HAZE", "CIRRUS", "SNOW")):
        plane = np.zeros((ROWS, COLS))
        plane[2 * at, 3 : 9 + at] = 3 if name == "CIRRUS" else 1
        expected |= plane > 0
        layer(folder, f"QUALITY_{name}", plane)
    classes = np.ones((ROWS, COLS))
    classes[:, :5], classes[-3:] = 2, 3
    expected[-3:] = True
    layer(folder, "QUALITY_CLASSES", classes)
    layer(folder, "QUALITY_TESTFLAGS", np.full((ROWS, COLS), 7))
    layer(folder, "PIXELMASK", np.ones((len(WAVES), ROWS, COLS)))
    return folder, expected


def test_enmaps_layers_leave_out_clouds_and_more_and_the_option_takes_them_in(tmp_path: Path) -> None:
    folder, expected = enmap(tmp_path / "p")
    with opened(folder) as scene:
        assert np.array_equal(masked(scene), expected)
        part = scene.read(Window(1, 2, 9, 12))
        assert np.array_equal(part.reason == Invalid.MASK, expected[1:10, 2:14])
        assert any(
            f"leave out {expected.mean():.1%}" in note and "--product-masks none" in note for note in scene.notes
        )
        (how,) = (d for d in scene.decisions if d.about == "mask")
        assert all(
            word in how.chosen for word in ("clouds", "haze", "cirrus", "snow", "background", "QL_QUALITY_CLOUD.TIF")
        )
        assert any("not applied: PIXELMASK, QUALITY_TESTFLAGS" in note for note in scene.notes)
    with opened(folder, product_masks="none") as scene:
        assert not masked(scene).any()
        assert any("are not applied" in decision.chosen for decision in scene.decisions)


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_desis_layers_are_bands_of_one_raster(packed: bool, tmp_path: Path) -> None:
    folder = dlr(tmp_path / "p", "DESIS")
    bands, expected = np.zeros((10, ROWS, COLS)), np.zeros((ROWS, COLS), bool)
    bands[1], bands[7, :, :5], bands[8:] = 1, 1, 60
    for at in (0, 2, 3, 4, 5, 6):
        bands[at, 3 * at, 2:9] = 1
        expected[3 * at, 2:9] = True
    layer(folder, "QUALITY-2", bands, nodata=None)
    path = folder
    if packed:
        path = tmp_path / "p.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, file.name)
    with opened(path) as scene:
        assert np.array_equal(masked(scene), expected)


def test_an_image_that_is_given_alone_has_the_metadata_and_layers_beside_it(tmp_path: Path) -> None:
    folder, expected = enmap(tmp_path / "p")
    (image,) = folder.glob("*-SPECTRAL_IMAGE.TIF")
    (source,) = find_sources([str(image)])
    with open_scene(source) as scene:
        assert scene.bands.wavelengths == pytest.approx(WAVES)
        assert np.array_equal(masked(scene), expected)
        values = scene.read(scene.grid.window).values
    assert np.allclose(values, CUBE.round(4), atol=1e-6)
    used = {Path(file).name.split("Z-")[1] for file in source.files}
    assert {"SPECTRAL_IMAGE.TIF", "METADATA.XML", "QL_QUALITY_CLOUD.TIF"} <= used


@pytest.mark.parametrize("detector", ["VNIR", "SWIR"])
def test_an_image_of_one_detector_has_its_own_bands_of_the_metadata(detector: str, tmp_path: Path) -> None:
    folder = dlr(tmp_path / "p", "ENMAP")
    (image,) = folder.glob("*-SPECTRAL_IMAGE.TIF")
    part = slice(0, 5) if detector == "VNIR" else slice(5, None)
    path = Path(str(image).replace("IMAGE.TIF", f"IMAGE_{detector}.TIF"))
    write(path, (CUBE[part] * 10_000).astype("int16"), **PROFILE)
    with opened(path) as scene:
        assert scene.bands.wavelengths == pytest.approx(WAVES[part])


def test_a_layer_that_lacks_its_bands_or_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = dlr(tmp_path / "p", "DESIS")
    layer(folder, "QUALITY-2", np.zeros((2, ROWS, COLS)))
    with pytest.raises(InputError, match="has 2 bands; its product's documents name"):
        opened(folder)
    with opened(folder, product_masks="none") as scene:
        assert scene.shape == (ROWS, COLS)


def test_tanagers_planes_mark_what_is_missing_and_what_is_covered(tmp_path: Path) -> None:
    tanager(tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5", "a") as out:
        fields = out["HDFEOS/GRIDS/HYP/Data Fields"]
        fields["nodata_pixels"][:4] = 1
        cloud, cirrus = np.zeros((ROWS, COLS), "u1"), np.zeros((ROWS, COLS), "u1")
        cloud[10, 5:20], cirrus[12, :6], cloud[0] = 1, 1, 1
        fields["beta_cloud_mask"], fields["beta_cirrus_mask"] = cloud, cirrus
    with opened(tmp_path / "t.h5") as scene:
        reason = scene.read(scene.grid.window).reason
        assert (reason[:4] == Invalid.NODATA).all()
        assert (reason == Invalid.MASK).sum() == 15 + 6
        assert scene.read(Window(2, 3, 9, 5)).reason.tolist() == reason[2:11, 3:8].tolist()
        assert any("beta_cloud_mask" in note for note in scene.notes)
    with opened(tmp_path / "t.h5", product_masks="none") as scene:
        reason = scene.read(scene.grid.window).reason
        assert (reason[:4] == Invalid.NODATA).all()
        assert not (reason == Invalid.MASK).any()


def test_a_product_of_theia_is_one_scene_of_its_flat_reflectance(tmp_path: Path) -> None:
    name = "SENTINEL2A_20230715-101601-461_L2A_T33UUP_C_V3-0"
    folder = tmp_path / name
    (folder / "MASKS").mkdir(parents=True)
    for kind, add in (("FRE", 0), ("SRE", 500)):
        for at, band in enumerate(("B2", "B3", "B8A")):
            write(folder / f"{name}_{kind}_{band}.tif", ramp(1, dtype="int16", start=1000 + 10 * at + add))
    write(folder / f"{name}_ATB_R1.tif", ramp(2))
    clouds = np.zeros((1, 40, 50), "uint8")
    clouds[0, 5, 3:9] = 3
    write(folder / "MASKS" / f"{name}_CLM_R1.tif", clouds)
    (folder / f"{name}_MTD_ALL.xml").write_text("<x/>")
    (source,) = find_sources([str(tmp_path)])
    with open_scene(source) as scene:
        assert scene.bands.names == ("B2", "B3", "B8A")
        assert scene.bands.wavelengths == (492, 560, 865)
        cube = scene.read(scene.grid.window)
        assert scene.datetime == "2023-07-15T10:16:01Z"
    assert (cube.reason == Invalid.MASK).sum() == 6
    assert cube.values[0, 0, 1] == pytest.approx(0.1001)


def test_a_sentinel_3_product_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "S3A_OL_1.SEN3"
    folder.mkdir()
    (folder / "xfdumanifest.xml").write_text("<x/>")
    (folder / "Oa01_radiance.nc").write_bytes(b"CDF\x01")
    with pytest.raises(InputError, match="Sentinel-3 product in the sensor's own geometry"):
        opened(folder)


# --- masks of a user's own -------------------------------------------------------------------------------------------

CLOUD = np.zeros((1, 40, 50), "uint8")
CLOUD[0, :8] = 1


@pytest.mark.parametrize(
    ("name", "values", "nodata", "share"),
    [
        ("cloudmask", CLOUD, 0, 0.2),
        ("cloudmask", CLOUD, 1, 0.2),
        ("clear", 1 - CLOUD, 0, 0.2),
        ("cloudmask", CLOUD * 0, None, 0.0),
        ("wolkenmaske", CLOUD, None, 0.2),
        ("masque_nuages", CLOUD, None, 0.2),
        ("nodata_mask", CLOUD, None, 0.2),
        ("20180823_LEVEL2_SEN2A_QAI", CLOUD * 4, None, 0.2),
        ("20180823_LEVEL2_SEN2A_QAI", CLOUD * 8, 1, 0.2),
    ],
)
def test_what_a_mask_marks_is_left_out_whatever_nodata_it_declares(
    name: str, values: np.ndarray, nodata: float | None, share: float, tmp_path: Path
) -> None:
    scene_path, mask = write(tmp_path / "s.tif", ramp()), write(tmp_path / f"{name}.tif", values, nodata=nodata)
    with opened(scene_path, mask=str(mask)) as scene:
        assert masked(scene).mean() == pytest.approx(share)


def test_a_truth_that_calls_most_anomalous_is_said(tmp_path: Path) -> None:
    scene_path, truth = write(tmp_path / "s.tif", ramp()), write(tmp_path / "t.tif", 1 - CLOUD)
    with opened(scene_path, truth=str(truth)) as scene:
        assert any("marks as anomalous 80.0%" in note for note in scene.notes)


# --- what belongs to a scene -----------------------------------------------------------------------------------------


def test_masks_parts_and_quality_files_beside_scenes_are_passed_over(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif", "masks/a.tif", "20180823_LEVEL2_SEN2A_BOA.tif", "20180823_LEVEL2_SEN2A_QAI.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, ramp())
    with rasterio.open(tmp_path / "a.tif") as file:
        rasterio.shutil.copy(file, tmp_path / "mosaic.vrt", driver="VRT")
    sources = find_sources([str(tmp_path)])
    assert [Path(s.path).name for s in sources] == ["20180823_LEVEL2_SEN2A_BOA.tif", "b.tif", "mosaic.vrt"]
    said = " | ".join(decision.sentence for source in sources for decision in source.decisions)
    assert "passed over the folder masks" in said
    assert "passed over a.tif, guessed from mosaic.vrt, which is made of them" in said
    assert [Path(s.path).name for s in find_sources([f"{tmp_path}/*.vrt"])] == ["mosaic.vrt"]
    assert [Path(s.path).name for s in find_sources([str(tmp_path / "masks")])] == ["a.tif"]


def test_files_named_after_bands_alone_take_their_pictures_with_them(tmp_path: Path) -> None:
    for name in ("B02", "B03", "SCL", "TCI", "AOT"):
        write(tmp_path / f"{name}.jp2", ramp(1), driver="JP2OpenJPEG")
    (tmp_path / "tileInfo.json").write_text(json.dumps({}))
    (source,) = find_sources([str(tmp_path)])
    with open_scene(source) as scene:
        assert scene.bands.names == ("B2", "B3")


def test_an_index_beside_band_files_is_none_of_them_and_counts_without_metadata_are_said(tmp_path: Path) -> None:
    for name in ("B4", "B5", "NDVI"):
        write(tmp_path / f"LC09_L2SP_034032_20220707_20230221_02_T1_{name}.TIF", ramp(1))
    (source,) = find_sources([str(tmp_path)])
    with open_scene(source) as scene:
        assert scene.bands.names == ("B4", "B5")
        assert any("values are counts, for no MTL file beside them" in note for note in scene.notes)
