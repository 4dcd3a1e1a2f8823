"""Layers that come beside bands and scenes: quality bits, masks without a rule, labels that deny, parts of products."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from specvae.errors import InputError
from specvae.ingest.formats.band_metadata import band_from_tags
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.sources import find_sources
from specvae.ingest.table.labels import normal_words
from specvae.spectra import Invalid
from tests.raster_files import ramp, write

CLEAR = 1 << 3
"""Land, in MODIS's bits 3 to 5: no cloud, no shadow."""


def left_out(folder: Path, name: str, mask: np.ndarray, values: tuple[str, ...] = ()) -> np.ndarray:
    write(folder / "scene.tif", ramp(3, *mask.shape))
    write(folder / name, mask[None])
    options = IngestOptions(mask=str(folder / name), mask_values=values)
    with open_scene(str(folder / "scene.tif"), options) as scene:
        return scene.read(scene.grid.window).reason == Invalid.MASK


@pytest.mark.parametrize("name", ["MOD09GA_state_1km.tif", "scene_StateQA.tif", "sur_refl_state_500m.tif"])
def test_the_state_of_modis_leaves_out_what_its_bits_mark(tmp_path: Path, name: str) -> None:
    state = np.full((8, 10), CLEAR, "u2")
    marked = {0: 1, 1: 2, 2: 1 << 2, 3: 2 << 8, 4: 1 << 12, 5: 1 << 13}
    for row, bits in marked.items():
        state[row] |= bits
    state[6] |= 3 | 1 << 8 | 1 << 11 | 2 << 6  # not set, a little cirrus, a fire, aerosol: used
    expected = np.zeros(state.shape, bool)
    expected[: len(marked)] = True
    np.testing.assert_array_equal(left_out(tmp_path, name, state), expected)


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        (("cloud",), [0, 1]),
        (("mixed",), [1]),
        (("cirrus",), [3]),
        (("fill",), [7]),
        (("fire",), [6]),
        (("bit12",), [4, 7]),
    ],
)
def test_the_state_of_modis_is_chosen_by_name(tmp_path: Path, values: tuple[str, ...], rows: list[int]) -> None:
    state = np.full((8, 10), CLEAR, "u2")
    for row, bits in {0: 1, 1: 2, 2: 1 << 2, 3: 3 << 8, 4: 1 << 12, 5: 1 << 13, 6: 1 << 11}.items():
        state[row] |= bits
    state[7] = 65535
    expected = np.zeros(state.shape, bool)
    expected[rows] = True
    got = left_out(tmp_path, "state_1km.tif", state, values)
    # What is fill has the bit of a fire and of snow set too; of clouds and cirrus it is none, but for its bits 8 and 9.
    known = np.ones(state.shape, bool)
    known[7] = values in (("fill",), ("bit12",), ("cloud",), ("mixed",))
    np.testing.assert_array_equal(got[known], expected[known])


@pytest.mark.parametrize("numbers", [(8, 9, 12), (10, 20, 80), (-9999, 1)])
def test_a_mask_of_no_known_kind_without_zero_is_asked_about(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    mask = np.random.default_rng(1).choice(numbers, (20, 30)).astype("i2")
    with pytest.raises(InputError, match=r"what the numbers of --mask mean .* cannot be told .* --mask-values"):
        left_out(tmp_path, "layer.tif", mask)
    np.testing.assert_array_equal(left_out(tmp_path, "layer.tif", mask, (str(numbers[0]),)), mask == numbers[0])


def test_a_mask_of_several_classes_is_read_by_gdals_rule_and_said_to_be_guessed(tmp_path: Path) -> None:
    mask = np.random.default_rng(2).integers(0, 5, (20, 30)).astype("u1")
    np.testing.assert_array_equal(left_out(tmp_path, "layer.tif", mask), mask == 0)
    with open_scene(str(tmp_path / "scene.tif"), IngestOptions(mask=str(tmp_path / "layer.tif"))) as scene:
        assert any("0 is left out, guessed" in note and "--mask-values" in note for note in scene.notes)


def test_an_archive_without_a_raster_says_to_unpack_it(tmp_path: Path) -> None:
    for name in ("inner.zip", "spectra.csv"):
        with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
            archive.writestr(name, "x")
        with pytest.raises(InputError, match=rf"holds no raster \(it has {name}\); unpack it"):
            open_scene(str(tmp_path / "outer.zip"))


@pytest.mark.parametrize("name", ["is_not_anomaly", "not_an_outlier", "non_defect", "no_anomaly_flag"])
def test_a_name_that_denies_anomalies_has_1_for_normal(name: str) -> None:
    words, how = normal_words(name, None)
    assert "1" in words
    assert "0" not in words
    assert how.guessed
    for other in (name.replace("not_", "").replace("an_", "").replace("non_", "").replace("no_", ""), "is_abnormal"):
        assert "0" in normal_words(other, None)[0]


@pytest.mark.parametrize(
    ("bands", "beside"),
    [
        (["MOD09A1.061_sur_refl_b01_doy2020009_aid0001", "MOD09A1.061_sur_refl_b02_doy2020009_aid0001"],
         ["MOD09A1.061_sur_refl_qc_500m_doy2020009_aid0001", "MOD09A1.061_sur_refl_state_500m_doy2020009_aid0001"]),
        (["VNP09A1.001_SurfReflect_M1_doy2020009_aid0001", "VNP09A1.001_SurfReflect_I2_doy2020009_aid0001"],
         ["VNP09A1.001_SurfReflect_QC_doy2020009_aid0001"]),
        (["LC08_CU_003010_20200109_20210504_02_SR_B1", "LC08_CU_003010_20200109_20210504_02_SR_B2"],
         ["LC08_CU_003010_20200109_20210504_02_QA_LINEAGE"]),
        (["site_transparent_reflectance_red", "site_transparent_reflectance_red edge"], []),
    ],
)  # fmt: skip
def test_band_files_of_a_date_are_one_scene_without_its_quality_files(
    tmp_path: Path, bands: list[str], beside: list[str]
) -> None:
    for name in (*bands, *beside):
        write(tmp_path / f"{name}.tif", ramp(1, 20, 30))
    (source,) = find_sources([str(tmp_path)])
    assert sorted(Path(member).stem for member in source.members) == sorted(bands)
    with open_scene(source) as scene:
        assert scene.depth == len(bands)
        assert scene.bands.wavelengths is None or "LC08" in bands[0]
        assert scene.datetime == (None if "site" in bands[0] else "2020-01-09T00:00:00Z")


def test_parts_of_products_beside_scenes_are_passed_over_and_said(tmp_path: Path) -> None:
    for folder in ("force", "planet", "maxar"):
        (tmp_path / folder).mkdir()
    for name in ("BOA", "QAI", "CLD", "DST", "HOT", "OVV", "VZN"):
        write(tmp_path / "force" / f"20190715_LEVEL2_SEN2A_{name}.tif", ramp(3, 20, 30))
    for name in ("AnalyticMS_SR", "AnalyticMS_DN_udm", "udm2"):
        write(tmp_path / "planet" / f"20200704_173102_1027_3B_{name}.tif", ramp(3, 20, 30))
    write(tmp_path / "maxar" / "19JUL15-M2AS-0123_P001.TIF", ramp(3, 20, 30))
    for end in ("ATT", "EPH", "GEO", "TIL", "IMD"):
        (tmp_path / "maxar" / f"19JUL15-M2AS-0123_P001.{end}").write_text("x")
    found = {Path(source.path).stem: source for source in find_sources([str(tmp_path)])}
    assert set(found) == {
        "20190715_LEVEL2_SEN2A_BOA",
        "20200704_173102_1027_3B_AnalyticMS_SR",
        "19JUL15-M2AS-0123_P001",
    }
    said = " ".join(d.chosen for source in found.values() for d in source.decisions)
    assert all(name in said for name in ("SEN2A_CLD", "SEN2A_VZN", "DN_udm", "udm2"))


@pytest.mark.parametrize(
    ("name", "wave"),
    [
        ("Red 650nm", 650.0),
        ("Band 1 : 450.00 Nanometers", 450.0),
        ("swir_2.2um", 2200.0),
        ("Red650nm", None),
        ("B8", None),
    ],
)
def test_a_wavelength_with_its_unit_behind_words_is_read(name: str, wave: float | None) -> None:
    band = band_from_tags({}, {}, name)
    assert band.wavelength == (None if wave is None else pytest.approx(wave))
    assert band.name == name
