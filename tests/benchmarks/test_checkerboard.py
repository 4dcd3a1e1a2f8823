"""Checkerboards: fitted on every second square, counted on the others, and what the page says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from specvae.benchmarks.calibration.checkerboard import Board, Squares, judge_board
from specvae.benchmarks.calibration.checkerboard_page import board_rows, write_boards
from specvae.benchmarks.report import Report
from tests.models import SHORT_FIT, TEN_BANDS, cube_of, small_scene

BOARD = Board(
    "scene", 120_000, {1e-2: 0.011, 1e-3: 0.9e-3}, {1e-2: (0.008, 0.013), 1e-3: (5e-4, 2e-3)},
    {1e-2: "empirical", 1e-3: "empirical"}, False, 9.0,
)  # fmt: skip


def said(*boards: Board) -> str:
    report = Report("A page")
    write_boards(report, boards)
    return "\n".join(report.pieces)


def test_a_rate_realises_on_the_squares_between_those_fitted() -> None:
    cube = cube_of(small_scene())
    rows, cols = np.arange(200) // 48, np.arange(230) // 48
    even = (rows[:, None] + cols) % 2 == 0
    board = judge_board(Squares("small", cube, TEN_BANDS, cube.valid & even, cube.valid & ~even), SHORT_FIT, "cpu")
    assert board.pixels == (cube.valid & even).sum()
    assert board.realised[1e-2] == pytest.approx(1e-2, rel=1.0)
    low, high = board.interval[1e-2]
    assert low < 1e-2 < high
    assert board.judged(1e-2)
    assert not board.judged(1e-3)


def test_the_page_says_what_is_met_and_what_is_missed() -> None:
    page = said(BOARD)
    assert "median over 1 judged scenes 1.10, target 0.8 to 1.25: met" in page
    assert "spans a factor of 4.0 at most over the 1 scenes" in page
    low = replace(BOARD, name="cloudy", realised={1e-2: 0.003, 1e-3: 0.0})
    assert "missed by cloudy 0.30" in said(BOARD, low)
    few = replace(BOARD, name="few", pixels=12_000)
    assert "0.90 (not judged)" in said(few)
    assert "no scene is large enough to be judged" in said(few)
    assert {row.metric for row in board_rows([BOARD])} >= {"realised_0.01", "interval_low_0.001", "interval_high_0.001"}
