"""Registration and stripes: planted displacements and stripes are seen with their direction, whatever the radiometry."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from specvae.thresholds.drift.registration import STEPS, displacements, gains_of_steps
from specvae.thresholds.drift.squares import SIDE, Squares
from specvae.thresholds.drift.striping import striping

BANDS = np.arange(5)


def ground(seed: int, squares: int = 12, texture: float = 1.0) -> NDArray[np.float64]:
    """``(squares, bands, rows, cols)``: one pattern in all bands, each with noise of its own."""
    rng = np.random.default_rng(seed)
    pattern = gaussian_filter(rng.standard_normal((squares, 1, SIDE + 2, SIDE + 2)), (0, 0, 1.2, 1.2))
    own = 0.3 * gaussian_filter(rng.standard_normal((squares, 5, SIDE + 2, SIDE + 2)), (0, 0, 0.7, 0.7))
    level = rng.uniform(5, 10, (squares, 5, 1, 1))
    return level + texture * rng.uniform(0.5, 2, (1, 5, 1, 1)) * pattern + own


def as_squares(values: NDArray[np.floating], usable: NDArray[np.bool_] | None = None) -> Squares:
    inner = np.ascontiguousarray(values[..., 1:-1, 1:-1], np.float32)
    usable = np.ones((len(inner), SIDE, SIDE), bool) if usable is None else usable
    return Squares(inner, usable, inner[:, 0], usable)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("band", [0, 3])
def test_a_band_a_pixel_out_of_place_is_named_with_the_step_that_undoes_it(step: tuple[int, int], band: int) -> None:
    values = ground(1)
    values[:, band] = np.roll(values[:, band], step, axis=(1, 2))
    gain, found, undone = max(displacements(as_squares(values), BANDS))
    assert (found, undone) == (band, step)
    assert gain > 6


def test_a_band_that_lies_beside_the_others_on_normal_ground_is_named_where_it_moves_another_way() -> None:
    normal = ground(1)
    normal[:, 3] = np.roll(normal[:, 3], (1, 0), axis=(1, 2))
    usual = np.maximum(gains_of_steps(as_squares(normal), BANDS), 0)
    assert (usual[3] > 6).tolist() == [True, False, False, False]
    again = ground(2)
    again[:, 3] = np.roll(again[:, 3], (1, 0), axis=(1, 2))
    assert max(displacements(as_squares(again), BANDS, usual))[0] < 4
    for step in STEPS[1:]:
        values = ground(2)
        values[:, 3] = np.roll(values[:, 3], step, axis=(1, 2))
        gain, found, undone = max(displacements(as_squares(values), BANDS, usual))
        assert (found, undone) == (3, step)
        assert gain > 6


def test_in_register_every_step_makes_it_worse_and_fill_does_not_matter() -> None:
    values = ground(2)
    assert max(displacements(as_squares(values), BANDS))[0] < -4
    usable = np.ones((len(values), SIDE, SIDE), bool)
    usable[:, :10] = False
    values[:, :, :11] = 1e6
    assert max(displacements(as_squares(values, usable), BANDS))[0] < -4


def test_the_radiometry_of_bands_changes_nothing() -> None:
    values = ground(3)
    values[:, 2] = np.roll(values[:, 2], 1, axis=2)
    gains, offsets = np.array([0.2, 30, 1.0, 4, 0.01]), np.array([100, -3, 0.0, 7, 1])
    changed = values * gains[:, None, None] + offsets[:, None, None]
    for one, other in zip(*(displacements(as_squares(v), BANDS) for v in (values, changed)), strict=True):
        assert one[0] == pytest.approx(other[0], rel=0.02, abs=0.05)
        assert one[1:] == other[1:]


def test_where_bands_have_nothing_in_common_no_step_is_sure() -> None:
    gains = [max(displacements(as_squares(ground(seed, texture=0.0)), BANDS))[0] for seed in range(15)]
    assert np.mean(np.array(gains) > 4) <= 0.1


def test_of_few_squares_or_one_band_nothing_is_said() -> None:
    assert displacements(as_squares(ground(0, squares=3)), BANDS) == []
    assert displacements(as_squares(ground(0, squares=3)), BANDS, np.zeros((5, 4))) == []
    assert displacements(as_squares(ground(0)), BANDS[:1]) == []


@pytest.mark.parametrize("along", [2, 3])
def test_stripes_are_seen_by_their_direction_and_a_transpose_turns_it(along: int) -> None:
    values = ground(4, squares=20)
    plain = striping(as_squares(values))
    assert np.abs(plain.excess / plain.error).max() < 4
    lines = np.where(np.arange(values.shape[along]) % 8 == 0, 1.1, 1.0)
    striped = values * (lines if along == 3 else lines[:, None])
    found = striping(as_squares(striped))
    assert found.excess.shape == (6,)
    sure = found.excess / found.error
    assert (sure > 8).all() if along == 3 else (sure < -8).all()
    turned = striping(as_squares(striped.swapaxes(2, 3)))
    np.testing.assert_allclose(turned.excess, -found.excess, rtol=1e-6)
    np.testing.assert_allclose(turned.error, found.error, rtol=1e-6)


def test_stripes_of_one_band_are_that_band_s_and_fill_is_no_stripe() -> None:
    values = ground(5, squares=20)
    usable = np.ones((len(values), SIDE, SIDE), bool)
    usable[:, :, :9] = False
    values[..., :10] = 1e6
    plain = striping(as_squares(values, usable))
    assert np.abs(plain.excess / plain.error).max() < 4
    values[:, 1, :, 16::8] *= 1.1
    found = striping(as_squares(values, usable))
    assert int(np.argmax(found.excess[:-1])) == 1
    assert found.excess[1] > 3 * np.abs(np.delete(found.excess[:-1], 1)).max()


def test_of_few_squares_and_of_rows_no_stripes_are_known() -> None:
    few = striping(as_squares(ground(0, squares=2)))
    assert np.isinf(few.error).all()
    rows = Squares(
        np.ones((4, 5, 1, 64), np.float32), np.ones((4, 1, 64), bool), np.ones((4, 1, 64)), np.ones((4, 1, 64), bool)
    )
    assert np.isinf(striping(rows).error).all()
