"""The three-dimensional ROC family and the rates asked beforehand, against curves integrated cut by cut."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from specvae.scoring.gathered.metrics import LabelledScores, TruthMetrics
from specvae.scoring.gathered.three_d_roc import ThreeDRoc


def made(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.05
    return (rng.gamma(2, 2, n) + 6 * truth).astype(np.float32), truth


def test_the_areas_are_those_of_the_curves_over_every_cut() -> None:
    score, truth = made()
    roc = ThreeDRoc()
    roc.update(score, truth)
    areas = roc.finish(float(roc_auc_score(truth, score)))
    assert areas is not None
    cuts = np.linspace(score.min(), score.max(), 20_001)
    scaled = (cuts - cuts[0]) / (cuts[-1] - cuts[0])
    detected, alarms = ((score[kind][:, None] > cuts[::20]).mean(axis=0) for kind in (truth, ~truth))
    d, f = (float(np.trapezoid(rate, scaled[::20])) for rate in (detected, alarms))
    assert areas["auc_d_tau"] == pytest.approx(d, abs=1e-3)
    assert areas["auc_f_tau"] == pytest.approx(f, abs=1e-3)
    a = areas["auc_d_f"]
    assert [areas[k] for k in ("td", "bs", "tdbs", "od", "odp")] == pytest.approx(  # type: ignore[literal-required]
        [a + d, a - f, d - f, a + d - f, d + 1 - f], abs=2e-3
    )
    assert areas["snpr"] == pytest.approx(d / f, rel=0.01)


def test_a_logarithm_changes_the_areas_over_tau_and_not_the_ranking() -> None:
    score, truth = made()
    metrics = TruthMetrics(("specvae",), 5.0)
    metrics.update(LabelledScores(score[None], truth))
    figures = metrics.finish()
    plain, log = figures["three_d_roc"], figures["three_d_roc_log"]
    assert plain is not None
    assert log is not None
    assert plain["auc_d_f"] == log["auc_d_f"]
    assert log["auc_d_tau"] > plain["auc_d_tau"] + 0.1
    assert figures["prevalence"] == pytest.approx(truth.mean())


def test_parts_merge_to_the_figures_of_all_and_rates_are_those_above_each_cut() -> None:
    score, truth = made()
    cuts = ((1e-2, 13.0), (1e-3, 18.0))
    once = TruthMetrics(("specvae",), 5.0, cuts=cuts)
    once.update(LabelledScores(score[None], truth))
    halves = [TruthMetrics(("specvae",), 5.0, cuts=cuts) for _ in range(2)]
    for half, part in zip(halves, (slice(0, 1500), slice(1500, None)), strict=True):
        half.update(LabelledScores(score[None, part], truth[part]))
    halves[0].merge(halves[1])
    assert halves[0].finish() == once.finish()
    for row, (asked, cut) in zip(once.finish()["rates"], cuts, strict=True):
        assert row == {
            "asked": asked,
            "threshold": cut,
            "detection_rate": pytest.approx((score[truth] > cut).mean()),
            "false_alarm_rate": pytest.approx((score[~truth] > cut).mean()),
        }


def test_one_kind_alone_or_scores_all_alike_have_no_areas() -> None:
    roc = ThreeDRoc()
    assert roc.finish(None) is None
    roc.update(np.ones(5), np.zeros(5, bool))
    assert roc.finish(0.5) is None
    roc.update(np.ones(5), np.ones(5, bool))
    assert roc.finish(0.5) is None
