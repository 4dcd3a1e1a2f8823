"""Drift: shifted radiometry is refused, the same scene is not, and a fire is not drift."""

from __future__ import annotations

import json

import numpy as np
import pytest

from specvae.errors import ModelError
from specvae.scoring.gathered.drift import DriftAccumulator
from specvae.spectra import Cube, Parts, ScoredWindow, Window
from specvae.thresholds.drift.comparison import GroundReference
from specvae.thresholds.drift.reference import GRID, DriftReference, lattice_step
from specvae.thresholds.drift.squares import Squares
from specvae.thresholds.drift.verdict import Drift

LABELS = ("blue", "green", "red", "nir")


def land(rng: np.random.Generator, n: int) -> np.ndarray:
    """``(4, n)``: three covers with shade, as digital numbers."""
    covers = np.array([[400, 700, 500, 3000], [900, 1200, 1500, 2200], [500, 400, 250, 120]], float)
    shade = rng.gamma(20, 1 / 20, n)
    return (covers[rng.choice(3, n, p=[0.5, 0.4, 0.1])] * shade[:, None] + rng.normal(0, 40, (n, 4))).T


def judge(spectra: np.ndarray, scores: np.ndarray | None = None, seed: int = 0) -> Drift:
    rng = np.random.default_rng(seed)
    normal = land(rng, 20_000)
    pieces = [_rows(normal[:, i : i + 512], rng.exponential(size=512)) for i in range(0, 20_000 - 512, 512)]
    reference = DriftReference.fit(normal, rng.exponential(size=5000))
    reference = reference.with_ground(GroundReference.fit(normal, pieces))
    n = spectra.shape[1]
    drift = DriftAccumulator(reference, LABELS, shape=(1, n))
    score = np.asarray(rng.exponential(size=n) if scores is None else scores, np.float32)[None]
    cube = Cube(spectra.astype(np.float32)[:, None], np.zeros((1, n), np.uint8), Window(0, 0, 1, n))
    drift.update(ScoredWindow(cube, Parts(score, score, np.zeros_like(score)), np.zeros(score.shape, bool)))
    return drift.finish()


def _rows(spectra: np.ndarray, score: np.ndarray) -> Squares:
    """A piece of a table: runs of 64 rows."""
    values = spectra.astype(np.float32).reshape(4, -1, 1, 64).swapaxes(0, 1)
    good = np.ones((len(values), 1, 64), bool)
    return Squares(values, good, score.astype(np.float32).reshape(-1, 1, 64), good)


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_counts_are_those_of_every_value_searched_among_the_quantiles(levels: int) -> None:
    rng = np.random.default_rng(levels)
    quantiles = np.sort(rng.integers(0, levels, GRID.size)).astype(np.float32)
    values = np.r_[rng.integers(-2, levels + 2, 500), rng.uniform(-1, levels, 500)].astype(np.float32)
    reference = DriftReference(np.tile(quantiles, (4, 1)), quantiles)
    drift = DriftAccumulator(reference, LABELS)
    drift.add_spectra(np.tile(values, (4, 1)))
    drift.add_scores(values)
    first, last = (np.searchsorted(quantiles, values, side=side) for side in ("left", "right"))
    expected = np.bincount((first + last) // 2, minlength=GRID.size + 1)
    for counts in (*drift._bands, drift._score):
        np.testing.assert_array_equal(counts, expected)
    margin = np.float32(0.1 * (quantiles[-1] - quantiles[0]))
    outside = (values < quantiles[0] - margin) | (values > quantiles[-1] + margin)
    assert drift._outside.tolist() == [outside.sum()] * 4


def test_data_like_the_fit_are_ok_and_say_so() -> None:
    judged = judge(land(np.random.default_rng(1), 20_000))
    assert judged.verdict == "ok"
    assert judged.reasons == ("the scene looks like normal ground of the kinds that the fit saw",)
    assert judged.gain is None
    assert judged.offset is None
    assert judged.extreme_share == pytest.approx(0.01, abs=0.004)


@pytest.mark.parametrize("gain", [0.5, 0.7, 0.8, 1.2, 1.3, 2.0, 3.0])
def test_another_gain_is_refused_and_measured(gain: float) -> None:
    judged = judge(gain * land(np.random.default_rng(1), 20_000))
    assert judged.verdict == "do-not-use"
    assert judged.gain == pytest.approx(gain, rel=0.1)
    assert any("another gain" in reason for reason in judged.reasons)


@pytest.mark.parametrize("offset", [-1000, 1000])
def test_an_offset_is_refused(offset: float) -> None:
    assert judge(land(np.random.default_rng(1), 20_000) + offset).verdict == "do-not-use"


def test_another_sensor_whose_bands_lie_elsewhere_is_refused() -> None:
    assert judge(land(np.random.default_rng(1), 20_000)[[3, 0, 1, 2]]).verdict == "do-not-use"


def test_reflectance_for_digital_numbers_is_refused() -> None:
    assert judge(land(np.random.default_rng(1), 20_000) / 10_000).verdict == "do-not-use"


def test_a_fire_over_a_twentieth_of_the_scene_is_not_drift() -> None:
    rng = np.random.default_rng(1)
    spectra, scores = land(rng, 20_000), rng.exponential(size=20_000)
    spectra[:, :1000] = np.array([[300], [300], [350], [600]]) + rng.normal(0, 30, (4, 1000))
    scores[:1000] += 200
    assert judge(spectra, scores).verdict == "ok"


def test_scores_that_are_higher_all_over_are_refused_and_lower_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    spectra = land(rng, 20_000)
    assert judge(spectra, 5 + rng.exponential(size=20_000)).verdict == "do-not-use"
    assert judge(spectra, 0.9 * rng.exponential(size=20_000)).verdict == "ok"
    lower = judge(spectra, 0.01 * rng.exponential(size=20_000))
    assert lower.verdict == "caution"
    assert "lower" in lower.reasons[0]


def test_too_few_pixels_make_for_caution() -> None:
    judged = judge(land(np.random.default_rng(0), 10))
    assert judged.verdict == "caution"
    assert "only 10 spectra" in judged.reasons[0]
    json.dumps(judged.summary(), allow_nan=False)


def test_notes_make_for_caution_and_stand_first() -> None:
    rng = np.random.default_rng(0)
    reference = DriftReference.fit(land(rng, 5000), rng.exponential(size=5000))
    drift = DriftAccumulator(reference, LABELS, notes=("another pixel size",))
    drift.add_spectra(land(rng, 5000))
    drift.add_scores(rng.exponential(size=5000))
    assert drift.finish().verdict == "caution"
    assert drift.finish().reasons == ("another pixel size",)


def test_a_band_that_never_varied_is_no_drift() -> None:
    rng = np.random.default_rng(0)
    spectra = land(rng, 5000)
    spectra[2] = 7
    reference = DriftReference.fit(spectra, rng.exponential(size=5000))
    drift = DriftAccumulator(reference, LABELS)
    drift.add_spectra(spectra)
    drift.add_scores(rng.exponential(size=5000))
    assert drift.finish().verdict == "ok"


def test_absurd_values_are_counted_not_raised() -> None:
    spectra = land(np.random.default_rng(0), 5000)
    spectra[:, :3000] = 1e30
    judged = judge(spectra)
    assert judged.verdict == "do-not-use"
    json.dumps(judged.summary(), allow_nan=False)


def _piece(values: np.ndarray, score: np.ndarray, window: Window) -> ScoredWindow:
    rows, cols = window.slices
    cube = Cube(values[:, rows, cols], np.isnan(score[rows, cols]).astype(np.uint8) * 3, window)
    part = score[rows, cols]
    return ScoredWindow(cube, Parts(part, part, np.zeros_like(part)), np.zeros(part.shape, bool))


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("side", [5, 16, 64])
def test_the_verdict_does_not_depend_on_the_windows(step: int, side: int) -> None:
    rng = np.random.default_rng(0)
    values = land(rng, 64 * 50).reshape(4, 64, 50).astype(np.float32)
    score = rng.exponential(size=(64, 50)).astype(np.float32)
    score[10:20, 5:9] = np.nan
    reference = DriftReference.fit(land(rng, 5000), rng.exponential(size=5000))
    once, shards = DriftAccumulator(reference, LABELS, step), [DriftAccumulator(reference, LABELS, step) for _ in "ab"]
    once.update(_piece(values, score, Window(0, 0, 64, 50)))
    windows = [
        Window(r, c, min(side, 64 - r), min(side, 50 - c)) for r in range(0, 64, side) for c in range(0, 50, side)
    ]
    for number, window in enumerate(windows):
        shards[number % 2].update(_piece(values, score, window))
    shards[0].merge(shards[1])
    assert shards[0].finish() == once.finish()
    assert once.finish().pixels == np.isfinite(score[::step, ::step]).sum()


def test_the_lattice_keeps_about_a_quarter_of_a_million_pixels() -> None:
    assert lattice_step(100, 100) == 1
    step = lattice_step(20_000, 10_000)
    assert 200_000 < (20_000 / step) * (10_000 / step) <= 250_000


def test_arrays_give_back_the_reference_and_other_shapes_are_refused() -> None:
    rng = np.random.default_rng(0)
    reference = DriftReference.fit(land(rng, 500), rng.exponential(size=50))
    back = DriftReference.from_arrays(reference.to_arrays())
    np.testing.assert_array_equal(back.bands, reference.bands)
    np.testing.assert_array_equal(back.scores, reference.scores)
    with pytest.raises(ModelError, match="drift reference"):
        DriftReference.from_arrays({"bands": np.zeros((4, 3), np.float32), "scores": reference.scores})


def test_a_model_without_held_out_scores_makes_for_caution() -> None:
    rng = np.random.default_rng(0)
    drift = DriftAccumulator(DriftReference.fit(land(rng, 5000), np.empty(0)), LABELS)
    drift.add_spectra(land(rng, 5000))
    drift.add_scores(np.ones(5000))
    assert drift.finish().verdict == "caution"
    assert "no held-out scores" in drift.finish().reasons[0]
