"""What stands beside something stronger gives no evidence, however many pixels ask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from specvae.alerts.beside import DENSE, REACH, SHADES, Rises, overshadowed

Maps = tuple[NDArray[np.float32], NDArray[np.float32]]


def maps_of(seed: int, rows: int, cols: int) -> Maps:
    """Rises of normal scores and of scores ``(rows, cols)``, a tenth of them missing, a few of them strong."""
    rng = np.random.default_rng(seed)
    rises = []
    for _ in range(2):
        values = rng.normal(0, 1, (rows, cols)).astype(np.float32)
        values[rng.random((rows, cols)) < 0.02] *= 20
        values[rng.random((rows, cols)) < 0.1] = np.nan
        rises.append(values)
    return rises[0], rises[1]


def asked(maps: Maps) -> Rises:
    return lambda at: (maps[0].ravel()[at], maps[1].ravel()[at])


def brute_force(maps: Maps, row: int, col: int) -> bool:
    """The definition, pixel by pixel."""
    window = (slice(max(0, row - REACH), row + REACH + 1), slice(max(0, col - REACH), col + REACH + 1))
    return any(
        bool(values[row, col] < share * np.nanmax(values[window])) for values, share in zip(maps, SHADES, strict=True)
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 40), cols=st.integers(1, 40))
def test_all_pixels_at_once_and_a_few_at_a_time_are_the_same_and_right(seed: int, rows: int, cols: int) -> None:
    maps = maps_of(seed, rows, cols)
    at = np.flatnonzero(np.isfinite(maps[0]) & np.isfinite(maps[1]))
    together = overshadowed(asked(maps), (rows, cols), at)
    expected = [brute_force(maps, *divmod(int(each), cols)) for each in at]
    np.testing.assert_array_equal(together, expected)


@pytest.mark.parametrize("seed", range(3))
def test_few_pixels_of_a_large_window_agree_with_all_of_them(seed: int) -> None:
    shape = (90, 110)
    maps = maps_of(seed, *shape)
    everywhere = np.arange(shape[0] * shape[1])
    together = overshadowed(asked(maps), shape, everywhere)
    few = everywhere[seed :: DENSE + 1]
    assert few.size * DENSE <= everywhere.size
    np.testing.assert_array_equal(overshadowed(asked(maps), shape, few), together[few])
    assert 0.1 < together.mean() < 0.99
