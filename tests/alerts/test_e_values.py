"""The calibrator is an e-value, and a martingale of such e-values seldom exceeds what Ville's inequality allows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from specvae.alerts.e_values import YEAR, log_e_values, needed_evidence, start_weight


def test_the_calibrator_is_the_mixture_over_all_kappa() -> None:
    for p in (0.9, 0.3, 1e-2, 1e-5):
        mixture, _ = quad(lambda kappa, p=p: kappa * p ** (kappa - 1), 0, 1)
        assert np.exp(log_e_values(np.log([p]))[0]) == pytest.approx(mixture, rel=1e-9)


def test_its_mean_over_uniform_p_values_is_one() -> None:
    # Over x = -log p, whose law is exponential. The tail falls as 1 / x^2, so that a tenth of it would lie beyond x = 10.
    def integrand(x: float) -> float:
        return float(np.exp(log_e_values(np.array([-x]))[0] - x))

    near, _ = quad(integrand, 0, 50)
    assert near == pytest.approx(1 - 1 / 50, abs=1e-4)


def test_its_series_meets_its_formula() -> None:
    around = log_e_values(np.array([-1.001e-3, -0.999e-3, 0.0]))
    assert around[0] == pytest.approx(around[1], abs=1e-5)
    assert np.exp(around[2]) == 0.5


def test_no_p_value_overflows() -> None:
    assert np.isfinite(log_e_values(np.array([-1e6, -700.0]))).all()


@pytest.mark.parametrize("level", [10.0, 100.0])
def test_a_year_of_normal_looks_seldom_exceeds_a_level(level: float) -> None:
    rng = np.random.default_rng(3)
    pixels, looks = 200_000, 73
    weight = float(start_weight(np.array(YEAR / looks)))
    wealth, highest, cash = np.zeros(pixels), np.zeros(pixels), 1.0
    for _ in range(looks):
        cash -= weight
        wealth = (wealth + weight) * np.exp(log_e_values(np.log(rng.uniform(size=pixels))))
        highest = np.maximum(highest, wealth + cash)
    share = float((highest >= level).mean())
    # Ville's bound from above. From below: the bound is not so loose that it would say nothing.
    assert 0.1 / level < share <= 1 / level


def test_weights_of_a_year_add_up_to_one_however_often_one_looks() -> None:
    for every in (1, 5, 16):
        looks = int(YEAR // every)
        assert looks * float(start_weight(np.array(float(every)))) == pytest.approx(1, abs=0.05)


def test_more_places_and_smaller_rates_need_more_evidence() -> None:
    assert needed_evidence(10_000, 0.1) == pytest.approx(np.log(1e5))
    assert needed_evidence(10_000, 0.01) > needed_evidence(10_000, 0.1)
