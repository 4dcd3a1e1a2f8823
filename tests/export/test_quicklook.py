"""The quicklook keeps what matters: a single flagged pixel, whatever the size, and any scene draws."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from specvae.export.colours import FLAG, rgb, viridis
from specvae.export.report.quicklook import FOOT, GAP, HEAD, LINE, ScoreScale, draw_quicklook
from specvae.export.report.table_quicklook import BINS, ScoreSpread, draw_table_quicklook
from specvae.scoring.gathered.overview import Overview
from specvae.thresholds.threshold import Threshold


def view(rows: int, cols: int, flagged: tuple[int, int] | None = None) -> Overview:
    rng = np.random.default_rng(0)
    made = Overview(rows, cols, 1, (0, 1, 2))
    made.score[:] = rng.gamma(5, 1, (rows, cols))
    made.composite[:] = rng.uniform(0, 1, (3, rows, cols))
    if flagged:
        made.score[flagged] = 1e5
        made.anomalous[flagged] = True
    return made


def cut(value: float = 20.0, rate: float | None = 1e-3) -> Threshold:
    return Threshold(value, rate, rate, "given", None, None, True)


def flags_in(path: Path) -> np.ndarray:
    pixels = np.asarray(Image.open(path).convert("RGB"))
    last = pixels[HEAD:, 2 * pixels.shape[1] // 3 :]
    return np.argwhere((last == rgb(FLAG)).all(axis=-1))


@pytest.mark.parametrize("shape", [(100, 100), (300, 500), (1225, 1224), (2000, 300)])
def test_a_single_flagged_pixel_is_seen_at_its_place_in_any_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    at = (shape[0] // 3, shape[1] // 2)
    draw_quicklook(tmp_path / "q.png", view(*shape, at), cut(), "a scene")
    found = flags_in(tmp_path / "q.png")
    assert len(found) >= 9
    height = Image.open(tmp_path / "q.png").height - HEAD - FOOT
    assert found[:, 0].mean() / height == pytest.approx(1 / 3, abs=0.02)
    assert np.ptp(found[:, 1]) < 12


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (2500, 1), (64, 64)])
def test_any_shape_is_drawn(tmp_path: Path, shape: tuple[int, int]) -> None:
    draw_quicklook(tmp_path / "q.png", view(*shape), cut(), "strip")
    assert Image.open(tmp_path / "q.png").width > 3 * GAP
    assert not len(flags_in(tmp_path / "q.png"))


@pytest.mark.parametrize("value", [np.inf, -np.inf, -5.0, 0.0, 1e30])
def test_any_cut_is_drawn(tmp_path: Path, value: float) -> None:
    draw_quicklook(tmp_path / "q.png", view(40, 50), cut(value, None), "<b>$x$ Österreich</b>")
    assert (tmp_path / "q.png").stat().st_size > 1000


def test_an_invalid_scene_and_a_constant_one_are_drawn(tmp_path: Path) -> None:
    draw_quicklook(tmp_path / "q.png", Overview(50, 50, 1, (0, 0, 0)), cut(), "empty")
    flat = view(50, 50)
    flat.score[:], flat.composite[:] = -1.0, 0.0
    draw_quicklook(tmp_path / "flat.png", flat, cut(), "flat")
    assert np.asarray(Image.open(tmp_path / "flat.png")).std() > 0


def test_the_colours_are_those_of_matplotlib_to_a_shade() -> None:
    places = np.linspace(0, 1, 50)
    truth = colormaps["viridis"](places)[:, :3] * 255
    assert np.abs(viridis(places) - truth).max() < 16


@pytest.mark.parametrize("value", [7.0, 1234.5, 123_456_789.0])
def test_what_is_said_of_the_cut_ends_within_the_picture(tmp_path: Path, value: float) -> None:
    draw_quicklook(tmp_path / "q.png", view(300, 60), cut(value, 0.00123), "a narrow scene")
    pixels = np.asarray(Image.open(tmp_path / "q.png").convert("RGB"))
    inked = np.argwhere((pixels[: HEAD - 4] < 200).any(axis=(0, 2)))
    assert inked.max() < pixels.shape[1] - GAP // 2


def test_a_picture_finer_than_the_score_is_drawn_over_it(tmp_path: Path) -> None:
    made = view(20, 30, (5, 6))
    made.composite = np.random.default_rng(0).uniform(0, 1, (3, 20 * 8, 30 * 8)).astype(np.float32)
    draw_quicklook(tmp_path / "fine.png", made, cut(), "patches")
    draw_quicklook(tmp_path / "coarse.png", view(20, 30, (5, 6)), cut(), "pixels")
    for name in ("fine", "coarse"):
        found = flags_in(tmp_path / f"{name}.png")
        height = Image.open(tmp_path / f"{name}.png").height - HEAD - FOOT
        assert found[:, 0].mean() / height == pytest.approx(5.5 / 20, abs=0.01)
        assert np.ptp(found[:, 0]) + 1 == pytest.approx(height / 20, abs=1)


@pytest.mark.parametrize(("words", "lines"), [("short", 1), ("a rather long word " * 15, 2), ("endless " * 400, 3)])
def test_notes_stand_below_the_picture_in_lines_that_fit(tmp_path: Path, words: str, lines: int) -> None:
    draw_quicklook(tmp_path / "plain.png", view(100, 100), cut(), "a scene")
    draw_quicklook(tmp_path / "noted.png", view(100, 100), cut(), "a scene", [("what", words)])
    plain, noted = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")) for name in ("plain", "noted"))
    assert len(noted) - len(plain) == LINE * lines + GAP
    np.testing.assert_array_equal(noted[: len(plain)], plain)
    assert np.argwhere(noted[len(plain) :] < 200)[:, 1].max() < plain.shape[1] - GAP // 2


def test_the_first_object_is_circled_at_its_place(tmp_path: Path) -> None:
    draw_quicklook(tmp_path / "plain.png", view(100, 80), cut(), "a scene")
    draw_quicklook(tmp_path / "circled.png", view(100, 80), cut(), "a scene", (), (70, 20))
    plain, circled = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")) for name in ("plain", "circled"))
    rows, cols = np.nonzero(plain != circled)
    assert (rows.min() + rows.max()) / 2 - HEAD == pytest.approx(70.5 * 6, abs=2)
    left = circled.shape[1] - GAP - max(330, 80 * 6, cols.max() - cols.min())
    assert (cols.min() + cols.max()) / 2 - left == pytest.approx(20.5 * 6, abs=40)


def test_the_scale_is_linear_up_to_the_cut_and_logarithmic_above() -> None:
    scale = ScoreScale(0.0, 1e4, 10.0)
    place = [float(scale.place(v)) for v in (0, 5, 10, 100, 1000, 10_000)]
    assert (place[0], place[-1]) == (pytest.approx(0), pytest.approx(1))
    assert place[1] == pytest.approx(place[2] / 2)
    assert np.diff(place[2:]) == pytest.approx([(1 - place[2]) / 3] * 3)


def flagged_share(path: Path) -> float:
    """Share of the columns of a table's quicklook that hold the colour of flags, its legend left out."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return float((pixels[-80:-60] == rgb(FLAG)).all(axis=-1).any(axis=0).mean())


def spread_of(score: np.ndarray, value: float, chunk: int = 700) -> ScoreSpread:
    """The spread of scores that come in chunks."""
    spread = ScoreSpread(value)
    for at in range(0, len(score), chunk):
        spread.update(score[at : at + chunk])
    return spread


def test_the_bars_of_a_table_count_every_score_once_in_its_own_bar_or_the_one_below() -> None:
    rng = np.random.default_rng(1)
    score = np.r_[rng.gamma(4, 2, 20_000), 10 ** rng.uniform(1, 5, 500), [np.nan, np.inf]].astype(np.float32)
    spread, good = spread_of(score, 12.0), score[np.isfinite(score)]
    assert (spread.low, spread.high) == (float(good.min()), float(good.max()))
    for part, scores in ((spread.normal, good[good <= 12]), (spread.anomalous, good[good > 12])):
        bars = spread.bars(part)
        truth = np.histogram(spread.scale().place(scores), BINS, (0, 1))[0]
        assert bars.sum() == part.total == len(scores)
        moved = np.cumsum(bars) - np.cumsum(truth)
        assert (moved >= 0).all()
        assert (moved <= np.append(truth[1:], 0)).all()
        assert moved.max() < 0.1 * len(scores)


def test_the_spread_of_a_table_takes_the_same_memory_however_many_rows_there_are() -> None:
    few, many = (spread_of(np.random.default_rng(0).gamma(4, 2, n).astype(np.float32), 12.0) for n in (10, 200_000))
    assert len(pickle.dumps(few)) == pytest.approx(len(pickle.dumps(many)), abs=100)


def test_a_table_s_tail_is_spread_out_and_its_colour_is_that_of_flags(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    score = np.r_[rng.uniform(0, 10, 5000), 10 ** rng.uniform(1, 4, 2000)].astype(np.float32)
    draw_table_quicklook(tmp_path / "q.png", spread_of(score, 10.0), "rows", cut(10.0))
    # A third of the axis is linear up to the cut: 1 of 1 + 3 / 1.5.
    assert flagged_share(tmp_path / "q.png") == pytest.approx(0.9 * 2 / 3, abs=0.06)
    draw_table_quicklook(tmp_path / "normal.png", spread_of(score[:5000], 10.0), "rows", cut(10.0))
    assert flagged_share(tmp_path / "normal.png") == 0


@pytest.mark.parametrize("value", [np.inf, -np.inf, -5.0, 0.0, 1e30])
@pytest.mark.parametrize("score", [[], [np.nan], [-3.0], [2.0, 2.0], [-1e3, 0.0, 1e30]])
def test_any_table_is_drawn(score: list[float], value: float, tmp_path: Path) -> None:
    spread = spread_of(np.array(score, np.float32), value)
    draw_table_quicklook(tmp_path / "q.png", spread, "<b>$x$ Österreich</b>", cut(value, None))
    assert (tmp_path / "q.png").stat().st_size > 1000
