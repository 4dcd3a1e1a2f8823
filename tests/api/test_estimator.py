"""SpectralVAE keeps scikit-learn's contract whole, and what it adds agrees with the command line."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from click.testing import CliRunner
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from specvae import SpectralVAE, load_model
from specvae.api.pyod import PyODSpectralVAE
from specvae.api.rows import region_to_fit
from specvae.errors import ModelError, UsageError
from specvae.model.config import ModelConfig, SamplingConfig
from specvae.training.quota import Role
from specvae.training.sampling import region_of_rows


def check_with_scipys_array_api(estimator: SpectralVAE) -> None:
    """Run scikit-learn's check of array API input in another process: scipy reads SCIPY_ARRAY_API when it is imported."""
    code = (
        "from sklearn.utils.estimator_checks import estimator_checks_generator as checks\n"
        "from specvae import SpectralVAE\n"
        f"passed = [check(e) for e, check in checks({estimator!r}) if 'array_api' in str(check)]\n"
        "print(len(passed))"
    )
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "1"


@parametrize_with_checks([SpectralVAE(steps=10)])
def test_scikit_learn_finds_nothing_wrong(estimator, check) -> None:
    if "array_api" in str(check):
        check_with_scipys_array_api(estimator)
    else:
        check(estimator)


@pytest.mark.slow
@parametrize_with_checks([SpectralVAE()])
def test_scikit_learn_finds_nothing_wrong_with_the_defaults(estimator, check) -> None:
    if "array_api" in str(check):
        check_with_scipys_array_api(estimator)
    else:
        check(estimator)


def linear(n: int, bands: int = 6, seed: int = 0) -> np.ndarray:
    """Spectra on a plane of two dimensions, with little noise: ``(n, bands)``."""
    rng, shape = np.random.default_rng(seed), np.random.default_rng(99)
    return rng.normal(size=(n, 2)) @ shape.normal(size=(2, bands)) + 0.05 * rng.normal(size=(n, bands))


@pytest.fixture(scope="module")
def fitted() -> SpectralVAE:
    return SpectralVAE(steps=300).fit(linear(1500))


def test_what_leaves_the_plane_is_found_and_the_band_that_left_it_is_named() -> None:
    fitted = SpectralVAE(steps=300, folds=1).fit(linear(1500))
    odd = linear(200, seed=1)
    odd[:, 3] += 1.0
    both = np.vstack([linear(200, seed=2), odd])
    assert roc_auc_score(np.repeat([0, 1], 200), fitted.anomaly_score(both)) > 0.99
    explanation = fitted.explain(odd)
    assert np.median(explanation.contribution.argmax(axis=1)) == 3
    assert (explanation.deviation[:, 3] > 0).mean() > 0.95
    assert explanation.contribution.shape == explanation.deviation.shape == explanation.expected.shape == odd.shape


def test_signs_are_those_of_scikit_learn_and_the_score_its_negative(fitted: SpectralVAE) -> None:
    rows = linear(100, seed=3)
    score = fitted.anomaly_score(rows)
    np.testing.assert_array_equal(fitted.score_samples(rows), -score)
    np.testing.assert_array_equal(fitted.decision_function(rows), -score - fitted.offset_)
    assert score.dtype == np.float64
    np.testing.assert_array_equal(fitted.predict(rows) == -1, score > -fitted.offset_)


def test_contributions_and_parts_add_up_to_the_score(fitted: SpectralVAE) -> None:
    rows = linear(300, seed=4)
    parts = fitted.score_parts(rows)
    np.testing.assert_array_equal(parts.score, parts.reconstruction + parts.kl)
    total = fitted.explain(rows).contribution.sum(axis=1)
    np.testing.assert_allclose(total, parts.score, rtol=1e-5, atol=1e-5)


def test_contamination_is_the_share_of_training_rows_called_outliers() -> None:
    rows = linear(500)
    for share in (0.02, 0.1, 0.5):
        found = SpectralVAE(contamination=share, steps=60).fit_predict(rows)
        assert (found == -1).mean() == pytest.approx(share, abs=1 / 500)


@pytest.mark.parametrize("shape", [(2, 1), (5, 3), (5, 500), (24, 1)])
def test_small_and_wide_data_give_finite_scores(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=shape)
    model = SpectralVAE(steps=30).fit(rows)
    assert np.isfinite(model.score_samples(rows)).all()
    assert model.transform(rows).shape == (shape[0], min(32, shape[1]))


def test_absurd_values_stay_finite_and_ranked(fitted: SpectralVAE) -> None:
    rows = np.zeros((3, 6))
    rows[:, 2] = [1e3, 1e30, 1e300]
    score = fitted.anomaly_score(rows)
    assert np.isfinite(score).all()
    assert score[0] < score[1] <= score[2]


def test_a_row_scores_alike_whatever_its_company(fitted: SpectralVAE) -> None:
    rows = linear(5000, seed=5)
    whole = fitted.anomaly_score(rows)
    order = np.random.default_rng(0).permutation(5000)
    np.testing.assert_allclose(fitted.anomaly_score(rows[order]), whole[order], rtol=1e-7)
    for start, stop in ((0, 1), (17, 18), (4090, 4100), (123, 4999)):
        np.testing.assert_allclose(fitted.anomaly_score(rows[start:stop]), whole[start:stop], rtol=1e-7)


def test_fitting_leaves_torchs_random_numbers_and_threads_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    SpectralVAE(steps=5).fit(linear(60))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_p_values_of_normal_rows_are_uniform_and_those_of_odd_ones_small(fitted: SpectralVAE) -> None:
    p = fitted.p_value(linear(4000, seed=6))
    assert np.quantile(p, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.09)
    odd = linear(50, seed=7)
    odd[:, 0] -= 2.0
    assert (fitted.p_value(odd) < 0.01).mean() > 0.9


def test_p_values_need_held_out_rows_and_calibrate_brings_them() -> None:
    model = SpectralVAE(steps=60).fit(linear(40))
    with pytest.raises(ModelError, match="give calibrate"):
        model.p_value(linear(5))
    with pytest.raises(ModelError, match="give calibrate"):
        model.calibrate()
    assert model.calibrate(linear(2000, seed=8), 0.05).threshold_ is not None
    assert (model.predict(linear(4000, seed=9)) == -1).mean() == pytest.approx(0.05, abs=0.02)
    assert model.fit(linear(40)).threshold_ is None


def test_rows_given_as_normal_are_believed_however_little_the_model_has_seen() -> None:
    model = SpectralVAE(steps=100).fit(linear(200)).calibrate(linear(10_000, seed=11), 0.01)
    assert model.threshold_.method == "empirical"
    assert (model.predict(linear(10_000, seed=12)) == -1).mean() == pytest.approx(0.01, abs=0.004)


def test_an_unsupported_rate_gives_the_highest_cut_with_a_warning(fitted: SpectralVAE) -> None:
    model = clone(fitted).set_params(steps=30).fit(linear(200))
    with pytest.warns(UserWarning, match="not supported"):
        model.calibrate(false_alarm_rate=1e-6)
    found = model.threshold_
    assert (found.asked_rate, found.supported, found.method) == (1e-6, False, "maximum")


def test_a_pickle_scores_alike_and_holds_no_network(fitted: SpectralVAE) -> None:
    rows = linear(50, seed=10)
    payload = pickle.dumps(fitted)
    assert b"torch" not in payload
    again = pickle.loads(payload)
    np.testing.assert_array_equal(again.score_samples(rows), fitted.score_samples(rows))
    np.testing.assert_array_equal(again.p_value(rows), fitted.p_value(rows))
    assert again.get_params() == fitted.get_params()


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_give_names_that_are_checked_from_then_on(make) -> None:
    names = [f"b{i}" for i in range(4)]
    values = linear(80, 4)
    frame = make({name: values[:, i] for i, name in enumerate(names)})
    model = SpectralVAE(steps=20).fit(frame)
    assert model.feature_names_in_.tolist() == names
    assert model.detector_.bands.names == tuple(names)
    np.testing.assert_array_equal(model.score_samples(frame), SpectralVAE(steps=20).fit(values).score_samples(values))
    with pytest.raises(ValueError, match="same order"):
        model.predict(make({name: values[:, i] for i, name in reversed(list(enumerate(names)))}))
    with pytest.raises(ValueError, match="missing"):
        model.predict(make(dict.fromkeys(names[:3], values[:, 0])))


def test_it_serves_in_a_pipeline_and_a_grid_search() -> None:
    rows = linear(150)
    pipeline = make_pipeline(StandardScaler(), SpectralVAE(steps=30)).fit(rows)
    assert pipeline.predict(rows).shape == (150,)
    assert pipeline.transform(rows).shape == (150, 6)
    assert pipeline[:-1].transform(rows).shape == (150, 6)
    named = SpectralVAE(latent=2, steps=30).set_output(transform="pandas").fit_transform(rows)
    assert list(named.columns) == ["spectralvae0", "spectralvae1"]
    search = GridSearchCV(SpectralVAE(steps=60), {"latent": [1, 2]}, cv=2).fit(rows)
    assert search.best_params_ == {"latent": 2}, "the plane has two dimensions"


def test_draws_look_like_what_was_fitted(fitted: SpectralVAE) -> None:
    drawn = fitted.sample(4000, random_state=1)
    np.testing.assert_array_equal(drawn, fitted.sample(4000, random_state=1))
    spread = linear(4000).std(axis=0)
    np.testing.assert_allclose(drawn.std(axis=0), spread, rtol=0.25)
    np.testing.assert_allclose(drawn.mean(axis=0), 0.0, atol=0.3 * spread.max())


def test_a_saved_model_scores_alike_in_python_and_on_the_command_line(tmp_path: Path) -> None:
    from specvae.cli.main import cli

    values = linear(400, 4)
    frame = pd.DataFrame(values, columns=["red", "green", "blue", "nir"])
    model = SpectralVAE(latent=2, steps=60, settings={"training.batch": 64}).fit(frame).calibrate(false_alarm_rate=0.25)
    model.save(tmp_path / "lab.specvae")
    again = SpectralVAE.load(tmp_path / "lab.specvae")
    assert again.get_params() == model.get_params()
    assert again.offset_ == model.offset_
    assert again.threshold_ == model.threshold_
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    assert load_model(tmp_path / "lab.specvae").detector.bands.names == ("red", "green", "blue", "nir")
    frame.to_csv(tmp_path / "rows.csv", index=False, float_format="%.17g")
    argv = [
        "score",
        str(tmp_path / "rows.csv"),
        "--model",
        str(tmp_path / "lab.specvae"),
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(cli, argv, standalone_mode=False)
    assert done.exception is None, done.output
    written = pd.read_csv(tmp_path / "out" / "rows" / "scores.csv")["score"].to_numpy()
    np.testing.assert_allclose(written, model.anomaly_score(frame), rtol=1e-5, atol=1e-5)


def test_a_model_of_the_command_line_loads_and_a_model_with_context_is_refused(tmp_path: Path) -> None:
    from specvae.stages.demo.scenes import write_scene
    from specvae.stages.demo.synthetic import make_scene
    from specvae.stages.fit import fit
    from specvae.stages.requests import FitRequest

    pd.DataFrame(linear(300, 4), columns=list("abcd")).to_csv(tmp_path / "t.csv", index=False)
    fit([str(tmp_path / "t.csv")], FitRequest(model=str(tmp_path / "t.specvae"), set=("training.steps=30",)))
    model = SpectralVAE.load(tmp_path / "t.specvae")
    assert model.threshold_ is not None
    assert model.offset_ == -model.threshold_.value
    write_scene(tmp_path / "s.tif", make_scene(96, 96).values)
    fit([str(tmp_path / "s.tif")], FitRequest(model=str(tmp_path / "s.specvae"), set=("training.steps=10",)))
    with pytest.raises(ModelError, match="rows have no surroundings"):
        SpectralVAE.load(tmp_path / "s.specvae")


@pytest.mark.parametrize("method", ["predict", "p_value", "explain", "transform", "score_parts", "anomaly_score"])
def test_every_method_asks_for_a_fit_first(method: str) -> None:
    with pytest.raises(NotFittedError, match="SpectralVAE instance is not fitted yet"):
        getattr(SpectralVAE(), method)(linear(3))


@pytest.mark.parametrize(
    "parameters",
    [{"contamination": 0}, {"contamination": 0.6}, {"latent": 0}, {"steps": 0}, {"trim": 0.5}, {"hidden": 3}],
)
def test_wrong_parameters_are_refused_by_fit(parameters) -> None:
    with pytest.raises(ValueError, match=next(iter(parameters))):
        SpectralVAE(**parameters).fit(linear(30))


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(UsageError, match=r"training\.steps"):
        SpectralVAE(settings={"training.step": 3}).fit(linear(30))


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=str)
def test_what_is_not_finite_is_refused(fitted: SpectralVAE, bad: float) -> None:
    rows = linear(3)
    rows[1, 1] = bad
    with pytest.raises(ValueError, match="Input X contains"):
        fitted.predict(rows)


def test_pyods_names_have_pyods_signs() -> None:
    rows = linear(200)
    detector = PyODSpectralVAE(contamination=0.1, steps=60).fit(rows)
    assert detector.labels_.sum() == 20
    np.testing.assert_array_equal(detector.labels_, detector.predict(rows))
    np.testing.assert_array_equal(detector.decision_scores_, detector.estimator.anomaly_score(rows))
    np.testing.assert_array_equal(detector.labels_ == 1, detector.decision_scores_ > detector.threshold_)


def test_pyods_probabilities_are_pyods_two_conversions_of_the_score() -> None:
    rows, odd = linear(200), linear(1) + 50.0
    detector = PyODSpectralVAE(contamination=0.1, steps=60).fit(rows)
    train = detector.decision_scores_
    fresh = np.vstack([linear(50, seed=5), odd])
    scores = detector.decision_function(fresh)
    scaler = MinMaxScaler(clip=True).fit(train[:, None])
    linearly, unified = detector.predict_proba(fresh), detector.predict_proba(fresh, method="unify")
    np.testing.assert_allclose(linearly[:, 1], scaler.transform(scores[:, None])[:, 0], atol=1e-12)
    above = 2.0 * norm.cdf(scores, train.mean(), train.std()) - 1.0
    np.testing.assert_allclose(unified[:, 1], np.maximum(above, 0.0), atol=1e-12)
    for both in (linearly, unified):
        np.testing.assert_allclose(both.sum(axis=1), 1.0, atol=1e-12)
        assert both[-1, 1] == 1.0, "the second column is that of outliers, and it rises with the score"
    with pytest.raises(ValueError, match="expected 'linear' or 'unify'"):
        detector.predict_proba(fresh, method="softmax")


@pytest.mark.parametrize("rows", [60, 1000])
def test_python_and_the_command_line_hold_out_the_same_rows_and_give_the_same_scores(rows: int, tmp_path: Path) -> None:
    from specvae.cli.main import cli

    values = linear(rows, 4).astype(np.float32)
    frame = pd.DataFrame(values, columns=["red", "green", "blue", "nir"])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    argv = ["fit", str(tmp_path / "rows.csv"), "--model", str(tmp_path / "m.specvae"), "--set", "training.steps=40"]
    done = CliRunner().invoke(cli, [*argv, "--device", "cpu"], standalone_mode=False)
    assert done.exception is None, done.output
    python, command = SpectralVAE(steps=40).fit(frame), load_model(tmp_path / "m.specvae").detector
    held, expected = python.detector_.calibration.tiles.scores, command.calibration.tiles.scores
    assert held.size == expected.size > 0
    assert np.array_equal(held.view(np.uint32), expected.view(np.uint32))
    scores = (each.score_rows(values, np.ones(rows, bool)).score for each in (python.detector_, command))
    first, second = (score.view(np.uint32) for score in scores)
    assert np.array_equal(first, second)
    assert command.provenance["folds"]["count"] == 6
    assert held.size == rows, "every row calibrates"
    for share, sampling in ((None, SamplingConfig()), (0.12, SamplingConfig(folds=1))):
        ours = region_to_fit(values.astype(np.float64), ModelConfig(), share)
        theirs = region_of_rows(values, np.ones(rows, bool), sampling, 0)
        assert np.array_equal(ours.role, theirs.role)
        assert (ours.folds is None) == (theirs.folds is None) == (share is not None)


def test_rows_are_held_out_as_asked_and_fewer_than_50_are_all_trained_on() -> None:
    assert (region_to_fit(linear(49), ModelConfig(), 0.12).role == Role.TRAIN).all()
    none = region_to_fit(linear(1000), ModelConfig(), 0.0).role
    assert not (none == Role.CALIBRATION).any()
    assert (none == Role.VALIDATION).any()
    half = region_to_fit(linear(1000), ModelConfig(), 0.5).role
    assert (half == Role.CALIBRATION).mean() == pytest.approx(0.5, abs=0.02)
