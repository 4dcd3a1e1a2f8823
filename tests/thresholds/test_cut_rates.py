"""The rate of any cut is that of the threshold set there."""

from __future__ import annotations

import numpy as np
import pytest

from specvae.thresholds.calibration import Calibration
from specvae.thresholds.cut_rates import cut_of, rates_of
from specvae.thresholds.tiles import CalibrationTiles, Tile


def calibration(scores: np.ndarray, contaminated: bool = False) -> Calibration:
    tiles = tuple(Tile(part.astype(np.float32)[None], 0, i) for i, part in enumerate(np.array_split(scores, 40)))
    return Calibration(CalibrationTiles(tiles, ("a",)), contaminated=contaminated, trim=0.03)


@pytest.mark.parametrize("contaminated", [False, True])
def test_the_rate_at_a_threshold_is_the_one_asked_for(contaminated: bool) -> None:
    scores = np.random.default_rng(0).pareto(3, 40_000) * 10 + 1
    fitted = calibration(scores, contaminated)
    for rate in (0.05, 0.01, 2e-3, 1e-3, 3e-4):
        threshold = fitted.threshold(rate)
        assert threshold.supported
        assert rates_of(fitted, np.array([threshold.value]))[0] == pytest.approx(rate, rel=0.05)


def test_rates_fall_with_the_cut_in_any_order_and_match_the_true_law() -> None:
    rng = np.random.default_rng(1)
    fitted = calibration(rng.exponential(5.0, 60_000))
    cuts = rng.permutation(np.linspace(0.1, 45, 400))
    rates = rates_of(fitted, cuts)
    assert (np.diff(rates[np.argsort(cuts)]) <= 0).all()
    near = (cuts > 1) & (cuts < 30)
    np.testing.assert_allclose(np.log(rates[near]), -cuts[near] / 5, atol=0.45)


def test_without_held_out_scores_no_rate_is_known() -> None:
    empty = Calibration(CalibrationTiles((), ()))
    assert np.isnan(rates_of(empty, np.array([1.0, 2.0]))).all()


@pytest.mark.parametrize("n", [5, 60, 400, 5000, 60_000])
@pytest.mark.parametrize("kind", ["gamma", "heavy", "ties", "contaminated"])
def test_a_cut_is_the_threshold_without_its_intervals(n: int, kind: str) -> None:
    rng = np.random.default_rng(n)
    scores = {
        "gamma": rng.gamma(4, 2, n),
        "heavy": rng.pareto(1.2, n),
        "ties": np.round(rng.gamma(4, 2, n)),
        "contaminated": np.r_[rng.gamma(4, 2, n), 50 + rng.gamma(4, 2, max(1, n // 50))],
    }[kind]
    fitted = calibration(scores, contaminated=kind == "contaminated")
    for rate in (0.5, 0.1, 3e-2, 2e-3, 1e-3, 5e-5, 1e-6):
        threshold = Calibration(fitted.tiles, fitted.contaminated, 0.03).threshold(rate, explicit=True)
        assert cut_of(fitted, rate) == (threshold.value, threshold.false_alarm_rate)
