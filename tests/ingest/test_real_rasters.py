"""Every real raster: read right, by a table and by GDAL's own opinion, or refused in one clear line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import rasterio

from specvae.errors import InputError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.scene.scene import Scene
from specvae.ingest.sources import find_sources
from specvae.spectra import Invalid

ALL = "valid"


@dataclass(frozen=True)
class Expected:
    """What must happen to one source."""

    path: str
    bands: int = 0
    size: str = ""
    """``rows x cols``"""
    valid: int = -1
    invalid: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Each is in one of the scene's notes."""
    refused: str = ""
    """Pattern of the message, where it must be refused."""
    options: IngestOptions = IngestOptions()
    oracle: bool = True
    """Whether GDAL's masks of this one file are an oracle."""


NO_CRS = ("no CRS",)
AWKWARD = [
    Expected("gdal_aea_compressed.dat", 1, "3x434", 1302),
    Expected("gdal_aea_compressed.hdr", 1, "3x434", 1302, oracle=False),
    Expected("gdal_byte_gcp.tif", 1, "20x20", 400),
    Expected("gdal_complex_float32.tif", refused="complex values .*magnitude"),
    Expected("gdal_dummy_HDFEOS_with_geo_projection.h5", 1, "20x20", 400),
    Expected("gdal_envi_rgbsmall_bil.img", 3, "49x50", 2450),
    Expected("gdal_envi_rgbsmall_bil.hdr", 3, "49x50", 2450, oracle=False),
    Expected("gdal_fake_EMIT_L2A.nc", 2, "2x2", 4, notes=("location/lon",), oracle=False),
    Expected("gdal_float16.tif", 1, "20x20", 400),
    Expected("gdal_uint16_envi_bigendian.dat", 1, "20x20", 400),
    Expected("odc_no_crs_ds.tif", 1, "10x10", 100, notes=NO_CRS),
    Expected("rasterio_RGB.byte.gcp.vrt", 3, "718x791", 382405, {"nodata": 185533}),
    Expected("rasterio_RGB.byte.tif", 3, "718x791", 382405, {"nodata": 185533}),
    Expected("rasterio_RGB2.byte.tif", 3, "718x791", 382776, {"mask": 185162}),
    Expected("rasterio_all-nodata.tif", 4, "2475x71", 0, {"nodata": 175725}),
    Expected("rasterio_alpha.tif", 3, "1223x1223", 23188, {"mask": 1472541}, ("alpha",)),
    Expected("rasterio_cogeo.tif", 3, "1024x1024", 1048576),
    Expected("rasterio_corrupt.tif", refused=r"rasterio_corrupt.tif cannot be read at rows \d+ to \d+, columns"),
    Expected("rasterio_float_nan.tif", 1, "2x3", 5, {"nodata": 1}, NO_CRS),
    Expected("rasterio_float_raster_with_nodata.tif", 1, "12x13", 98, {"nodata": 58}),
    Expected("rasterio_rotated.tif", 1, "15x10", 150, notes=NO_CRS),
    Expected("rasterio_world.rgb.tif", 3, "256x512", 131072),
    Expected("riotiler_cog_nodata_nan.tif", 1, "549x549", 147316, {"nodata": 154081, "nan": 4}),
    Expected("riotiler_cog_rgb_mask.tif", 3, "232x383", 86117, {"mask": 2739}),
    Expected("riotiler_cog_scale.tif", 2, "256x256", 65530, {"nodata": 6}),
    Expected("rioxarray_test_rpcs.tif", 1, "274x232", 53052, {"nodata": 10516}),
    Expected("ukis_S2B_13band_8x9.tif", 13, "8x9", 72),
]
LANDSAT_WORDS = ("panchromatic): B8", "thermal): B10, B11", "classes or flags, not spectra): BQA", "0 is fill")
NEW_YORK = {"20180131_20180207": ("77x76", 4084, 1768), "20180405_20180417": ("77x76", 4079, 1773),
            "20180421_20180502": ("77x76", 4084, 1768), "20180710_20180717": ("77x76", 4079, 1773),
            "20180827_20180911": ("77x76", 4078, 1774), "20181030_20181115": ("77x76", 4081, 1771)}  # fmt: skip
LONG_ISLAND = "l8_toa_longisland_clouds"
ZERO = "0 in all bands at 50% of the border looks like undeclared fill"
SAFE = "S2A_MSIL1C_20180629T000241_N0206_R030_T56JMM_20180629T012042.zip"
SCENES = [
    Expected("aberystwyth/sen2_20210527_aber_10band.tif", 10, "947x930", 880710),
    Expected("coldsprings/20160707_pre_sr7.tif", 7, "177x246", 43542),
    Expected("coldsprings/20160723_post_sr7.tif", 7, "177x246", 43542),
    Expected("coldsprings_landsat8_bands/before_stacked.tif", 4, "177x246", 43542),
    Expected("coldsprings_landsat8_bands/20160707_pre", 7, "177x246", 43542, notes=("pixel_qa",), oracle=False),
    Expected("coldsprings_landsat8_bands/20160723_post", 7, "177x246", 43542, notes=("pixel_qa",), oracle=False),
    *[
        Expected(f"l8_newyork/LC08_L1TP_013032_{name}_01_T1", 8, size, valid, {"nodata": nodata}, LANDSAT_WORDS,
                 oracle=False)
        for name, (size, valid, nodata) in NEW_YORK.items()
    ],
    Expected(LONG_ISLAND, 8, "458x508", 232664, notes=(ZERO, "thermal): B10, B11"), oracle=False),
    Expected(LONG_ISLAND, 8, "458x508", 201989, {"nodata": 30675}, (ZERO,), options=IngestOptions(nodata="auto"),
             oracle=False),
    Expected(LONG_ISLAND, 8, "458x508", 201989, {"nodata": 30675}, options=IngestOptions(nodata="0"), oracle=False),
    Expected("enmap_hyperspectral/images/enmap_potsdam_tile_128_128.tif", 218, "32x32", 1024,
             notes=("marked bad in its metadata",)),
    Expected("enmap_hyperspectral/cubus_gamsberg_subset", 189, "25x10", 250, notes=NO_CRS),
    Expected("enmap_hyperspectral/Unevenly_spaced_time_series_R_terra.tif", 261, "61x101", 0, {"nodata": 6161},
             ("empty, no value at all): band 8, band 13",), oracle=False),
    Expected("rufiji_timeseries/S2_20160312.tif", 10, "140x169", 11959, {"nodata": 11701}),
    Expected("rufiji_timeseries/S2_20160829.tif", 10, "140x169"),
    Expected("sitakunda/s2_sitakunda_4band.tif", 4, "2048x1152", 920169, {"nodata": 1439127}),
    Expected("cloudmask_sentinel2.npz", 6, "512x512", 262144, notes=("rows, cols, bands",), oracle=False),
    Expected(f"sentinel2_safe/{SAFE}", 13, "439x439", 136463, {"nodata": 56258},
             ("counts / 10000", "resampled to the grid of 250.114"), oracle=False),
    Expected("l8_newyork", refused="holds 6 scenes"),
]  # fmt: skip
HAD = {"abu-airport-1": 205, "abu-beach-2": 193, "abu-urban-3": 191, "hydice-urban-21": 175, "sandiego1-58": 189}


def name_of(expected: Expected) -> str:
    suffix = f"-nodata={expected.options.nodata}" if expected.options.nodata is not None else ""
    return Path(expected.path).name + suffix


def counted(scene: Scene) -> dict[str, int]:
    """Pixels by reason, every value checked on the way."""
    counts = np.zeros(len(Invalid), np.int64)
    for window in scene.windows(1 << 18):
        cube = scene.read(window)
        assert cube.values.dtype == np.float32
        assert np.isfinite(cube.values[:, cube.valid]).all()
        counts += np.bincount(cube.reason.ravel(), minlength=len(Invalid))
    return {reason.label: int(counts[reason]) for reason in Invalid if counts[reason]}


def check(expected: Expected, folder: Path) -> None:
    path = str(folder / expected.path)
    if expected.refused:
        with pytest.raises(InputError, match=expected.refused), open_scene(path, expected.options) as scene:
            counted(scene)
        return
    with open_scene(path, expected.options) as scene:
        assert len(scene.bands) == expected.bands
        assert f"{scene.rows}x{scene.cols}" == expected.size
        counts = counted(scene)
        assert sum(counts.values()) == scene.rows * scene.cols
        if expected.valid >= 0:
            assert counts.pop("valid", 0) == expected.valid
            assert counts == expected.invalid
        for note in expected.notes:
            said = [*scene.notes, *(decision.chosen for decision in scene.decisions)]
            assert any(note in text for text in said), (note, said)
        if expected.oracle:
            check_against_gdal(scene, path)


def check_against_gdal(scene: Scene, path: str) -> None:
    """Masks, scale, offset and georeferencing are what GDAL says of the file."""
    window = scene.grid.window
    cube = scene.read(window)
    indexes = [layer.index for layer in scene.plan.layers]
    with rasterio.open(path) as file:
        raw = file.read(indexes)
        there = (file.read_masks(indexes) != 0).all(axis=0)
        finite = np.isfinite(raw).all(axis=0)
        assert np.array_equal(cube.valid, there & finite)
        scale = np.array([file.scales[i - 1] for i in indexes])[:, None, None]
        offset = np.array([file.offsets[i - 1] for i in indexes])[:, None, None]
        right = (raw.astype(np.float64) * scale + offset)[:, cube.valid]
        assert np.allclose(cube.values[:, cube.valid], right, rtol=1e-6, atol=0)
        assert scene.crs == file.crs
        assert scene.transform == file.transform
        assert len(scene.grid.gcps) == len(file.gcps[0])
        assert (scene.grid.rpcs is None) == (file.rpcs is None)


@pytest.mark.parametrize("expected", AWKWARD, ids=name_of)
def test_an_awkward_file_is_read_right_or_refused(expected: Expected, real_data: Path) -> None:
    check(expected, real_data / "awkward")


@pytest.mark.parametrize("expected", SCENES, ids=name_of)
def test_a_real_scene_is_read_right_or_refused(expected: Expected, real_data: Path) -> None:
    check(expected, real_data / "scenes")


@pytest.mark.parametrize(("name", "bands"), HAD.items())
def test_a_circulated_mat_cube_is_read_as_rows_cols_bands_with_its_map_as_truth(
    name: str, bands: int, real_layout: Path
) -> None:
    import scipy.io

    path = str(real_layout / "had" / f"{name}.mat")
    held = scipy.io.loadmat(path)
    with open_scene(path, IngestOptions(truth=path)) as scene:
        assert len(scene.bands) == bands
        cube = scene.read(scene.grid.window)
        assert np.array_equal(cube.values, np.moveaxis(held["data"], 2, 0).astype(np.float32))
        truth = scene.truth(scene.grid.window)
        assert truth is not None
        assert int((truth == 1).sum()) == int((held["map"] != 0).sum())


def test_a_world_of_648_million_pixels_in_3_megabytes_is_read_by_windows(real_data: Path) -> None:
    with open_scene(str(real_data / "awkward" / "riotiler_cog_world.tif")) as scene:
        windows = scene.windows(1 << 20)
        assert sum(w.size for w in windows) == 18000 * 36000
        assert max(w.size for w in windows) <= 4 << 20
        cube = scene.read(windows[len(windows) // 2])
        assert cube.reason.size == windows[len(windows) // 2].size


def test_every_table_of_files_covers_every_file_of_the_folder(real_data: Path) -> None:
    listed = {e.path for e in AWKWARD} | {"riotiler_cog_world.tif", "rasterio_RGB2.byte.tif.msk"}
    there = {p.name for p in (real_data / "awkward").iterdir() if not p.name.endswith((".hdr", ".xml"))}
    assert there <= listed


def test_the_folder_of_scenes_becomes_the_right_sources(real_data: Path) -> None:
    keys = {s.key for s in find_sources([str(real_data / "scenes")])}
    assert {"coldsprings/20160707_pre_sr7", "coldsprings_landsat8_bands/20160707_pre", "l8_toa_longisland_clouds",
            "l8_newyork/LC08_L1TP_013032_20180131_20180207_01_T1", "enmap_hyperspectral/cubus_gamsberg_subset",
            f"sentinel2_safe/{SAFE.removesuffix('.zip')}", "cloudmask_sentinel2"} <= keys  # fmt: skip
    assert not any("MTL" in key or "_B1" in key or "fire_boundary" in key for key in keys)


def test_wavelengths_of_enmap_and_envi_are_those_of_their_headers(real_data: Path) -> None:
    folder = real_data / "scenes" / "enmap_hyperspectral"
    with open_scene(str(folder / "images" / "enmap_potsdam_tile_96_96.tif")) as scene:
        assert scene.bands.wavelengths is not None
        assert scene.bands.wavelengths[:2] == (418.24, 423.874)
        assert scene.bands[0].width == 6.99561
        assert scene.datetime == "2022-07-24T10:45:26Z"
    with open_scene(str(folder / "cubus_gamsberg_subset")) as scene:
        assert scene.bands.wavelengths is not None
        assert scene.bands.wavelengths[0] == 426.820007
        assert scene.bands[0].width == 11.3871


def test_sentinel_2_counts_become_reflectance_with_its_wavelengths(real_data: Path) -> None:
    with open_scene(str(real_data / "scenes" / "sentinel2_safe" / SAFE), IngestOptions(bands="B4,B8A")) as scene:
        assert scene.bands.names == ("B4", "B8A")
        assert scene.bands.wavelengths == (665, 865)
        assert scene.level == "Level-1C"
        assert scene.datetime == "2018-06-29T00:02:41Z"
        cube = scene.read(scene.grid.window)
        assert float(cube.values[0][cube.valid].min()) == pytest.approx(0.0001)
        assert float(cube.values[0][cube.valid].max()) == pytest.approx(0.7351, abs=1e-4)


def test_polygons_in_three_projections_give_the_same_area_of_interest(real_data: Path) -> None:
    folder = real_data / "scenes" / "coldsprings_landsat8_bands" / "fire_boundary"
    scene = str(real_data / "scenes" / "coldsprings" / "20160723_post_sr7.tif")
    inside = []
    for path in sorted(folder.glob("*.shp")):
        with open_scene(scene, IngestOptions(aoi=str(path))) as opened:
            inside.append(opened.read(opened.grid.window).valid)
    with rasterio.open(real_data / "scenes" / "coldsprings" / "burn_mask.tif") as file:
        burnt = file.read(1) != 0
    assert len(inside) == 3
    for mask in inside:
        assert abs(int(mask.sum()) - 2560) <= 40
        assert (mask & burnt).sum() / (mask | burnt).sum() > 0.98


def test_a_truth_with_nodata_zero_still_says_normal(real_layout: Path) -> None:
    scene = str(real_layout / "scenes" / "sitakunda" / "s2_sitakunda_4band.tif")
    with open_scene(scene, IngestOptions(truth=str(real_layout / "scenes" / "sitakunda" / "labels.tif"))) as opened:
        truth = opened.truth(opened.windows(1 << 20)[0])
        assert truth is not None
        assert set(np.unique(truth)) <= {0, 1}


@pytest.mark.parametrize("values", [(), ("cloud",), ("pixel_qa:shadow",), ("bit5",), ("322",)])
def test_pixel_qa_leaves_out_what_its_bits_name(values: tuple[str, ...], real_layout: Path) -> None:
    folder = real_layout / "scenes" / "coldsprings_landsat8_bands" / "20160707_pre"
    qa = str(next(folder.glob("*pixel_qa*")))
    with rasterio.open(qa) as file:
        bits = file.read(1).astype(np.int64)
    wanted = {(): (bits & 0b111001) != 0, ("cloud",): (bits & 32) != 0, ("pixel_qa:shadow",): (bits & 8) != 0,
              ("bit5",): (bits & 32) != 0, ("322",): bits == 322}[values]  # fmt: skip
    with open_scene(str(folder), IngestOptions(mask=qa, mask_values=values)) as scene:
        cube = scene.read(scene.grid.window)
    assert 0 < wanted.sum() < wanted.size
    assert np.array_equal(cube.reason == Invalid.MASK, wanted)
