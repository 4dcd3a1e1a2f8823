"""Metrics, baselines, accumulators and the overlapped loop against independent answers."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf
from sklearn.metrics import average_precision_score, roc_auc_score

from specvae.scoring.baselines import METHODS, Background
from specvae.scoring.gathered import metrics
from specvae.scoring.gathered.accumulator import Accumulator
from specvae.scoring.gathered.metrics import LabelledScores, TruthMetrics
from specvae.scoring.gathered.overview import Overview
from specvae.scoring.gathered.overview import _highest as highest
from specvae.scoring.gathered.pixels import PixelCounts, SampleOfPixels
from specvae.spectra import Cube, Parts, ScoredWindow, Window
from specvae.stages.demo.synthetic import endmembers, make_scene
from specvae.stages.score.overlap import overlapped


def pieces(rows: int, cols: int, step: int, seed: int = 0) -> tuple[list[ScoredWindow], ScoredWindow]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3, rows, cols)).astype(np.float32)
    reason = (rng.random((rows, cols)) < 0.2).astype(np.uint8) * rng.integers(1, 6, (rows, cols)).astype(np.uint8)
    score = np.where(reason == 0, rng.gamma(2, 1, (rows, cols)), np.nan).astype(np.float32)

    def piece(w: Window) -> ScoredWindow:
        part = score[w.slices]
        return ScoredWindow(
            Cube(values[(slice(None), *w.slices)], reason[w.slices], w), Parts(part, part, part * 0), part > 5
        )

    windows = [
        Window(r, c, min(step, rows - r), min(step, cols - c))
        for r in range(0, rows, step)
        for c in range(0, cols, step)
    ]
    return [piece(w) for w in windows], piece(Window(0, 0, rows, cols))


@pytest.mark.parametrize("kind", [PixelCounts, lambda: SampleOfPixels(3), lambda: Overview(150, 200, 4, (2, 1, 0))])
def test_windows_in_any_order_and_shards_gather_what_one_window_does(
    kind: Callable[[], Accumulator[ScoredWindow, object]],
) -> None:
    parts, scene = pieces(150, 200, 64)
    once, first, second = kind(), kind(), kind()
    once.update(scene)
    for i in np.random.default_rng(1).permutation(len(parts)):
        (first if i % 2 else second).update(parts[i])
    first.merge(second)
    a, b = once.finish(), first.finish()
    if isinstance(a, dict):
        assert a == b
        return
    for name in vars(a):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_an_overview_keeps_the_highest_score_of_each_block() -> None:
    _, scene = pieces(130, 70, 64)
    view = Overview(130, 70, 8, (0, 1, 2))
    view.update(scene)
    assert view.score.shape == (17, 9)
    for r, c in ((0, 0), (16, 8), (5, 3)):
        assert view.score[r, c] == np.nanmax(scene.parts.score[8 * r : 8 * r + 8, 8 * c : 8 * c + 8])


def test_pixels_are_counted_by_reason() -> None:
    _, scene = pieces(50, 60, 64)
    counts = PixelCounts()
    counts.update(scene)
    section = counts.finish()
    assert section["valid"] + sum(section["invalid_by_reason"].values()) == section["total"] == 3000
    assert section["invalid_by_reason"]["nodata"] == int((scene.cube.reason == 1).sum())


def labelled(n: int, seed: int = 0, methods: int = 2) -> LabelledScores:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.02
    noise = rng.standard_gamma(6, (methods, n)).astype(np.float32)
    return LabelledScores(noise + 4 * truth * np.arange(1, methods + 1, dtype=np.float32)[:, None], truth)


def gathered(piece: LabelledScores, bounds: list[int], order: list[int] | None = None) -> TruthMetrics:
    """Metrics of a piece that is cut at ``bounds``, given in an order to three shards that are then merged."""
    shards = [TruthMetrics(("specvae", "rx"), 9.0) for _ in range(3)]
    parts = np.split(np.arange(piece.truth.size), bounds)
    for place, index in enumerate(order or range(len(parts))):
        part = parts[index]
        shards[place % 3].update(LabelledScores(piece.scores[:, part], piece.truth[part]))
    shards[2].merge(shards[0])
    shards[2].merge(shards[1])
    return shards[2]


def test_metrics_are_those_of_scikit_learn() -> None:
    piece = labelled(5000)
    figures = gathered(piece, [700, 1400, 1401, 4000]).finish()
    for row, ranking in zip(piece.scores, (figures, figures["baselines"]["rx"]), strict=True):
        assert ranking["auroc"] == pytest.approx(roc_auc_score(piece.truth, row), abs=1e-12)
        assert ranking["average_precision"] == pytest.approx(average_precision_score(piece.truth, row), abs=1e-12)
    flagged = piece.scores[0] > 9
    assert figures["detection_rate"] == float(flagged[piece.truth].mean())
    assert figures["false_alarm_rate"] == float(flagged[~piece.truth].mean())
    assert (figures["positives"], figures["negatives"]) == (piece.truth.sum(), (~piece.truth).sum())


@pytest.mark.parametrize(("scale", "offset", "error"), [(1.0, 0.0, 1e-5), (-1.0, 0.0, 1e-5), (4.0, 1000.0, 1e-3)])
def test_metrics_of_many_pixels_are_those_of_scikit_learn_within_their_error(
    monkeypatch: pytest.MonkeyPatch, scale: float, offset: float, error: float
) -> None:
    monkeypatch.setattr(metrics, "EXACT", 50_000)
    monkeypatch.setattr(metrics, "PENDING", 30_000)
    piece = labelled(300_000)
    piece = LabelledScores(np.float32(scale) * piece.scores + np.float32(offset), piece.truth)
    accumulator = gathered(piece, list(range(10_000, 300_000, 10_000)))
    assert accumulator.counts is not None
    assert sum(held.truth.size for held in accumulator.pending) <= 30_000
    figures = accumulator.finish()
    for row, ranking in zip(piece.scores, (figures, figures["baselines"]["rx"]), strict=True):
        assert ranking["auroc"] == pytest.approx(roc_auc_score(piece.truth, row), abs=error)
        assert ranking["average_precision"] == pytest.approx(average_precision_score(piece.truth, row), abs=error)
    flagged = piece.scores[0] > 9
    assert figures["detection_rate"] == float(flagged[piece.truth].mean())
    assert figures["false_alarm_rate"] == float(flagged[~piece.truth].mean())
    assert (figures["positives"], figures["negatives"]) == (piece.truth.sum(), (~piece.truth).sum())


@pytest.mark.parametrize("pixels", [20_000, 20_001, 60_000])
def test_metrics_do_not_depend_on_the_order_of_windows_and_merges(monkeypatch: pytest.MonkeyPatch, pixels: int) -> None:
    monkeypatch.setattr(metrics, "EXACT", 20_000)
    monkeypatch.setattr(metrics, "PENDING", 7_000)
    piece = labelled(pixels)
    once = TruthMetrics(("specvae", "rx"), 9.0)
    once.update(piece)
    assert (once.counts is None) == (pixels <= 20_000)
    rng = np.random.default_rng(1)
    for _ in range(5):
        bounds = sorted(rng.integers(1, pixels, 9).tolist())
        parts = gathered(piece, bounds, rng.permutation(10).tolist())
        assert parts.finish() == once.finish()
        assert parts.finish() == once.finish(), "to finish twice gives the same"


def test_metrics_hold_no_more_memory_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "EXACT", 20_000)
    monkeypatch.setattr(metrics, "PENDING", 10_000)
    accumulator = TruthMetrics(("specvae", "rx"), 9.0)
    sizes = []
    for seed in range(12):
        accumulator.update(labelled(10_000, seed))
        sizes.append(len(pickle.dumps(accumulator)))
    assert max(sizes[3:]) - min(sizes[3:]) <= 10_000 * 9 + 1000


def test_metrics_rank_scores_beyond_float32_last() -> None:
    accumulator = TruthMetrics(("specvae", "rx"), 0.0)
    accumulator.update(LabelledScores(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 1e60]]), np.array([False, False, True])))
    assert accumulator.finish()["baselines"]["rx"] == {"auroc": 1.0, "average_precision": 1.0}


@pytest.mark.parametrize("exact", [0, 100])
def test_metrics_of_one_kind_alone_are_none(monkeypatch: pytest.MonkeyPatch, exact: int) -> None:
    monkeypatch.setattr(metrics, "EXACT", exact)
    accumulator = TruthMetrics(("specvae",), 0.0)
    accumulator.update(LabelledScores(np.ones((1, 4)), np.zeros(4, bool)))
    figures = accumulator.finish()
    assert (figures["auroc"], figures["average_precision"], figures["detection_rate"]) == (None, None, None)
    assert figures["false_alarm_rate"] == 1.0


def test_metrics_of_nothing_are_none() -> None:
    figures = TruthMetrics(("specvae", "rx"), 0.0).finish()
    assert figures["baselines"] == {"rx": {"auroc": None, "average_precision": None}}
    assert (figures["auroc"], figures["positives"], figures["false_alarm_rate"]) == (None, 0, None)


def test_rx_is_the_mahalanobis_distance_of_the_shrunk_covariance() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5)) * [1, 10, 100, 1000, 1] + 7
    background = Background.fit(rows.T)
    scale = rows.std(axis=0)
    covariance = LedoitWolf().fit((rows - rows.mean(0)) / scale).covariance_ * np.outer(scale, scale)
    inverse = np.linalg.inv(covariance)
    expected = [mahalanobis(row, rows.mean(axis=0), inverse) ** 2 for row in rows[:20]]
    np.testing.assert_allclose(background.rx(rows[:20]), expected, rtol=1e-6)


def test_every_baseline_ranks_a_far_spectrum_first() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(500, 6))
    far = np.vstack([rows[:50], np.full((1, 6), 30.0)])
    for name, score in zip(METHODS, Background.fit(rows.T).scores(far), strict=True):
        assert score.argmax() == 50, name


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_overlapping_keeps_order_and_bounds_what_is_under_way(at_once: int) -> None:
    under_way, most, lock, written = 0, 0, threading.Lock(), []

    def read(i: int) -> int:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.001)
        return i * i

    def write(i: int, value: int) -> None:
        nonlocal under_way
        with lock:
            under_way -= 1
        written.append((i, value))

    working, together, met = 0, 0, threading.Barrier(at_once)

    def work(i: int, value: int) -> int:
        nonlocal working, together
        with lock:
            working += 1
            together = max(together, working)
        if i < at_once:  # the first ones wait for each other: broken, were they not worked on at once
            met.wait(timeout=30)
        time.sleep(0.002 * (i % 3))
        with lock:
            working -= 1
        return value + 1

    overlapped(range(50), read, work, write, at_once=at_once)
    assert written == [(i, i * i + 1) for i in range(50)]
    assert together == at_once
    assert most <= at_once + 3


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("fails", ["read", "work", "write"])
def test_the_first_failure_ends_the_loop_and_is_raised(fails: str, at_once: int) -> None:
    def guard(name: str, i: int) -> int:
        if name == fails and i == 7:
            raise ValueError("seven")
        return i

    with pytest.raises(ValueError, match="seven"):
        overlapped(
            range(100),
            lambda i: guard("read", i),
            lambda i, v: guard("work", i),
            lambda i, v: guard("write", i),
            at_once=at_once,
        )


def test_a_synthetic_scene_is_physical_and_seeded() -> None:
    a, b = make_scene(80, 90, seed=1, anomalies=True), make_scene(80, 90, seed=1, anomalies=True)
    np.testing.assert_array_equal(a.values, b.values)
    assert a.planted == len(set(np.unique(a.truth)) - {0, 255})
    assert a.planted >= 3
    assert ((a.values == 0).all(axis=0) == (a.truth == 255)).all()
    for spectrum in endmembers().values():
        assert (spectrum > 0).all()
        assert (spectrum < 1).all()


@pytest.mark.parametrize("step", [2, 8, 16])
@pytest.mark.parametrize("kind", ["rough", "flat", "holes"])
def test_an_overview_keeps_the_highest_score_of_each_block_and_its_kl(step: int, kind: str) -> None:
    rng = np.random.default_rng(step)
    score = rng.random((64, 120), dtype=np.float32)
    if kind == "flat":
        score[:] = 2.0
    if kind == "holes":
        score[rng.random(score.shape) < 0.3] = np.nan
        score[:32, :64] = np.nan
    beside = np.where(np.isnan(score), np.nan, rng.random(score.shape)).astype(np.float32)
    best, value = highest(score, beside, step)
    for row, col in np.ndindex(best.shape):
        block = (slice(row * step, (row + 1) * step), slice(col * step, (col + 1) * step))
        if np.isnan(score[block]).all():
            assert np.isnan([best[row, col], value[row, col]]).all()
            continue
        assert best[row, col] == np.nanmax(score[block])
        assert value[row, col] == beside[block][score[block] == best[row, col]].max()
