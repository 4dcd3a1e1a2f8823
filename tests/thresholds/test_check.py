"""The held-out check passes what holds and fails what does not."""

from __future__ import annotations

import json

import numpy as np
import pytest

from specvae.thresholds.check import HeldOutCheck, check_held_out
from specvae.thresholds.tiles import CalibrationTiles, Tile


def tiles(scores: np.ndarray, sources: int = 1) -> CalibrationTiles:
    """Each row of ``scores`` a block, dealt to the sources in turn."""
    made = tuple(Tile(row[None].astype(np.float32), i % sources, i) for i, row in enumerate(scores))
    return CalibrationTiles(made, tuple(f"s{i}" for i in range(sources)))


def test_equal_blocks_pass_at_the_rates_that_they_can_judge() -> None:
    check = check_held_out(tiles(np.random.default_rng(0).exponential(size=(64, 1000))))
    assert check.passed is True
    assert [rate.judged for rate in check.rates] == [True, True, True]
    for rate in check.rates:
        assert rate.realised == pytest.approx(rate.rate, rel=0.2)
        assert rate.interval[0] < rate.rate < rate.interval[1]
        assert len(rate.blocks) == 64
        assert rate.files == ()


def test_files_of_different_scale_fail() -> None:
    """Cuts from one file let five times too many through in the other."""
    scores = np.random.default_rng(1).exponential(size=(60, 1000))
    scores[::3] *= 4
    check = check_held_out(tiles(scores, sources=3))
    at_1e_2 = check.rates[1]
    assert max(at_1e_2.files) > 0.1
    assert at_1e_2.passed is False
    assert check.passed is False


def test_too_few_pixels_judge_nothing() -> None:
    check = check_held_out(tiles(np.random.default_rng(0).exponential(size=(4, 10))))
    assert check.passed is None
    assert not any(rate.judged for rate in check.rates)


@pytest.mark.parametrize("scores", [np.empty((0, 3)), np.ones((1, 5)), np.ones((3, 1))])
def test_nothing_or_one_block_is_no_error(scores: np.ndarray) -> None:
    assert check_held_out(tiles(scores)).passed is None


def test_a_block_realises_what_the_cut_of_the_others_lets_through() -> None:
    """By hand: nine low blocks of ten pixels, one high; the others' tenth-largest is always below the high block."""
    scores = np.arange(100.0).reshape(10, 10)
    rate = check_held_out(tiles(scores), rates=(0.1,)).rates[0]
    assert rate.blocks[:9] == (0.0,) * 9
    assert rate.blocks[9] == 1.0


def test_a_summary_gives_back_the_check() -> None:
    check = check_held_out(tiles(np.random.default_rng(0).exponential(size=(10, 100)), 2))
    assert HeldOutCheck.from_summary(json.loads(json.dumps(check.summary(), allow_nan=False))) == check
