"""Anomalies planted in normal scenes: how many pixels they take, what the page says, and that a fit finds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specvae.benchmarks.calibration import PARTS, run
from specvae.benchmarks.calibration.checkerboard import Squares
from specvae.benchmarks.calibration.planted import SHARES, Planted, discs, judge_planted, planted_rows, write_planted
from specvae.benchmarks.report import Report
from specvae.benchmarks.settings import Settings
from specvae.errors import UsageError
from tests.models import SHORT_FIT, TEN_BANDS, cube_of, small_scene


@pytest.mark.parametrize("share", SHARES)
def test_discs_take_the_share_of_the_normal_pixels_and_nothing_else(share: float) -> None:
    normal = np.ones((200, 180), bool)
    normal[:, :60] = False
    disc = discs(normal, share, np.random.default_rng(1))
    assert not (disc & ~normal).any()
    wanted = share * normal.sum()
    # The last disc has a pixel or two of radius more than the area that is left.
    assert wanted <= disc.sum() <= wanted + 40 + 0.1 * wanted


def found(*shares: float) -> Planted:
    return Planted("part", 20_000, {s: s in shares for s in SHARES}, dict.fromkeys(SHARES, "why"))


def test_the_page_counts_what_was_called_contaminated_against_the_targets() -> None:
    def said(parts: list[Planted]) -> str:
        report = Report("A page")
        write_planted(report, parts)
        return "\n".join(report.pieces)

    good = [found(0.01, 0.03)] * 18 + [found()] + [found(*SHARES)]
    assert "as they are 1, target 1 of 20 at most: met; with 1% planted 19, target 18 of 20 at least: met" in said(good)
    assert "as they are 2, target 1 of 20 at most: missed" in said([*good[:-2], found(*SHARES), found(*SHARES)])
    assert "with 1% planted 17, target 18 of 20 at least: missed" in said([*good[:17], found(), found(), found()])
    assert {(row.metric, row.value) for row in planted_rows([found(0.01)])} == {
        ("contaminated_0", 0.0),
        ("contaminated_0.001", 0.0),
        ("contaminated_0.01", 1.0),
        ("contaminated_0.03", 0.0),
    }


def test_a_part_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'boards' is no part of this benchmark; known: sets, checkerboards"):
        run(Settings(data=tmp_path, out=tmp_path, presets=("boards",)))
    assert PARTS[0] == "sets"


@pytest.mark.slow
def test_a_hundredth_is_found_in_a_scene_and_the_scene_alone_is_clean() -> None:
    cube = cube_of(small_scene())
    part = Squares("small", cube, TEN_BANDS, cube.valid, np.zeros_like(cube.valid))
    judged = judge_planted(part, SHORT_FIT, "cpu")
    assert judged.found[0.01]
    assert not judged.found[0.0]
