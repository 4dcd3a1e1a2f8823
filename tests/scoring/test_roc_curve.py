"""The curves and the counts of objects against a truth, by scikit-learn and scipy as oracles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import precision_recall_curve, roc_curve

from specvae.scoring.gathered.metrics import LabelledScores, TruthMetrics
from specvae.scoring.gathered.object_detection import ObjectDetection, detected_objects
from specvae.scoring.gathered.roc_curve import roc_of_scores
from specvae.spectra import Cube, Parts, ScoredWindow, Window


def made(n: int = 50_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.02
    return np.round(rng.gamma(2, 2, n) + 5 * truth, 2).astype(np.float32), truth


def test_every_point_is_on_the_curve_of_scikit_learn() -> None:
    score, truth = made()
    curve = roc_of_scores(score, truth)
    assert curve is not None
    alarms, found, _ = roc_curve(truth, score, drop_intermediate=False)
    known = {(round(a, 6), round(d, 6)) for a, d in zip(alarms, found, strict=True)}
    assert set(zip(curve["false_alarm_rate"], curve["detection_rate"], strict=True)) <= known
    precision, recall, _ = precision_recall_curve(truth, score)
    pairs = {(round(r, 6), round(p, 6)) for r, p in zip(recall, precision, strict=True)}
    assert set(zip(curve["detection_rate"], curve["precision"], strict=True)) <= pairs
    assert curve["false_alarm_rate"] == sorted(curve["false_alarm_rate"])
    assert curve["false_alarm_rate"][-1] == curve["detection_rate"][-1] == 1.0


def test_the_thinned_curve_is_dense_where_false_alarms_are_rare() -> None:
    score, truth = made()
    curve = roc_of_scores(score, truth)
    assert curve is not None
    alarms, found, _ = roc_curve(truth, score, drop_intermediate=False)
    assert 40 < len(curve["false_alarm_rate"]) < 110
    for rate in np.geomspace(1e-4, 0.5, 40):
        exact = found[np.searchsorted(alarms, rate, side="right") - 1]
        rates = np.array(curve["false_alarm_rate"])
        thinned = curve["detection_rate"][int(np.searchsorted(rates, rate, side="right")) - 1]
        assert exact - 0.06 < thinned <= exact + 1e-6


def test_curves_of_bins_are_those_of_every_score(monkeypatch: pytest.MonkeyPatch) -> None:
    from specvae.scoring.gathered import metrics

    score, truth = made()
    exact = TruthMetrics(("specvae", "rx"), 5.0)
    exact.update(LabelledScores(np.stack([score, -score]), truth))
    monkeypatch.setattr(metrics, "EXACT", 1000)
    binned = TruthMetrics(("specvae", "rx"), 5.0)
    binned.update(LabelledScores(np.stack([score, -score]), truth))
    for name in ("specvae", "rx"):
        one, other = (m.finish()["curves"][name] for m in (exact, binned))
        at = np.geomspace(1e-3, 1, 30)
        curves = [np.interp(at, c["false_alarm_rate"], c["detection_rate"]) for c in (one, other)]
        np.testing.assert_allclose(*curves, atol=0.01)


def test_one_kind_alone_has_no_curve() -> None:
    assert roc_of_scores(np.ones(4), np.zeros(4, bool)) is None
    assert roc_of_scores(np.ones(0), np.zeros(0, bool)) is None


def piece(flagged: np.ndarray, window: Window) -> ScoredWindow:
    part = flagged[window.slices]
    zeros = np.zeros(part.shape, np.float32)
    cube = Cube(np.zeros((2, *part.shape), np.float32), np.zeros(part.shape, np.uint8), window)
    return ScoredWindow(cube, Parts(zeros, zeros, zeros), part)


@pytest.mark.parametrize("seed", range(4))
def test_objects_are_counted_as_scipy_does_whatever_the_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    blurred = [ndimage.gaussian_filter(rng.normal(size=(60, 70)), 1.5) for _ in range(2)]
    truth, flagged = (values > np.quantile(values, 0.9) for values in blurred)
    known = rng.random((60, 70)) > 0.1
    expected = []
    for mask, other in ((truth & known, flagged & known), (flagged & known, truth & known)):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        expected += [count, len(np.unique(labels[other & mask]))]
    counts = {"true": expected[0], "found": expected[1], "flagged": expected[2], "false": expected[2] - expected[3]}
    assert 0 < counts["found"] < counts["true"]
    complete = Window(0, 0, 60, 70)
    assert detected_objects(piece(flagged, complete), truth, known) == counts
    windows = [Window(row, col, 20, 35) for row in (0, 20, 40) for col in (0, 35)]
    halves = [ObjectDetection(), ObjectDetection()]
    for number, index in enumerate(rng.permutation(6)):
        window = windows[index]
        halves[number % 2].update(piece(flagged, window), truth[window.slices], known[window.slices])
    halves[0].merge(halves[1])
    assert halves[0].finish() == counts
