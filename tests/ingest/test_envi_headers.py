"""What ENVI headers say of their bands: lists in odd units and lengths, numbers that only count, and a scale factor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specvae.errors import InputError
from specvae.ingest.formats.wavelengths import width_nanometres
from specvae.ingest.scene.opening import open_scene
from tests.raster_files import ramp, write

NM = (420.5, 503.25, 586.0, 668.75, 751.5)


def header(folder: Path, *lines: str, dtype: str = "int16", bands: int = 5) -> Path:
    """An ENVI file of ``bands`` bands without GDAL's own names in its header, with these lines in it."""
    path = write(folder / "a.dat", ramp(bands, dtype=dtype), driver="ENVI")
    text = (folder / "a.hdr").read_text().split("band names")[0]
    (folder / "a.hdr").write_text(text + "\n".join(lines) + "\n")
    return path


def listed(values: object) -> str:
    return "{" + ", ".join(map(str, values)) + "}"  # type: ignore[call-overload]


def said(path: Path) -> tuple[tuple[float | None, ...], tuple[float | None, ...], str]:
    """Wavelengths and widths in nm of the bands that are read, and the decisions."""
    with open_scene(path) as scene:
        bands = [layer.band for layer in scene.plan.layers]
        assert not any(band.name for band in bands)
        sentences = " | ".join(d.sentence for d in scene.decisions)
        return tuple(b.wavelength for b in bands), tuple(b.width for b in bands), sentences


@pytest.mark.parametrize(
    ("unit", "factor", "width", "why"),
    [
        ("Nanometers", 1, 5.8, ""),
        ("Nanometers", 1, 0.0058, "widths are in micrometres, guessed from their size"),
        ("Micrometers", 1e-3, 0.0058, ""),
        ("Micrometers", 1e-3, 5.8, "widths are in nanometres, guessed from their size"),
        ("Nanometers", 1e-3, 0.0058, "widths are in micrometres, guessed from their size"),
        ("Unknown", 1, 5.8, ""),
        ("Unknown", 1e-3, 0.0058, ""),
    ],
)
def test_widths_are_those_of_the_header_in_the_unit_that_can_be_theirs(
    unit: str, factor: float, width: float, why: str, tmp_path: Path
) -> None:
    waves = listed(round(w * factor, 7) for w in NM)
    path = header(tmp_path, f"wavelength units = {unit}", f"wavelength = {waves}", f"fwhm = {listed([width] * 5)}")
    centres, widths, sentences = said(path)
    assert centres == pytest.approx(NM, abs=1e-3)
    assert widths == pytest.approx([5.8] * 5, abs=1e-3)  # GDAL's own rounds to 6 nm
    assert (why in sentences) if why else "widths" not in sentences


@given(st.floats(0.3, 200.0), st.floats(300.0, 15_000.0))
def test_a_width_is_the_same_in_any_unit(width: float, centre: float) -> None:
    in_nm = width_nanometres(str(width), "nm", centre)
    assert in_nm == pytest.approx(width, abs=1e-5)
    assert width_nanometres(str(width / 1000), "um", centre) == pytest.approx(in_nm, abs=1e-5)


def test_decimal_commas_in_a_list_are_read_and_said(tmp_path: Path) -> None:
    commas = "{" + ", ".join(f"{w:.2f}".replace(".", ",") for w in NM) + "}"
    centres, _, sentences = said(header(tmp_path, "wavelength units = Nanometers", f"wavelength = {commas}"))
    assert centres == pytest.approx(NM)
    assert "its list wavelength has decimal commas, guessed from its 10 items for 5 bands" in sentences


@pytest.mark.parametrize("count", [3, 7])
def test_no_wavelength_comes_of_a_list_that_does_not_fit(count: int, tmp_path: Path) -> None:
    waves = listed(400 + 50 * k for k in range(count))
    centres, _, sentences = said(header(tmp_path, "wavelength units = Nanometers", f"wavelength = {waves}"))
    assert centres == (None,) * 5
    assert f"its list wavelength is passed over, guessed from its {count} items for 5 bands" in sentences


@pytest.mark.parametrize(("first", "unit"), [(1, "Index"), (1, "Unknown"), (0, ""), (1, "")])
def test_numbers_that_count_the_bands_are_no_wavelengths(first: int, unit: str, tmp_path: Path) -> None:
    lines = [f"wavelength units = {unit}"] if unit else []
    path = header(tmp_path, *lines, f"wavelength = {listed(range(first, first + 12))}", bands=12)
    centres, _, sentences = said(path)
    assert centres == (None,) * 12  # bands 7 to 12 would be thermal, were these micrometres
    assert "its list wavelength, which only counts the bands" in sentences


def test_a_coarse_spectrum_in_wavenumbers_is_whole(tmp_path: Path) -> None:
    numbers = np.linspace(4000, 800, 20).round(2)
    path = header(tmp_path, "wavelength units = Wavenumber", f"wavelength = {listed(numbers)}", bands=20)
    assert said(path)[0] == pytest.approx(1e7 / numbers, rel=1e-6)


def test_thermal_bands_beside_others_are_no_spectrum(tmp_path: Path) -> None:
    path = header(tmp_path, "wavelength units = Micrometers", "wavelength = {0.6, 0.8, 8.3, 9.1, 11.3}")
    with open_scene(path) as scene:
        assert scene.bands.wavelengths == (600.0, 800.0)


@pytest.mark.parametrize("factor", ["10000", "1e4", "0.0001"])
def test_the_reflectance_scale_factor_is_applied_to_counts_and_said_of_floats(factor: str, tmp_path: Path) -> None:
    path = header(tmp_path, f"reflectance scale factor = {factor}")
    with open_scene(path) as scene:
        assert np.allclose(scene.read(scene.grid.window).values, ramp(5) / 10_000, rtol=1e-6)
        assert any("reflectance is stored * 0.0001" in d.sentence for d in scene.decisions)
    with open_scene(header(tmp_path, f"reflectance scale factor = {factor}", dtype="float32")) as scene:
        assert np.array_equal(scene.read(scene.grid.window).values, ramp(5))
        assert any("values are used as they are" in note for note in scene.notes)


def test_what_no_driver_knows_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = header(tmp_path)
    text = (tmp_path / "a.hdr").read_bytes()
    (tmp_path / "a.hdr").write_bytes(b"\xef\xbb\xbf" + text)
    with pytest.raises(InputError, match=r"its header .*a.hdr does not begin with the word ENVI"):
        open_scene(path)
    (tmp_path / "a.hdr").unlink()
    path.rename(tmp_path / "a.bsq")
    with pytest.raises(InputError, match=r"raw pixels without their header; expected .*a.hdr beside it"):
        open_scene(tmp_path / "a.bsq")
    (tmp_path / "a.rds").write_bytes(b"X\n")
    with pytest.raises(InputError, match="no format that is known; give a raster that GDAL reads, or a table"):
        open_scene(tmp_path / "a.rds")
