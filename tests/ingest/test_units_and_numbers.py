"""Wavelengths in any unit and form, numbers in headers, and what beside bands is none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from specvae.errors import InputError
from specvae.ingest.formats.band_kinds import why_beside_bands, why_no_spectrum
from specvae.ingest.formats.wavelengths import nanometres
from specvae.ingest.options import IngestOptions
from specvae.ingest.scene.opening import open_scene
from specvae.ingest.table.families import families_of
from specvae.ingest.table.reading import read_table

WAVES = np.linspace(450.0, 900.0, 12)
CUBE = np.random.default_rng(1).uniform(0.1, 0.5, (20, 30, 12)).astype("f4")
STEPS = np.arange(400, 1000, 25)
SPECTRA = np.random.default_rng(2).uniform(0.1, 0.5, (40, len(STEPS))).round(4)


def wavelengths(path: Path) -> tuple[float, ...] | None:
    with open_scene(str(path)) as scene:
        return scene.bands.wavelengths


def table(path: Path, head: list[str], rows: list[list[Any]]) -> Path:
    path.write_text("\n".join(",".join(map(str, row)) for row in [head, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("m", 1e-9), ("metres", 1e-9), ("", 1e-9), ("angstrom", 10), ("Å", 10), ("cm", 1e-7), ("microns", 1e-3),
     ("nano metres", 1.0), ("nm", 1.0), ("um", 1.0)],
)  # fmt: skip
def test_wavelengths_of_a_cube_are_read_in_any_unit_of_length(tmp_path: Path, unit: str, factor: float) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["cube"] = CUBE
        out["wavelength"] = WAVES * factor
        out["wavelength"].attrs["units"] = unit
    assert wavelengths(tmp_path / "a.h5") == pytest.approx(tuple(WAVES), rel=1e-6)


@pytest.mark.parametrize(("unit", "whole"), [("THz", 299_792.458), ("1/cm", 1e7), ("cm^-1", 1e7)])
def test_frequencies_and_wavenumbers_of_a_cube_are_turned(tmp_path: Path, unit: str, whole: float) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["cube"] = CUBE
        out["wavelength"] = whole / WAVES
        out["wavelength"].attrs["units"] = unit
    assert wavelengths(tmp_path / "a.h5") == pytest.approx(tuple(WAVES), rel=1e-6)


@given(st.floats(300.0, 2600.0), st.sampled_from([("m", 1e-9), ("Angstroms", 10.0), ("cm", 1e-7), ("um", 1e-3)]))
def test_a_wavelength_is_the_same_in_any_unit(wave: float, unit: tuple[str, float]) -> None:
    assert nanometres(wave * unit[1], unit[0]) == pytest.approx(wave, rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 12), (12, 1), "text"])
def test_a_list_stored_as_a_row_a_column_or_a_text_is_one(tmp_path: Path, shape: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out["cube"] = CUBE
        if shape == "text":
            out["cube"].attrs["wavelengths"] = "{" + ", ".join(map(str, WAVES)) + "}"
        else:
            out["wavelength"] = WAVES.reshape(shape)
    with open_scene(str(tmp_path / "a.h5")) as scene:
        assert scene.bands.wavelengths == pytest.approx(tuple(WAVES))
        assert (scene.rows, scene.cols) == (20, 30)


def test_what_modis_viirs_and_hls_deliver_beside_bands_is_none() -> None:
    flags = ("StateQA", "state_1km", "QC_500m", "DetailedQA", "SummaryQA", "QF1", "gflags", "quality_flags")
    assert {why_no_spectrum(name) for name in flags} == {"classes or flags, not spectra"}
    counts = ("RelativeAzimuth", "SZA", "SAA", "VZA", "VAA", "num_observations_1km", "obscov_500m", "iobs_res", "q_scan",
              "orbit_pnt", "granule_pnt")  # fmt: skip
    assert {why_no_spectrum(name) for name in counts} == {"derived, not measured light"}
    assert {why_beside_bands(name) for name in ("DEM", "slope", "elevation", "Range")} == {
        "terrain, not measured light"
    }
    bands = ("sur_refl_b01", "M11", "I1", "SR_B4", "Oa01_radiance", "VV", "B8A", "A00", "red", "swir1", "orange", "Ra")
    assert [name for name in bands if why_no_spectrum(name) or why_beside_bands(name)] == []


@pytest.mark.parametrize("years", [["2020", "2021"], ["2021"], ["2018", "2019", "2020", "2021", "2022"]])
@pytest.mark.parametrize("waves", [STEPS, np.arange(350, 2501, 50)])
@pytest.mark.parametrize("first", [True, False])
def test_years_beside_wavelengths_are_no_bands_and_said(
    tmp_path: Path, years: list[str], waves: np.ndarray, first: bool
) -> None:
    names = [str(wave) for wave in waves]
    rows = np.random.default_rng(3).uniform(0.1, 0.5, (30, len(names))).round(3)
    head = [*years, *names] if first else [*names, *years]
    cells = [[*([3.25] * len(years)), *row] if first else [*row, *([3.25] * len(years))] for row in rows]
    read = read_table(str(table(tmp_path / "a.csv", ["id", *head], [[f"s{i}", *row] for i, row in enumerate(cells)])))
    assert read.bands.labels == tuple(names)
    assert any(all(year in note for year in years) and "not read as bands" in note for note in read.notes)


@given(st.integers(300, 1900), st.integers(2061, 2500), st.sampled_from([1, 2, 5, 10]))
def test_a_spectrum_across_the_numbers_of_years_stays_whole(start: int, stop: int, step: int) -> None:
    names = [str(n) for n in range(start, stop, step)]
    assert [len(family) for family in families_of(names, range(len(names)))] == [len(names)]


def test_headers_with_powers_of_ten_are_the_numbers_that_they_mean(tmp_path: Path) -> None:
    head = [f"{wave * 2:.6E}" for wave in STEPS]
    read = read_table(str(table(tmp_path / "a.csv", ["id", *head], [[f"s{i}", *row] for i, row in enumerate(SPECTRA)])))
    assert read.bands.wavelengths == pytest.approx(tuple(STEPS * 2.0))


@pytest.mark.parametrize("mark", ["-", "_", " to ", "–"])
def test_a_range_in_a_header_is_the_wavelength_in_its_middle(tmp_path: Path, mark: str) -> None:
    head = [f"{wave}{mark}{wave + 25}" for wave in STEPS]
    read = read_table(str(table(tmp_path / "a.csv", ["id", *head], [[f"s{i}", *row] for i, row in enumerate(SPECTRA)])))
    assert read.bands.wavelengths == pytest.approx(tuple(STEPS + 12.5))


def test_a_counter_before_a_wavelength_is_no_range() -> None:
    names = [f"{300 + i}_{wave}" for i, wave in enumerate(STEPS)]
    assert families_of(names, range(len(names)))[0].wavelengths != tuple(
        (300 + i + wave) / 2 for i, wave in enumerate(STEPS)
    )


@pytest.mark.parametrize("word", ["FWHM", "fwhm (nm)", "Bandwidth", "bbl"])
def test_a_line_of_widths_behind_the_header_is_no_spectrum_and_said(tmp_path: Path, word: str) -> None:
    rows = [[f"s{i}", *row] for i, row in enumerate(SPECTRA)]
    path = table(tmp_path / "a.csv", ["sample", *map(str, STEPS)], [[word, *([10] * len(STEPS))], *rows])
    read = read_table(str(path))
    assert len(read.values) == len(SPECTRA)
    np.testing.assert_allclose(read.values[0], SPECTRA[0], rtol=1e-6)
    assert any(word in note and "no spectrum" in note for note in read.notes)


@pytest.mark.parametrize("fill", [-99.99, -88.8, 9.9e9])
def test_a_number_repeated_far_outside_of_all_others_is_said_to_be_fill(tmp_path: Path, fill: float) -> None:
    rows = [[f"s{i}", *([fill] * len(STEPS) if i % 10 == 3 else row)] for i, row in enumerate(SPECTRA)]
    read = read_table(str(table(tmp_path / "a.csv", ["id", *map(str, STEPS)], rows)))
    assert any("looks like a fill" in note and f"--nodata {fill:g}" in note for note in read.notes)
    plain = read_table(str(table(tmp_path / "b.csv", ["id", *map(str, STEPS)], [["a", *row] for row in SPECTRA])))
    assert not any("fill" in note for note in plain.notes)


def test_a_matlab_structure_with_one_cube_is_read_with_its_wavelengths(tmp_path: Path) -> None:
    savemat(tmp_path / "one.mat", {"S": {"cube": CUBE, "wavelength": WAVES, "name": "a"}, "note": "x"})
    with open_scene(str(tmp_path / "one.mat")) as scene:
        assert scene.bands.wavelengths == pytest.approx(tuple(WAVES))
        np.testing.assert_array_equal(scene.read(scene.grid.window).values, np.moveaxis(CUBE, 2, 0))
    savemat(tmp_path / "two.mat", {"S": {"radiance": CUBE, "reflectance": CUBE + 1}})
    with pytest.raises(InputError, match=r"S\.radiance .* name it with --array"):
        open_scene(str(tmp_path / "two.mat"))
    with open_scene(str(tmp_path / "two.mat"), IngestOptions(array="S.reflectance")) as scene:
        np.testing.assert_allclose(scene.read(scene.grid.window).values, np.moveaxis(CUBE, 2, 0) + 1, rtol=1e-6)
    savemat(tmp_path / "none.mat", {"S": {"name": "a"}})
    with pytest.raises(InputError, match="a scene is one three-dimensional array"):
        open_scene(str(tmp_path / "none.mat"))
