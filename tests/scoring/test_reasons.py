"""Reasons against closed forms, their axioms, and what rescoring measures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.export.reasons_in_words import Wording
from specvae.scoring.expected import expected_spectra, surroundings_cost
from specvae.scoring.reasons import MOST_TOGETHER, put_back, whole
from specvae.spectra import Explanation
from tests.models import cube_of, fitted_detector, small_scene, torch_detector
from tests.table_models import detector as of_rows
from tests.table_models import rows

MODELS = {
    "ring": lambda: fitted_detector(True),
    "pixel": lambda: fitted_detector(False),
    "torch": lambda: torch_detector(True),
}
Floats = NDArray[np.float64]


def pixels(
    model: Detector, count: int = 40
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.float32]]:
    """Spectra with planted departures, their contexts and their scores."""
    rng = np.random.default_rng(5)
    values = small_scene().astype(np.float32)
    at = rng.choice(np.flatnonzero(cube_of(values).valid), count, replace=False)
    row, col = np.unravel_index(at, values.shape[1:])
    values[rng.integers(0, len(values), count), row, col] *= rng.uniform(1.5, 4, count).astype(np.float32)
    cube = cube_of(values)
    parts, around = model.scorer.score(cube, cube.window)
    return cube.spectra(row, col), None if around is None else around[:, row, col], parts.score[row, col]


@pytest.mark.parametrize("kind", MODELS)
def test_contributions_add_up_to_the_score_of_the_map(kind: str) -> None:
    model = MODELS[kind]()
    x, around, score = pixels(model)
    total = model.explain(x, around).contribution.sum(axis=0, dtype=np.float64)
    assert np.abs(total - score).max() <= 1e-5 * max(1.0, float(np.abs(score).max()))
    np.testing.assert_allclose(total, score, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_what_a_band_takes_away_alone_is_what_scoring_the_replaced_spectrum_gives(kind: str) -> None:
    model = MODELS[kind]()
    x, around, score = pixels(model)
    why = model.explain(x, around)
    for band in range(len(x)):
        replaced = x.copy()
        replaced[band] = why.expected[band]
        fallen = score - model.scorer.score_columns(replaced, around)[0]
        np.testing.assert_allclose(why.alone[band], fallen, rtol=1e-4, atol=1e-3 * float(score.max()))


def test_a_planted_band_is_named_first_and_contributes_most() -> None:
    model = fitted_detector(False)
    x, around, _ = pixels(model, 1)
    clean = np.repeat(np.median(small_scene().reshape(len(x), -1), axis=1)[:, None], len(x), axis=1).astype(np.float32)
    clean[np.arange(len(x)), np.arange(len(x))] *= 3
    why = model.explain(clean, around)
    assert (why.alone.argmax(axis=0) == np.arange(len(x))).mean() >= 0.9
    assert (why.contribution.argmax(axis=0) == np.arange(len(x))).mean() >= 0.9


def quadratic(matrix: Floats, kl: Floats) -> object:
    """Score and KL of columns as quadratic forms."""

    def score(columns: NDArray[np.float32], at: NDArray[np.intp]) -> Floats:
        wide = columns.astype(np.float64)
        both = [0.5 * (wide * (form @ wide)).sum(axis=0) for form in (matrix + kl, kl)]
        return np.stack(both)

    return score


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(0, 10**6))
def test_on_a_quadratic_form_the_shares_are_those_of_integrated_gradients(bands: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kl = np.cov(rng.normal(size=(bands, 3 * bands + 2))).reshape(bands, bands)
    x, e = (rng.normal(size=(bands, 4)).astype(np.float32) for _ in range(2))
    out = put_back(quadratic(0 * kl, kl), x, e, bands)  # type: ignore[arg-type]
    away, middle = x.astype(float) - e, 0.5 * (x.astype(float) + e)
    np.testing.assert_allclose(
        out.kl, away * (kl @ middle), rtol=1e-6, atol=1e-6
    )  # the gradient is linear along the line
    np.testing.assert_allclose(out.kl.sum(axis=0), out.score - 0.5 * (e * (kl @ e)).sum(axis=0), rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 7), st.integers(0, 10**6))
def test_axioms_of_completeness_symmetry_and_a_band_that_does_not_matter(bands: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(bands, bands + 3))
    weights[1] = weights[0]  # the first two enter alike
    weights[2] = 0.0  # the third not at all
    x, e = (rng.normal(size=(bands, 3)).astype(np.float32) for _ in range(2))
    x[1], e[1] = x[0], e[0]

    def score(columns: NDArray[np.float32], at: NDArray[np.intp]) -> Floats:
        kl = np.log1p(np.square(weights.T @ columns.astype(np.float64))).sum(axis=0)  # far from quadratic
        return np.stack([kl, kl])

    def square(columns: NDArray[np.float32], at: NDArray[np.intp]) -> Floats:
        kl = np.square(weights.T @ columns.astype(np.float64)).sum(axis=0)
        return np.stack([kl, kl])

    out = put_back(score, x, e, bands)
    of_expected = score(e, np.zeros(3, np.intp))[1]
    np.testing.assert_allclose(out.kl.sum(axis=0), out.score - of_expected, rtol=1e-9, atol=1e-9)
    assert np.abs(out.kl[2]).max() == np.abs(out.alone[2]).max() == 0.0
    np.testing.assert_allclose(out.alone[0], out.alone[1], rtol=1e-9, atol=1e-9)
    alike = put_back(square, x, e, bands)
    np.testing.assert_allclose(alike.kl[0], alike.kl[1], rtol=1e-9, atol=1e-9)
    total = whole(out.kl, np.zeros((bands, 3)), out.score)
    np.testing.assert_allclose(total.sum(axis=0), out.score, rtol=1e-12, atol=1e-12)
    assert np.abs(total[2]).max() == 0.0


def test_very_many_bands_are_put_back_in_runs_and_still_add_up() -> None:
    bands = 3 * MOST_TOGETHER + 5
    rng = np.random.default_rng(0)
    x, e = (rng.normal(size=(bands, 2)).astype(np.float32) for _ in range(2))
    out = put_back(quadratic(np.zeros((bands, bands)), np.eye(bands)), x, e, bands)  # type: ignore[arg-type]
    rest = 0.5 * np.square(e.astype(float)).sum(axis=0)
    np.testing.assert_allclose(out.kl.sum(axis=0), out.score - rest, rtol=1e-6)


def test_what_the_surroundings_cost_is_split_without_a_rest() -> None:
    model = fitted_detector(True)
    x, around, _ = pixels(model)
    assert around is not None
    strange = around + 4.0 * np.random.default_rng(0).normal(size=around.shape).astype(np.float32)
    found = surroundings_cost(model.state, strange, len(x))
    arrays = model.state.arrays
    along = arrays["vae.context_prior.whitening"].astype(float) @ strange + arrays["vae.context_prior.origin"]
    cost = np.maximum(0.5 * np.square(along).sum(axis=0) - float(arrays["vae.context_prior.expected"]), 0)
    assert cost.max() > 5
    np.testing.assert_allclose(found.sum(axis=0), cost, rtol=1e-6, atol=1e-6)


def test_what_is_expected_is_the_decoded_prior_as_torch_has_it() -> None:
    import torch

    model = fitted_detector(True)
    x, around, _ = pixels(model)
    assert around is not None
    with torch.inference_mode():
        c = torch.from_numpy(around)
        truth = model.net.decode(model.net.prior_mean(c), c).numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(expected_spectra(model.state, x, around), truth, rtol=1e-4)


def test_a_row_of_one_kind_is_compared_with_that_kind_and_expectations_stay_in_the_training_range() -> None:
    values = rows()
    high, low = (values[values[:, 0] > 1150], values[values[:, 0] < 1150])
    why = of_rows().explain(np.concatenate([high[:50], low[:50]]).T)
    np.testing.assert_array_less(np.abs(np.median(why.deviation[:3], axis=1)), 1.0)
    assert np.median(why.expected[0, :50]) > np.median(why.expected[0, 50:])
    absurd = of_rows().explain(np.full((6, 1), 1e9, np.float32)).expected[:, 0]
    span = values.max(axis=0) - values.min(axis=0)
    assert (absurd >= values.min(axis=0) - 0.2 * span - 0.5).all()
    assert (absurd <= values.max(axis=0) + 0.2 * span + 0.5).all()


def wording(**more: object) -> Wording:
    bands = BandSet(tuple(Band(name) for name in ("blue", "nir", "swir16", "swir22")))
    return Wording(bands, np.zeros(4), np.array([0.2, 0.6, 0.4, 0.4]), **{"surroundings": True, **more})  # type: ignore[arg-type]


def test_reasons_are_said_in_per_cent_and_against_normal_ground() -> None:
    observed, expected = np.array([0.05, 0.2, 0.5, 0.32]), np.array([0.05, 0.4, 0.45, 0.2])
    contribution, alone = np.array([0.0, 30.0, 2.0, 50.0]), np.array([0.0, 20.0, -3.0, 40.0])
    drivers = wording().drivers(contribution, alone, observed, expected)
    said = wording().in_words(drivers, observed, alone)
    assert said == "swir22 +60 %, nir -50 % against its surroundings; brighter than any normal ground in swir16"
    table = wording(surroundings=False, rows=True)
    assert table.in_words(drivers, observed, alone).endswith(
        "against normal rows of its kind; higher than any normal row in swir16"
    )
    joint = wording().in_words(drivers, observed, -np.ones(4))
    assert joint.startswith("swir22 +60 %, nir -50 % together against")


def test_a_percentage_of_next_to_nothing_is_a_difference_instead() -> None:
    one = wording().drivers(
        np.array([9.0, 0, 0, 0]),
        np.array([9.0, 0, 0, 0]),
        np.array([0.1, 0.3, 0.2, 0.2]),
        np.array([0.001, 0.3, 0.2, 0.2]),
    )
    assert one[0].words == "blue +0.099"
    assert np.isnan(one[0].percent)


def test_neighbours_that_depart_together_are_named_as_a_run() -> None:
    waves = np.linspace(400, 900, 51)
    bands = BandSet(tuple(Band(wavelength=float(w)) for w in waves))
    many = Wording(bands, np.zeros(51), np.ones(51), True)
    expected = np.full(51, 0.5)
    observed = expected + np.where((waves >= 600) & (waves <= 650), 0.25, 0.0)
    nats = np.where(observed > expected, 5.0, 0.0)
    assert [d.words for d in many.drivers(nats, nats, observed, expected)] == ["600 to 650 nm +50 %"]


def test_an_explanation_of_no_pixel_is_empty() -> None:
    why = fitted_detector(False).explain(np.zeros((10, 0), np.float32))
    assert isinstance(why, Explanation)
    assert why.contribution.shape == (10, 0)
