"""Masks by their kind: classes or bits, which band, which of two values, whose coordinates; and counts that surprise."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from numpy.typing import NDArray
from shapely.geometry import box

from specvae.errors import InputError, UsageError
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.spectra import Invalid, Window
from tests.raster_files import ramp, write


def masked(scene: Path, mask: Path, *values: str, purpose: str = "mask") -> tuple[int, str]:
    """How many of the scene's 2,000 pixels a mask leaves out, and what is said."""
    options = IngestOptions(**{purpose: str(mask), "mask_values": values})  # type: ignore[arg-type]
    with open_scene(scene, options) as opened:
        reason = opened.read(opened.grid.window).reason
        code = Invalid.MASK if purpose == "mask" else Invalid.OUTSIDE
        return int((reason == code).sum()), " | ".join([*opened.notes, *(d.sentence for d in opened.decisions)])


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write(tmp_path / "scene.tif", ramp())


def plane(**parts: int) -> NDArray[Any]:
    """``(1, 40, 50)`` of zeros with rows of other values: ``r0_10=4`` is 4 in rows 0 to 9."""
    values = np.zeros((1, 40, 50), "uint8")
    for name, value in parts.items():
        first, last = map(int, name[1:].split("_"))
        values[0, first:last] = value
    return values


def test_the_classes_of_fmask_are_not_the_bits_of_hls(scene: Path, tmp_path: Path) -> None:
    classes = write(tmp_path / "x_fmask.tif", plane(r0_10=1, r10_14=2, r14_20=4), nodata=255)
    count, said = masked(scene, classes)
    assert count == 10 * 50  # shadow and cloud; water is used
    assert "read as the classes of Fmask, guessed" in said
    assert masked(scene, classes, "water")[0] == 500
    assert masked(scene, classes, "fmask_bits")[0] == 20 * 50  # 1, 2 and 4 are bits of what HLS leaves out
    bits = write(tmp_path / "y_fmask.tif", plane(r0_10=64, r10_14=66, r14_20=72))
    count, said = masked(scene, bits)
    assert count == 10 * 50  # cloud and shadow, whatever the aerosol
    assert "read as the bits of HLS's Fmask, by its values" in said
    few = write(tmp_path / "HLS.L30.T33UUP.2020060T101010.v2.0.Fmask.tif", plane(r0_10=2))
    assert "read as the bits of HLS's Fmask, by its name" in masked(scene, few)[1]


def test_the_band_of_a_stack_is_chosen_by_its_name(scene: Path, tmp_path: Path) -> None:
    stack = np.concatenate([ramp(3), plane(r0_10=9, r10_40=4).astype("uint16")])
    path = write(tmp_path / "stack.tif", stack, ("B2", "B3", "B4", "SCL"))
    for values in ((), ("scl:cloud",), ("cloud",)):
        count, said = masked(scene, path, *values)
        assert count == 500, values
        assert "is read from its band 4, SCL" in said
    nameless = write(tmp_path / "nameless.tif", stack)
    with pytest.raises(InputError, match=r"has 4 bands .*gdal_translate -b N"):
        open_scene(scene, IngestOptions(mask=str(nameless)))
    with pytest.raises(InputError, match="not one called qa_pixel"):
        open_scene(scene, IngestOptions(mask=str(path), mask_values=("qa_pixel:cloud",)))


def test_the_clear_band_of_usable_data_masks_is_their_mask(scene: Path, tmp_path: Path) -> None:
    bands = np.concatenate([1 - plane(r0_4=1), plane(r0_4=1), plane()])
    path = write(tmp_path / "x_udm2.tif", bands, ("clear", "cloud", "shadow"))
    assert masked(scene, path)[0] == 200


@pytest.mark.parametrize(("rows", "count"), [(4, 200), (36, 200)])
def test_a_mask_of_clouds_leaves_out_the_smaller_part_and_says_so(
    rows: int, count: int, scene: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "clouds.tif", plane(**{f"r0_{rows}": 1}))
    left_out, said = masked(scene, path)
    assert left_out == count
    assert "guessed from its name and its shares" in said
    assert masked(scene, path, "1")[0] == rows * 50


def test_a_mask_of_clouds_in_half_of_the_scene_is_refused_with_the_option(scene: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.tif", plane(r0_20=1))
    with pytest.raises(InputError, match=r"cannot be told .*; say it with --mask-values 0 or 1"):
        open_scene(scene, IngestOptions(mask=str(path)))
    assert masked(scene, path, "1")[0] == 1000


def test_a_mask_that_leaves_out_most_or_none_is_said(scene: Path, tmp_path: Path) -> None:
    count, said = masked(scene, write(tmp_path / "m.tif", plane(r0_1=1)))
    assert count == 39 * 50  # 0 is left out: what the help says of a mask of no known kind
    assert "leaves out 97.5% of the 2,000 pixels looked at" in said
    assert "say --mask-values 1" in said
    none, said = masked(scene, write(tmp_path / "all.tif", plane() + 1))
    assert none == 0
    assert "leaves out none of the 2,000 pixels looked at" in said


def geojson(path: Path, west: float, south: float, east: float, north: float) -> Path:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    features = [{"type": "Feature", "properties": {}, "geometry": geometry}]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_geojson_without_a_crs_in_other_units_than_degrees_is_in_the_scenes(scene: Path, tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", 400_000, 4_999_900, 400_100, 5_000_000)
    count, said = masked(scene, path)
    assert count == 100
    assert "is in the scene's coordinates, guessed from its numbers" in said
    frame = geopandas.GeoDataFrame(geometry=[box(400_000, 4_999_900, 400_100, 5_000_000)], crs="EPSG:32633")
    frame.to_crs("EPSG:4326").to_file(tmp_path / "b.geojson")
    count, said = masked(scene, tmp_path / "b.geojson")
    assert count == 100
    assert "guessed" not in said


@pytest.mark.parametrize("purpose", ["mask", "aoi", "normal", "truth"])
def test_polygons_that_touch_nothing_are_said(purpose: str, scene: Path, tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", 500_000, 4_999_900, 500_100, 5_000_000)
    assert "see whether it touches the scene" in masked(scene, path, purpose=purpose)[1]


def test_a_zipped_shapefile_is_read_and_a_zip_of_two_is_refused(scene: Path, tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(geometry=[box(400_000, 4_999_900, 400_100, 5_000_000)], crs="EPSG:32633")
    for name in ("area", "other"):
        frame.to_file(tmp_path / f"{name}.shp")
    for name, stems in (("area.zip", ("area",)), ("both.zip", ("area", "other"))):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for stem in stems:
                for path in tmp_path.glob(f"{stem}.*"):
                    if path.suffix != ".zip":
                        archive.write(path, path.name)
            archive.writestr("__MACOSX/._area.shp", b"\0\5\x16\7")
    assert masked(scene, tmp_path / "area.zip")[0] == 100
    with pytest.raises(InputError, match="holds 2 vector files"):
        open_scene(scene, IngestOptions(aoi=str(tmp_path / "both.zip")))


@pytest.mark.parametrize(("full", "dtype", "option"), [(100, "uint8", "--mask-values 40-100"), (1, "float32", "")])
def test_probabilities_of_clouds_leave_out_what_is_likely(
    full: float, dtype: str, option: str, scene: Path, tmp_path: Path
) -> None:
    share = plane(r0_10=90, r10_20=30, r20_25=40) * (full / 100)
    count, said = masked(scene, write(tmp_path / "MSK_CLDPRB_20m.tif", share.astype(dtype)))
    assert count == 15 * 50  # 90 and 40 per cent; where it says 0, nothing is left out
    assert f"its numbers are probabilities, of which those from {0.4 * full:g} on are left out, guessed" in said
    assert option in said


def test_a_mask_of_clouds_in_several_classes_leaves_out_all_but_the_most(scene: Path, tmp_path: Path) -> None:
    count, said = masked(scene, write(tmp_path / "cloudmask.tif", plane(r0_5=1, r5_10=2)))
    assert count == 10 * 50
    assert "what is not 0 is left out, guessed" in said
    other = write(tmp_path / "other.tif", plane(r0_5=1, r5_10=2))
    count, said = masked(scene, other)
    assert count == 30 * 50  # a mask without a word in its name is GDAL's
    assert "0 is left out, guessed" in said


def test_a_mask_in_another_zone_lies_elsewhere_and_one_in_other_words_for_the_crs_does_not(
    scene: Path, tmp_path: Path
) -> None:
    good = plane(r0_40=1)
    with pytest.raises(InputError, match="lies elsewhere"):
        masked(scene, write(tmp_path / "zone.tif", good, crs="EPSG:32634"))
    same = "+proj=tmerc +lat_0=0 +lon_0=15 +k=0.9996 +x_0=500000 +y_0=0 +datum=WGS84 +units=m +no_defs"
    assert masked(scene, write(tmp_path / "words.tif", good, crs=same))[0] == 0


def test_the_first_of_several_layers_is_read_and_said(scene: Path, tmp_path: Path) -> None:
    for layer, left in (("north", 400_000), ("south", 400_400)):
        shape = box(left, 4_999_600, left + 100, 5_000_000)
        geopandas.GeoDataFrame(geometry=[shape], crs="EPSG:32633").to_file(tmp_path / "a.gpkg", layer=layer)
    count, said = masked(scene, tmp_path / "a.gpkg")
    assert count == 10 * 40
    assert "is read from its layer north, guessed from its being the first; else south" in said


def test_a_truth_of_0_and_255_has_anomalies_and_one_of_all_is_said(scene: Path, tmp_path: Path) -> None:
    options = IngestOptions(truth=str(write(tmp_path / "t.tif", plane(r0_4=255))))
    with open_scene(scene, options) as opened:
        assert any("255 is anomalous, guessed from its values, 0 and 255 alone" in note for note in opened.notes)
    every = IngestOptions(truth=str(write(tmp_path / "u.tif", plane(r0_40=1))))
    with open_scene(scene, every) as opened:
        assert any("marks as anomalous 100.0% of the 2,000 pixels" in note for note in opened.notes)


def test_a_buffer_leaves_out_what_lies_near_a_mask_in_whatever_windows(scene: Path, tmp_path: Path) -> None:
    marks = np.ones((1, 40, 50), "uint8")
    marks[0, 10, 20] = marks[0, 39, 0] = 0
    mask = write(tmp_path / "clear.tif", marks)
    expected = np.zeros((40, 50), bool)
    expected[8:13, 18:23] = expected[37:, :3] = True
    with open_scene(scene, IngestOptions(mask=str(mask), mask_buffer=2)) as opened:
        whole = opened.read(opened.grid.window).reason
        np.testing.assert_array_equal(whole == Invalid.MASK, expected)
        for row in range(0, 40, 5):
            window = Window(row, 7, 5, 16)
            np.testing.assert_array_equal(opened.read(window).reason, whole[window.slices])
    with open_scene(scene, IngestOptions(mask=str(mask), mask_buffer=0)) as opened:
        assert (opened.read(opened.grid.window).reason == Invalid.MASK).sum() == 2


def test_a_buffer_needs_a_mask_and_a_number_of_pixels(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--mask-buffer needs --mask"):
        IngestOptions(mask_buffer=2)
    for pixels in (-1, 65, "wide"):
        with pytest.raises(UsageError, match=f"--mask-buffer is {pixels}; give 0 to 64 pixels"):
            IngestOptions(mask="m.tif", mask_buffer=pixels)
    assert "mask_buffer" not in IngestOptions(mask="m.tif").to_json(), "results of before stay done"
    assert IngestOptions(mask="m.tif", mask_buffer="2").to_json()["mask_buffer"] == 2
    assert IngestOptions(mask_buffer=0).to_json()["mask_buffer"] == 0, "the decision that is turned off is a setting"
    assert IngestOptions(before="b.tif", mask="m.tif", mask_buffer=2).of_earlier().mask_buffer == "auto"
