"""Squares: the same ones in whatever windows a scene is read, and neighbours where they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from specvae.thresholds.drift.squares import SIDE, Squares, SquareSample

SHAPE = (130, 200)


def scene() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    values = random.normal(size=(2, *SHAPE)).astype(np.float32)
    usable = random.random(SHAPE) > 0.05
    usable[:40, :40] = False
    return values, usable


def drawn(step: int, most: int) -> Squares:
    values, usable = scene()
    halves = SquareSample(SHAPE, most), SquareSample(SHAPE, most)
    for number, row in enumerate(range(0, SHAPE[0], step)):
        part = slice(row, row + step)
        halves[number % 2].add(values[:, part], usable[part], values[0, part], row, 0)
    halves[0].merge(halves[1])
    squares = halves[0].squares()
    assert squares is not None
    return squares


@pytest.mark.parametrize("most", [5, 100])
def test_squares_do_not_depend_on_the_windows(most: int) -> None:
    once, parts = drawn(192, most), drawn(64, most)
    np.testing.assert_array_equal(once.values, parts.values)
    np.testing.assert_array_equal(once.usable, parts.usable)
    # Of 4 x 6 complete squares one is without a usable pixel.
    assert len(once) == min(most, 23)


def test_the_pixels_that_are_compared_are_usable_and_counted() -> None:
    values = np.arange(2 * SIDE * SIDE, dtype=np.float32).reshape(1, 2, SIDE, SIDE)
    usable, counted = np.ones((1, SIDE, SIDE), bool), np.ones((1, SIDE, SIDE), bool)
    usable[0, 5, 5] = counted[0, 7, :] = False
    pixels = Squares(values, usable, values[:, 0], counted).pixels
    expected = (usable & counted)[0]
    np.testing.assert_array_equal(pixels.spectra, values[0][:, expected])
    np.testing.assert_array_equal(pixels.score, values[0, 0][expected])


def test_rows_of_a_table_have_no_neighbours() -> None:
    sample = SquareSample((1, 300))
    values = np.random.default_rng(0).normal(size=(3, 1, 300)).astype(np.float32)
    sample.add(values, np.ones((1, 300), bool), values[0], 0, 0)
    squares = sample.squares()
    assert squares is not None
    assert not squares.in_space
    assert squares.pixels.spectra.shape == (3, 256)
