"""Calibrations: thresholds that keep their rate, refusals that say so, p-values that are valid."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from specvae.errors import ModelError
from specvae.thresholds import normal_law
from specvae.thresholds.calibration import Calibration
from specvae.thresholds.tiles import INDEPENDENT, CalibrationTiles, Tile


def tiles_of(scores: np.ndarray, blocks: int = 40) -> CalibrationTiles:
    parts = np.array_split(np.asarray(scores, np.float32), blocks)
    return CalibrationTiles(tuple(Tile(part[None], 0, i) for i, part in enumerate(parts)), ("normal",))


def exponential(n: int, seed: int = 0, **options: object) -> Calibration:
    return Calibration(tiles_of(np.random.default_rng(seed).exponential(size=n)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n", "rate", "method"), [(40_000, 1e-2, "empirical"), (40_000, 1e-3, "empirical"), (5000, 1e-3, "pareto")]
)
def test_the_rate_that_realises_is_the_rate_that_was_asked(n: int, rate: float, method: str) -> None:
    ratios = []
    for seed in range(20):
        cut = exponential(n, seed).threshold(rate)
        assert (cut.method, cut.supported, cut.warning) == (method, True, None)
        assert cut.false_alarm_rate == cut.asked_rate == rate
        assert cut.interval is not None
        assert cut.interval[0] < rate < cut.interval[1]
        assert cut.value_interval is not None
        assert cut.value_interval[0] <= cut.value <= cut.value_interval[1]
        ratios.append(np.exp(-cut.value) / rate)
    assert 0.8 < np.median(ratios) < 1.25


def test_a_default_rate_beyond_the_data_becomes_the_nearest_that_they_support_and_both_are_reported() -> None:
    cut = exponential(300).threshold(1e-3)
    assert not cut.supported
    assert cut.asked_rate == 1e-3
    assert cut.false_alarm_rate == pytest.approx(5 / 301)
    assert cut.warning is not None
    assert "0.001 is not supported" in cut.warning
    assert "0.017 is used instead" in cut.warning
    assert np.exp(-cut.value) == pytest.approx(5 / 301, rel=0.8)


def test_an_explicit_rate_beyond_the_data_is_given_with_a_warning_and_what_they_support() -> None:
    cut = exponential(5000).threshold(1e-6, explicit=True)
    assert (cut.method, cut.supported, cut.false_alarm_rate) == ("pareto", False, 1e-6)
    assert cut.warning is not None
    assert "data support 8e-06 at least" in cut.warning
    assert cut.value > exponential(5000).ordered[-1]


@pytest.mark.parametrize("n", [1, 5, 19])
def test_the_maximum_is_never_returned_silently(n: int) -> None:
    calibration = exponential(n)
    cut = calibration.threshold(1e-3, explicit=True)
    assert cut.value == calibration.ordered[-1]
    assert (cut.method, cut.supported) == ("maximum", False)
    assert cut.false_alarm_rate == pytest.approx(1 / (n + 1))
    assert cut.warning is not None
    assert "the cut is the largest of" in cut.warning


@pytest.mark.parametrize("n", [1, 19, 98])
def test_of_too_few_rows_nothing_is_flagged_by_default_and_what_is_missing_is_said(n: int) -> None:
    calibration = exponential(n)
    cut = calibration.threshold()
    assert (cut.method, cut.supported, cut.false_alarm_rate, cut.interval) == ("none", False, None, None)
    assert cut.value > 1e38
    assert np.isfinite(cut.value)
    assert cut.warning is not None
    assert "99 held-out normal pixels or rows are needed for 5%" in cut.warning
    assert f"the model has {n}" in cut.warning
    assert "nothing is flagged" in cut.warning


@pytest.mark.parametrize("n", [99, 100, 219, 499])
def test_from_a_hundred_rows_on_five_per_cent_are_supported(n: int) -> None:
    realised = []
    for seed in range(40):
        cut = exponential(n, seed).threshold(0.05)
        assert (cut.method, cut.supported, cut.false_alarm_rate) == ("empirical", True, 0.05)
        realised.append(np.exp(-cut.value))
    assert np.mean(realised) == pytest.approx(0.05, rel=0.2)
    nearest = exponential(n).threshold()
    assert nearest.false_alarm_rate is not None
    assert nearest.false_alarm_rate <= 0.05


LAWS = {
    "exponential": lambda rng, n: rng.exponential(size=n),
    "heavy": lambda rng, n: rng.pareto(0.9, n),
    "bounded": lambda rng, n: rng.uniform(size=n),
    "ties": lambda rng, n: np.round(rng.exponential(size=n), 1),
    "two heaps": lambda rng, n: np.where(
        rng.uniform(size=n) < 0.01, 40 + rng.exponential(size=n), rng.exponential(size=n)
    ),
}


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(LAWS)),
    st.integers(20, 3000),
    st.floats(-5.5, -0.7),
    st.booleans(),
    st.integers(0, 5),
)
def test_a_score_is_above_the_cut_if_and_only_if_its_p_value_is_at_most_the_rate(
    law: str, n: int, log_rate: float, contaminated: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    calibration = Calibration(tiles_of(LAWS[law](rng, n), min(n, 40)), contaminated=contaminated, trim=0.03)
    cut = calibration.threshold(10**log_rate, explicit=True)
    assert cut.false_alarm_rate is not None
    scores = np.concatenate([calibration.ordered, cut.value * rng.uniform(0.2, 3, 200)]).astype(np.float32)
    # At the cut itself, a law's two directions differ by the rounding of a logarithm.
    scores = scores[np.abs(scores - cut.value) > 1e-6 * max(1.0, abs(cut.value))]
    flagged = scores > cut.value
    p = calibration.p_values(scores)
    np.testing.assert_array_equal(flagged, p <= cut.false_alarm_rate * (1 + 1e-9))


def test_no_score_at_all_is_refused_in_one_line() -> None:
    with pytest.raises(ModelError, match="no held-out scores"):
        Calibration(CalibrationTiles((), ())).threshold(1e-3)


@pytest.mark.parametrize("rate", [0.0, 1.0, -1e-3, 7.0, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        exponential(100).threshold(rate)


def test_a_refused_tail_is_named_in_the_warning() -> None:
    calibration = Calibration(tiles_of(np.random.default_rng(0).pareto(0.7, 3000)))
    cut = calibration.threshold(1e-4)
    assert not cut.supported
    assert cut.warning is not None
    assert "too heavy" in cut.warning
    assert cut.false_alarm_rate == pytest.approx(5 / 3001)


def test_thresholds_rise_as_rates_fall() -> None:
    for n in (200, 3000, 50_000):
        values = [cut.value for cut in exponential(n).table()]
        assert all(a <= b for a, b in zip(values, values[1:], strict=False))


def test_a_contaminated_calibration_is_model_based_and_ignores_the_anomalies() -> None:
    rng = np.random.default_rng(3)
    scores = rng.exponential(size=10_000)
    scores[rng.permutation(10_000)[:200]] = 20 + rng.exponential(size=200)
    cut = Calibration(tiles_of(scores), contaminated=True, trim=0.03).threshold(1e-3)
    assert (cut.method, cut.warning) == ("model-based", None), "it is said where the model is made, once"
    assert 1e-3 / 4 < np.exp(-cut.value) < 4e-3
    assert Calibration(tiles_of(scores)).threshold(1e-3).value > 20


def test_a_contaminated_calibration_without_a_trim_share_is_refused() -> None:
    with pytest.raises(ValueError, match="trim share"):
        exponential(100, contaminated=True)


def test_p_values_are_uniform_on_k_over_n_plus_one() -> None:
    """The guarantee holds for the whole: ranks up to the largest score and the tail beyond, which is never above them."""
    rng = np.random.default_rng(5)
    p = np.array([exponential(19, seed).p_values(rng.exponential(size=1))[0] for seed in range(1500)])
    counts = np.bincount(np.rint(p * 20).astype(int), minlength=21)[1:]
    np.testing.assert_allclose(p * 20, np.rint(p * 20), atol=1e-9)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_p_values_beyond_the_largest_score_follow_the_tail() -> None:
    calibration = exponential(5000)
    beyond = np.array([12.0, 14.0, 16.0])
    p = calibration.p_values(beyond)
    assert np.all(np.diff(p) < 0)
    assert np.all(p < 2 / 5001)
    np.testing.assert_allclose(np.log(p), -beyond, atol=5.0)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=50), st.booleans())
def test_p_values_fall_as_scores_rise_and_lie_in_0_to_1(scores: list[float], contaminated: bool) -> None:
    calibration = exponential(3000, contaminated=contaminated, trim=0.03)
    p = calibration.p_values(np.sort(np.array(scores, np.float32)))
    assert np.all(np.diff(p) <= 0)
    assert np.all((p >= 0) & (p <= 1))


def test_p_values_keep_the_shape_and_nan() -> None:
    p = exponential(500).p_values(np.array([[np.nan, 1.0, 50.0]], np.float32))
    assert p.shape == (1, 3)
    assert np.isnan(p[0, 0])
    assert p[0, 1] > p[0, 2] > 0


@pytest.mark.parametrize("contaminated", [False, True])
def test_json_gives_back_the_same_thresholds_without_computing(
    contaminated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibration = exponential(4000, contaminated=contaminated, trim=0.03)
    calibration.prepare()
    stored = json.loads(json.dumps(calibration.to_json(), allow_nan=False))
    back = Calibration.from_json(calibration.tiles, stored)
    monkeypatch.setattr("specvae.thresholds.normal_law.fit_tail", None)
    monkeypatch.setattr("specvae.thresholds.normal_law.fit_trimmed_tail", None)
    monkeypatch.setattr("specvae.thresholds.calibration.check_held_out", None)
    assert back.table() == calibration.table()
    assert back.threshold(1e-3) == calibration.threshold(1e-3)
    assert back.summary() == calibration.summary()
    assert back.check() == calibration.check()


@pytest.mark.parametrize(
    "stored", [{}, {"contaminated": True, "trim": "x", "summary": {}}, {"contaminated": 0, "trim": 0.1}]
)
def test_json_that_is_none_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="calibration cannot be read"):
        Calibration.from_json(exponential(10).tiles, stored)


def test_a_summary_is_json_for_any_size() -> None:
    for n in (0, 1, 30, 600, 5000):
        tiles = tiles_of(np.random.default_rng(n).exponential(size=n), 5) if n else CalibrationTiles((), ())
        written = json.loads(json.dumps(Calibration(tiles).summary(), allow_nan=False))
        assert (written["pixels"], written["contaminated"]) == (n, False)
        assert written["smallest_rate"] is None or 0 < written["smallest_rate"] < 1


def test_a_given_cut_tells_the_rate_that_held_out_scores_put_above_it() -> None:
    calibration = exponential(40_000)
    cut = calibration.given(float(calibration.ordered[-401]))
    assert cut.method == "given"
    assert cut.asked_rate is None
    assert cut.false_alarm_rate == pytest.approx(401 / 40_001)
    assert cut.interval is not None
    assert cut.interval[0] < 0.01 < cut.interval[1]


def test_the_survival_points_fall_and_reach_beyond_the_data() -> None:
    calibration = exponential(5000)
    at, share, law = calibration.survival()
    assert np.all(np.diff(at) >= 0)
    assert at[-1] > calibration.ordered[-1]
    assert np.all(np.diff(share) <= 0)
    inside = ~np.isnan(law) & (share > 0.005)
    np.testing.assert_allclose(law[inside], share[inside], rtol=0.25)


def test_rows_of_a_table_count_as_independent() -> None:
    rng = np.random.default_rng(0)
    row = Tile(rng.exponential(size=(1, 3000)).astype(np.float32), 0, INDEPENDENT)
    calibration = Calibration(CalibrationTiles((row,), ("table.csv",)))
    low, high = calibration.threshold(0.1).interval or (0, 0)
    exact = stats.beta.ppf([0.05, 0.95], 300, 2701)
    assert (low, high) == pytest.approx(tuple(exact), rel=0.1)


def test_a_stored_calibration_gives_p_values_to_the_bit_without_fitting_its_tail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiles = tiles_of(np.random.default_rng(4).gamma(4, 2, 5000))
    fitted = Calibration(tiles)
    stored = json.loads(json.dumps(fitted.to_json()))
    scores = np.r_[fitted.ordered[-3:], fitted.ordered[-1] * np.float32([1.1, 2, 10]), [np.nan]].astype(np.float32)
    expected, curve = fitted.p_values(scores), fitted.survival()
    assert 0 < expected[3] < 2 / 5001, "the law serves beyond the largest held-out score"

    def refuse(*_: object) -> None:
        raise AssertionError("a tail was fitted")

    monkeypatch.setattr(normal_law, "fit_tail", refuse)
    read = Calibration.from_json(tiles, stored)
    np.testing.assert_array_equal(read.p_values(scores), expected)
    for one, other in zip(read.survival(), curve, strict=True):
        np.testing.assert_array_equal(one, other)
