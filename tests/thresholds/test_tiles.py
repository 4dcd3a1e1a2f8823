"""Calibration tiles: their order, their blocks, their way into arrays and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specvae.errors import ModelError
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles, Tile, block_tiles


def tile(rows: int, cols: int, source: int = 0, block: int = 0, seed: int = 0) -> Tile:
    score = np.random.default_rng(seed).normal(size=(rows, cols)).astype(np.float32)
    score[score > 1.5] = np.nan
    return Tile(score, source, block)


def test_scores_are_the_valid_pixels_tile_by_tile_in_row_major_order() -> None:
    first = Tile(np.array([[1, np.nan], [3, 4]], np.float32), 0, 7)
    second = Tile(np.array([[np.inf, 5]], np.float32), 1, 7)
    tiles = CalibrationTiles((first, second), ("a", "b"))
    assert tiles.scores.tolist() == [1, 3, 4, 5]
    assert tiles.blocks.tolist() == [0, 0, 0, 1], "blocks of two sources are two blocks, whatever their numbers"
    assert tiles.files.tolist() == [0, 0, 0, 1]


def test_tiles_of_one_block_share_a_label_and_rows_of_a_table_have_one_each() -> None:
    tiles = CalibrationTiles(
        (tile(1, 2, 0, 3), tile(1, 2, 0, 4), tile(1, 2, 0, 3), tile(1, 3, 1, INDEPENDENT)), ("a", "b")
    )
    assert tiles.blocks.tolist()[:6] == [0, 0, 1, 1, 0, 0]
    assert len(set(tiles.blocks.tolist()[6:])) == len(tiles.blocks) - 6


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(0, 2), st.integers(-1, 3)), max_size=6))
def test_arrays_give_back_the_same_tiles(shapes: list[tuple[int, int, int, int]]) -> None:
    tiles = CalibrationTiles(tuple(tile(*shape, seed=i) for i, shape in enumerate(shapes)), ("a", "b", "c"))
    back = CalibrationTiles.from_arrays(tiles.to_arrays(), tiles.sources)
    assert len(back) == len(tiles)
    for before, after in zip(tiles.tiles, back.tiles, strict=True):
        np.testing.assert_array_equal(before.score, after.score)
        assert (before.source, before.block) == (after.source, after.block)


def test_large_tiles_are_thinned_in_the_bulk_and_keep_every_high_score_in_its_place() -> None:
    rng = np.random.default_rng(0)
    scores = [rng.exponential(size=(64, 64)).astype(np.float32) for _ in range(40)]
    scores += [rng.exponential(size=(1, 30_000)).astype(np.float32)]
    for score in scores:
        score[rng.uniform(size=score.shape) < 0.1] = np.nan
    blocks = [*range(40), INDEPENDENT]
    tiles = CalibrationTiles(tuple(Tile(s, 0, b) for s, b in zip(scores, blocks, strict=True)), ("a",))
    arrays = tiles.to_arrays()
    assert sum(array.nbytes for array in arrays.values()) < 0.45 * 4 * sum(score.size for score in scores)
    thin = CalibrationTiles.from_arrays(arrays, ("a",))
    high = np.sort(tiles.scores)[-50_000]
    for before, after in zip(tiles.tiles, thin.tiles, strict=True):
        np.testing.assert_array_equal(before.valid, after.valid)
        top = before.valid & (before.score >= high)
        np.testing.assert_array_equal(after.score[top], before.score[top])
        assert set(after.score[after.valid]) <= set(before.score[before.valid])
        assert np.median(after.score[after.valid]) == pytest.approx(np.median(before.score[before.valid]), abs=0.3)
    np.testing.assert_array_equal(np.sort(thin.scores)[-50_000:], np.sort(tiles.scores)[-50_000:])
    again = thin.thinned()
    np.testing.assert_array_equal(again.scores, thin.scores, "what is thinned once stays as it is")


@pytest.mark.parametrize("name", ["valid", "high", "tail", "bulk"])
def test_thinned_arrays_that_do_not_belong_together_are_refused(name: str) -> None:
    row = Tile(np.random.default_rng(0).exponential(size=(1, 101_000)).astype(np.float32), 0, INDEPENDENT)
    arrays = CalibrationTiles((row,), ("a",)).to_arrays()
    with pytest.raises(ModelError, match="do not belong together"):
        CalibrationTiles.from_arrays({**arrays, name: arrays[name][:-100]}, ("a",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": np.zeros(3, np.float32)}, "do not belong together"),
        ({"tile": np.zeros((2, 3), np.int32)}, r"shape \(2, 3\)"),
        ({"tile": np.array([[5, 0, 2, 2]], np.int32)}, "names a source"),
        ({"tile": np.array([[0, 0, -2, -2]], np.int32)}, "expected"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    arrays = CalibrationTiles((tile(2, 2),), ("a",)).to_arrays()
    with pytest.raises(ModelError, match=message):
        CalibrationTiles.from_arrays({**arrays, **change}, ("a",))


def test_a_tile_of_an_unknown_source_or_of_one_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="source 1 of 1"):
        CalibrationTiles((tile(2, 2, source=1),), ("a",))
    with pytest.raises(ValueError, match="rows, cols"):
        Tile(np.zeros(3, np.float32), 0, 0)


def test_a_map_is_cut_into_a_tile_for_each_block_of_its_held_out_pixels() -> None:
    score = np.arange(24, dtype=np.float32).reshape(4, 6)
    block = np.repeat([[0, 1, 2]], 4, axis=0).repeat(2, axis=1)
    held = np.zeros((4, 6), bool)
    held[1:3, 0] = held[2, 1] = held[3, 5] = True
    first, second = block_tiles(score, held, block, source=7)
    np.testing.assert_array_equal(first.score, [[6, np.nan], [12, 13]])
    np.testing.assert_array_equal(second.score, [[23]])
    assert [(t.source, t.block) for t in (first, second)] == [(7, 0), (7, 2)]


def test_a_map_without_held_out_pixels_gives_no_tile() -> None:
    assert block_tiles(np.zeros((2, 2)), np.zeros((2, 2), bool), np.zeros((2, 2), int), 0) == []


def test_few_blocks_are_cut_for_resampling_and_many_are_gathered() -> None:
    few = CalibrationTiles((tile(40, 40, 0, 0), tile(40, 40, 0, 1)), ("a",))
    assert few.blocks.max() == 1
    assert few.resampling_blocks.max() == 31
    many = CalibrationTiles((Tile(np.zeros((1, 5000), np.float32), 0, INDEPENDENT),), ("a",))
    assert many.blocks.max() == 4999
    assert sorted(set(np.bincount(many.resampling_blocks).tolist())) == [2, 3]
