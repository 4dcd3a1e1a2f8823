"""Which band a reason names first: the one whose return lowers the score most, unless its change would be said to be 0 %."""

from __future__ import annotations

import numpy as np
import pytest

from specvae.bands import Band, BandSet
from specvae.export.reasons_in_words import Wording

WORDING = Wording(BandSet((Band("nir"), Band("cirrus"))), np.zeros(2), np.array([0.5, 0.15]), surroundings=True)


@pytest.mark.parametrize(
    ("observed", "first", "change"),
    [
        (0.0114, "cirrus", "-5 %"),  # a dark band: little of its range, but a twentieth of what was expected
        (0.01201, "nir", "+25 %"),  # +0 % says nothing
        (0.012, "nir", "+25 %"),
    ],
)
def test_the_band_whose_return_lowers_the_score_most_is_named_if_it_departs(
    observed: float, first: str, change: str
) -> None:
    contribution, alone, expected = np.array([9.0, 1.0]), np.array([-40.0, 2.0]), np.array([0.2, 0.012])
    driver = WORDING.drivers(contribution, alone, np.array([0.25, observed]), expected)[0]
    assert (driver.label, driver.change) == (first, change)


def test_a_band_of_which_nothing_was_expected_is_named_in_its_own_unit() -> None:
    contribution, alone, expected = np.array([9.0, 1.0]), np.array([-40.0, 2.0]), np.array([0.2, 0.0])
    driver = WORDING.drivers(contribution, alone, np.array([0.25, 0.001]), expected)[0]
    assert (driver.label, driver.change) == ("cirrus", "+0.001")
