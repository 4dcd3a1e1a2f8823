"""Bands match by name, then wavelength, then order; windows and cubes hold together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specvae.bands import Band, BandMatch, BandSet
from specvae.errors import ModelError, SpecvaeError
from specvae.spectra import Cube, Window


def named(*names: str) -> BandSet:
    return BandSet(tuple(Band(name) for name in names))


def at(*wavelengths: float, width: float | None = 20.0) -> BandSet:
    return BandSet(tuple(Band("", w, width) for w in wavelengths))


def test_names_match_whatever_their_order_and_case() -> None:
    match = named("red", "nir").match(named("NIR", "swir", "Red"))
    assert match.order == (2, 0)
    assert match.by == "name"
    assert match.warning is None


def test_wavelengths_match_within_half_a_band_width() -> None:
    match = at(560, 665).match(at(443, 662, 568))
    assert match.order == (2, 1)
    assert match.by == "wavelength"


def test_wavelengths_beyond_half_a_band_width_are_refused_with_both_sides_listed() -> None:
    with pytest.raises(ModelError, match=r"560 nm.*571 nm"):
        at(560).match(at(571))


def test_one_source_band_never_serves_two_of_the_model() -> None:
    with pytest.raises(ModelError, match="do not match"):
        at(560, 565).match(at(562, 900))


def test_bands_without_names_match_by_order_with_a_warning() -> None:
    match = named("", "").match(named("a", "b"))
    assert match.by == "order"
    assert "order" in (match.warning or "")


@pytest.mark.parametrize(("mine", "theirs"), [(named("a", "b"), named("a", "c")), (named("", ""), named("", "", ""))])
def test_other_names_or_counts_are_refused(mine: BandSet, theirs: BandSet) -> None:
    with pytest.raises(ModelError, match="the model has 2"):
        mine.match(theirs)


def test_duplicate_names_are_no_names() -> None:
    assert named("x", "x").match(named("y", "y")).by == "order"


boxes = st.builds(Window, st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 60), st.integers(1, 60))


@given(boxes, boxes)
def test_a_clip_lies_in_both_windows(a: Window, b: Window) -> None:
    inside = a.clip(b)
    mask = np.zeros((300, 300), int)
    for window in (a, b):
        rows, cols = window.shift(120, 120).slices
        mask[rows, cols] += 1
    assert inside.size == (mask == 2).sum()


def test_a_crop_keeps_the_pixels_of_its_place() -> None:
    values = np.arange(2 * 5 * 6, dtype=np.float32).reshape(2, 5, 6)
    cube = Cube(values, np.zeros((5, 6), np.uint8), Window(10, 20, 5, 6))
    part = cube.crop(Window(11, 22, 2, 3))
    np.testing.assert_array_equal(part.values, values[:, 1:3, 2:5])


def test_a_cube_of_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="not of the size"):
        Cube(np.zeros((1, 2, 3), np.float32), np.zeros((2, 3), np.uint8), Window(0, 0, 2, 2))


def test_an_error_is_one_line_whatever_it_is_given() -> None:
    assert str(SpecvaeError("a\nb\t\x1b[31mc")) == "a b [31mc"


def test_bands_of_one_name_and_another_wavelength_are_not_the_same_band() -> None:
    sentinel = BandSet((Band("B4", 665.0, 31.0), Band("B5", 704.0, 15.0)))
    landsat = BandSet((Band("B4", 655.0, 37.0), Band("B5", 865.0, 28.0)))
    with pytest.raises(ModelError, match="do not match"):
        sentinel.match(landsat)
    assert sentinel.match(BandSet((Band("B5", 703.0), Band("B4")))).by == "name"
    shifted = BandSet((Band("B5", 664.0, 20.0), Band("B4", 703.9, 20.0)))
    assert sentinel.match(shifted) == BandMatch((0, 1), "wavelength")
