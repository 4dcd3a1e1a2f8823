"""Zarr stores: EOPF's Sentinel-2 as its SAFE, GeoZarr and plain cubes, and stores that must not be trusted."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rasterio.crs import CRS

from specvae.errors import InputError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.spectra import Invalid, Window
from tests.raster_files import UTM, ramp, write

zarr = pytest.importorskip("zarr")
STAC = {"properties": {"datetime": "2025-06-10T10:36:41Z", "proj:epsg": 32633, "processing:level": "L2A"}}


def add(group: Any, name: str, values: NDArray[Any], dims: tuple[str, ...], **attributes: Any) -> Any:
    """An array in either version of Zarr with the names of its dimensions."""
    version = group.metadata.zarr_format
    chunks = tuple(min(16, n) for n in values.shape)
    more: dict[str, Any] = {"dimension_names": dims} if version == 3 else {}
    array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=chunks, **more)
    array[...] = values
    array.attrs.update({**attributes, **({"_ARRAY_DIMENSIONS": list(dims)} if version == 2 else {})})
    return array


def coordinates(group: Any, rows: int, cols: int, size: float, names: tuple[str, str] = ("y", "x")) -> None:
    x, y = 400_000 + size * (np.arange(cols) + 0.5), 5_000_000 - size * (np.arange(rows) + 0.5)
    add(group, names[0], y, (names[0],))
    add(group, names[1], x, (names[1],))


def eopf(folder: Path, version: int = 2) -> tuple[Path, dict[str, NDArray[Any]]]:
    """A product of Sentinel-2 as EOPF lays it out, and its counts by band."""
    place = folder / "S2C_MSIL2A_20250610T103641_N0511_R008_T33UUP_20250610T132001.zarr"
    root = zarr.open_group(place, mode="w", zarr_format=version)
    root.attrs.update({"stac_discovery": STAC, "other_metadata": {"horizontal_CRS_code": "EPSG:32633"}})
    counts: dict[str, NDArray[Any]] = {}
    for size, bands in ((10, ("b02", "b08")), (20, ("b02", "b05"))):
        rows, cols = 400 // size, 600 // size
        group = root.require_group(f"measurements/reflectance/r{size}m")
        coordinates(group, rows, cols, size)
        for at, band in enumerate(bands):
            values = ramp(1, rows, cols, start=2000 + 50 * at)[0]
            values[3, 4] = 0
            add(group, band, values, ("y", "x"), scale_factor=0.0001, add_offset=-0.1, _FillValue=0)
            if band != "b02" or size == 10:
                counts[band] = values
    mask = np.zeros((40, 60), "uint8")
    mask[10, 11], mask[10, 12], mask[10, 13] = 4, 16, 64  # packets lost, defective, corrected in part
    add(root.require_group("quality/mask/r10m"), "b02", mask, ("y", "x"))
    add(root.require_group("conditions/mask/l2a_classification/r20m"), "scl", np.full((20, 30), 4, "uint8"), ("y", "x"))
    if version == 2:
        zarr.consolidate_metadata(place)
    return place, counts


@pytest.mark.parametrize("version", [2, 3])
def test_an_eopf_product_is_one_scene_in_reflectance(version: int, tmp_path: Path) -> None:
    place, counts = eopf(tmp_path, version)
    (source,) = find_sources([str(tmp_path)])
    assert Path(source.path) == place
    with open_scene(source) as scene:
        assert scene.bands.names == ("B2", "B5", "B8")
        assert scene.bands.wavelengths == (492, 704, 833)
        assert scene.shape == (40, 60)
        assert scene.crs == CRS.from_epsg(32633)
        assert scene.transform == UTM["transform"]
        assert scene.datetime == "2025-06-10T10:36:41Z"
        assert scene.level == "L2A"
        cube = scene.read(scene.grid.window)
        assert [layer.band.name for layer in scene.plan.product.layers if layer.left_out] == ["SCL"]
        for window in (Window(0, 0, 7, 9), Window(5, 30, 20, 30), Window(39, 59, 1, 1)):
            np.testing.assert_array_equal(scene.read(window).values, cube.crop(window).values)
    assert cube.reason[3, 4] == Invalid.NODATA
    assert cube.reason[10, 11:14].tolist() == [Invalid.MASK, Invalid.MASK, Invalid.VALID]
    valid = cube.valid
    np.testing.assert_allclose(cube.values[0][valid], (counts["b02"] * 1e-4 - 0.1)[valid], atol=1e-6)


def test_bands_at_another_resolution_are_interpolated_as_gdal_does(tmp_path: Path) -> None:
    place, counts = eopf(tmp_path / "in")
    folder = tmp_path / "tif"
    folder.mkdir()
    write(folder / "T33UUP_B02.tif", counts["b02"][None], nodata=0)
    coarse = UTM["transform"] * type(UTM["transform"]).scale(2)
    write(folder / "T33UUP_B05.tif", counts["b05"][None], nodata=0, transform=coarse)
    with open_scene(place) as one, open_scene(folder) as other:
        got, want = one.read(one.grid.window), other.read(other.grid.window)
    inner = np.s_[12:38, 12:58]  # away from the missing pixel, whose neighbours GDAL weighs in its own way
    np.testing.assert_allclose(got.values[1][inner], want.values[1][inner] * 1e-4 - 0.1, atol=1.01e-4)


def test_a_cube_by_the_names_of_its_dimensions(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "cube.zarr", mode="w", zarr_format=3)
    values = ramp(5, 33, 41, "float32", start=1)
    add(root, "reflectance", values, ("wavelength", "y", "x"), units="1", grid_mapping="spatial_ref")
    add(root, "wavelength", np.linspace(0.45, 0.85, 5), ("wavelength",), units="um")
    add(root, "spatial_ref", np.zeros(1, "int32"), ("one",), crs_wkt=CRS.from_epsg(32633).to_wkt())
    coordinates(root, 33, 41, 10)
    with open_scene(tmp_path / "cube.zarr") as scene:
        assert scene.bands.wavelengths == (450, 550, 650, 750, 850)
        assert scene.crs == CRS.from_epsg(32633)
        assert scene.transform == UTM["transform"]
        np.testing.assert_array_equal(scene.read(scene.grid.window).values, values)


def test_geozarr_is_read_at_its_finest_level_by_the_conventions(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "geo.zarr", mode="w", zarr_format=3)
    for level, step in (("r10m", 1), ("r20m", 2)):
        group = root.create_group(level)
        group.attrs.update(
            {"proj:code": "EPSG:32633", "spatial:transform": [10 * step, 0, 400_000, 0, -10 * step, 5_000_000]}
        )
        for name in ("red", "nir"):
            add(group, name, ramp(1, 40, 60)[0][::step, ::step], ("y", "x"))
        add(group, "quality_mask", np.zeros((40 // step, 60 // step), "uint8"), ("y", "x"))
    with open_scene(tmp_path / "geo.zarr") as scene:
        assert scene.bands.names == ("nir", "red")
        assert scene.shape == (40, 60)
        assert scene.crs == CRS.from_epsg(32633)
        assert scene.transform == UTM["transform"]


def test_a_zipped_store_is_read_and_one_in_a_folder_of_the_zip_is_refused(tmp_path: Path) -> None:
    place, _ = eopf(tmp_path / "in")
    for name, below in (("flat.zarr.zip", ""), ("nested.zip", "x.zarr/")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for path in place.rglob("*"):
                if path.is_file():
                    archive.write(path, f"{below}{path.relative_to(place)}")
    with open_scene(place) as there, open_scene(tmp_path / "flat.zarr.zip") as scene:
        window = Window(0, 0, 12, 20)
        np.testing.assert_array_equal(scene.read(window).values, there.read(window).values)
    with pytest.raises(InputError, match="in a folder of its own; unpack it"):
        open_scene(tmp_path / "nested.zip")


def test_a_codec_that_may_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.mkdir, (ran,)  # type: ignore[return-value]

    root = zarr.open_group(tmp_path / "bomb.zarr", mode="w", zarr_format=2)
    for name in ("red", "nir"):
        add(root, name, ramp(1, 16, 16)[0], ("y", "x"))
        meta = json.loads((tmp_path / "bomb.zarr" / name / ".zarray").read_text())
        meta.update(compressor=None, filters=[{"id": "pickle", "protocol": 5}])
        (tmp_path / "bomb.zarr" / name / ".zarray").write_text(json.dumps(meta))
        (tmp_path / "bomb.zarr" / name / "0.0").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(
        InputError, match=r"packed by pickle, which is not unpacked here|cannot be read as a Zarr store"
    ):
        open_scene(tmp_path / "bomb.zarr")
    assert not ran.exists()


@pytest.mark.parametrize("dims", [(), ("a", "b")])
def test_arrays_without_named_rows_and_columns_are_refused(dims: tuple[str, ...], tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    add(root, "data", ramp(1)[0], dims)
    with pytest.raises(InputError, match="expected dimensions y and x"):
        open_scene(tmp_path / "a.zarr")


def test_a_store_that_claims_more_pixels_than_any_scene_is_refused(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    root.create_array("red", shape=(200_000, 200_000), dtype="uint8", chunks=(4096, 4096), dimension_names=("y", "x"))
    with pytest.raises(InputError, match=r"claims 4e.10 pixels"):
        open_scene(tmp_path / "a.zarr")


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    place, _ = eopf(tmp_path)
    (place / "measurements" / "reflectance" / "r10m" / "b02" / "1.1").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"r10m/b02 cannot be read at row 0, column 0"):
        open_scene(place)


def test_bands_of_an_eopf_product_without_names_of_dimensions_have_no_place(tmp_path: Path) -> None:
    place, _ = eopf(tmp_path)
    for path in place.rglob(".zattrs"):
        said = json.loads(path.read_text())
        said.pop("_ARRAY_DIMENSIONS", None)
        path.write_text(json.dumps(said))
    for path in place.rglob(".zmetadata"):
        path.unlink()
    with open_scene(place, IngestOptions(bands="B2,B8")) as scene:
        assert scene.bands.names == ("B2", "B8")
        assert not scene.grid.placed


@pytest.mark.parametrize(
    "order", [("y", "x", "wavelength"), ("y", "wavelength", "x"), ("x", "y", "wavelength")], ids="-".join
)
@pytest.mark.parametrize("version", [2, 3])
def test_a_cube_is_read_whatever_the_order_of_its_dimensions(
    order: tuple[str, ...], version: int, tmp_path: Path
) -> None:
    values = ramp(5, 20, 30).astype("f4")
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    coordinates(root, 20, 30, 10.0)
    add(root, "wavelength", np.linspace(450.0, 850.0, 5), ("wavelength",), units="nm")
    stored = np.transpose(values, [("wavelength", "y", "x").index(name) for name in order])
    add(root, "refl", stored, order)
    with open_scene(str(tmp_path / "a.zarr")) as scene:
        assert scene.bands.wavelengths == (450, 550, 650, 750, 850)
        assert scene.transform[:6] == (10, 0, 400_000, 0, -10, 5_000_000)
        assert np.array_equal(scene.read(scene.grid.window).values, values)
        assert np.array_equal(scene.read(Window(3, 5, 7, 11)).values, values[:, 3:10, 5:16])
    with open_scene(str(tmp_path / "a.zarr"), IngestOptions(bands="4,2")) as scene:
        assert np.array_equal(scene.read(scene.grid.window).values, values[[3, 1]])
