"""Components are numbered as scipy numbers them, whatever their shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage, sparse

from specvae.components import components, label

EIGHT = np.ones((3, 3), int)


def assert_as_scipy(mask: np.ndarray) -> None:
    labels, count = label(mask)
    expected, number = ndimage.label(mask, EIGHT)
    assert count == number
    assert labels.dtype == expected.dtype
    np.testing.assert_array_equal(labels, expected)


@settings(max_examples=300, deadline=None)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_any_small_mask_is_labelled_as_by_scipy(mask: np.ndarray) -> None:
    assert_as_scipy(mask)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.4, 0.6, 0.99, 1.0])
@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (300, 257)])
def test_noise_of_any_density_is_labelled_as_by_scipy(shape: tuple[int, int], share: float) -> None:
    assert_as_scipy(np.random.default_rng(3).random(shape) < share)


def test_a_spiral_is_one_component() -> None:
    side = 101
    mask = np.zeros((side, side), bool)
    row, col, down, right = 0, 0, 0, 1
    mask[0, 0] = True
    for length in [side - 1, *(k for k in range(side - 1, 1, -2) for _ in range(2))]:
        for _ in range(length):
            row, col = row + down, col + right
            mask[row, col] = True
        down, right = right, -down
    assert label(mask)[1] == 1
    assert_as_scipy(mask)
    assert_as_scipy(~mask)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=60))
def test_any_graph_has_the_components_that_scipy_finds(n: int, pairs: list[tuple[int, int]]) -> None:
    edges = np.array([(a % n, b % n) for a, b in pairs], np.int64).reshape(-1, 2).T
    graph = sparse.coo_array((np.ones(edges.shape[1], bool), (edges[0], edges[1])), shape=(n, n))
    _, expected = sparse.csgraph.connected_components(graph, directed=False)
    np.testing.assert_array_equal(components(n, *edges), expected)
