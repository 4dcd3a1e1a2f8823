"""Normalisation: monotone, finite, and learned from the bulk."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specvae.benchmarks.mnist.image_model import ImageModel
from specvae.model.config import ModelConfig, NormaliserConfig, TrainingConfig
from specvae.model.normaliser import Normaliser
from specvae.model.sizes import LINEAR_REACH
from specvae.model.spectral_net import SpectralNet


def fitted(seed: int = 0) -> Normaliser:
    rng = np.random.default_rng(seed)
    return Normaliser.fit(rng.normal([[5.0], [-3.0]], [[2.0], [0.1]], (2, 4000)))


def apply(normaliser: Normaliser, values: list[list[float]]) -> np.ndarray:
    return normaliser(torch.tensor(values, dtype=torch.float32)).numpy()


def test_training_spectra_get_zero_mean_and_unit_deviation() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal([[5.0], [-3.0]], [[2.0], [0.1]], (2, 4000))
    y = Normaliser.fit(values)(torch.from_numpy(values.astype(np.float32))).numpy()
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(y.std(axis=1), 1, atol=1e-3)


@settings(max_examples=60)
@given(st.lists(st.floats(-1e30, 1e30), min_size=2, max_size=20))
def test_compression_is_finite_and_monotone(xs: list[float]) -> None:
    xs = sorted(xs)
    y = apply(fitted(), [xs, xs])
    assert np.isfinite(y).all()
    assert (np.diff(y, axis=1) >= 0).all()


def test_the_absurd_stays_ranked() -> None:
    y = apply(fitted(), [[1e10, 1e20, 1e30, 3e38, -1e30], [0.0] * 5])[0]
    assert y[0] < y[1] < y[2] <= y[3] < 100
    assert y[4] < -LINEAR_REACH


def test_the_inverse_brings_physical_units_back() -> None:
    normaliser = fitted()
    x = torch.tensor([[5.0, 9.0, 40.0, -200.0], [-3.0, -2.9, -2.0, 7.0]])
    np.testing.assert_allclose(normaliser.inverse(normaliser(x)).numpy(), x.numpy(), rtol=1e-4, atol=1e-4)


def test_a_block_with_one_absurd_pixel_leaves_the_others_as_they_are() -> None:
    normaliser = fitted()
    x = torch.randn(2, 500)
    alone = normaliser(x.clone())
    with_absurd = normaliser(torch.cat([x, torch.full((2, 1), 1e30)], dim=1))[:, :500]
    assert torch.equal(alone, with_absurd)


def test_a_band_that_never_varied_gives_finite_values_and_is_named() -> None:
    values = np.stack([np.full(100, 7.0), np.arange(100.0), np.zeros(100)])
    normaliser = Normaliser.fit(values)
    assert normaliser.constant.tolist() == [True, False, True]
    y = normaliser(torch.tensor([[7.0, 14.0], [0.0, 1.0], [0.0, 3.0]])).numpy()
    assert np.isfinite(y).all()
    assert y[0, 1] > y[0, 0]


def test_one_absurd_training_value_does_not_set_the_scale() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, (1, 10_000))
    clean = Normaliser.fit(values).scale.item()
    values[0, 17] = 1e30
    assert 0.8 * clean < Normaliser.fit(values).scale.item() < 1.3 * clean


def test_the_reach_can_be_set_and_comes_back() -> None:
    values = np.random.default_rng(0).normal(size=(2, 4000))
    normaliser = Normaliser.fit(values)
    normaliser.reach = 2.0
    far = torch.tensor([[1.5, 2.0, 3.0, 50.0, 1e30]] * 2) * normaliser.scale + normaliser.centre
    y = normaliser(far)[0].numpy()
    np.testing.assert_allclose(y[:2], [1.5, 2.0], rtol=1e-5)
    np.testing.assert_allclose(y[2:4], 2.0 + np.log1p([1.0, 48.0]), rtol=1e-5)
    assert np.isfinite(y).all()
    assert (np.diff(y) > 0).all()
    np.testing.assert_allclose(normaliser.inverse(normaliser(far))[:, :4], far[:, :4], rtol=1e-4)


@pytest.mark.parametrize(
    ("bands", "table", "patch", "reach"),
    [(7, False, None, None), (64, False, None, 3.5), (200, True, None, None), (80, False, 8, None)],
)
def test_many_bands_of_a_scene_are_pulled_in_sooner(
    bands: int, table: bool, patch: int | None, reach: float | None
) -> None:
    config = ModelConfig(patch=patch)
    assert config.resolved(table=table, bands=bands).normaliser.reach == reach
    with_reach = ModelConfig(normaliser=NormaliserConfig(reach=5.0), patch=patch)
    assert with_reach.resolved(table=table, bands=bands).normaliser.reach == 5.0


def test_scenes_of_many_bands_have_their_own_defaults_and_what_is_set_stays() -> None:
    few, many = (ModelConfig().resolved(table=False, bands=bands) for bands in (12, 200))
    assert (few.network.noise, many.network.noise) == (1 / 800, 1 / 400)
    assert (few.training.learning_rate, many.training.learning_rate) == (None, 2e-3)
    config = ModelConfig(training=TrainingConfig(learning_rate=0.1)).resolved(table=False, bands=200)
    assert config.training.learning_rate == 0.1


def test_images_are_brought_to_one_length_after_the_blur_and_an_empty_one_stays() -> None:
    config = NormaliserConfig(kind="fixed", length=5.0)
    normaliser = Normaliser.fixed(16, config, (1, 4, 4))
    image = np.random.default_rng(0).random(16, dtype=np.float32)
    columns = np.stack([image, 0.2 * image, 1e30 * image, 1e-30 * image, 0 * image], axis=1)
    found = normaliser(torch.from_numpy(columns)).numpy()
    expected = 5.0 * image / np.linalg.norm(image)
    for column in range(3):
        np.testing.assert_allclose(found[:, column], expected, rtol=1e-5)
    assert np.abs(found[:, 3:]).max() < 1e-20


def test_a_length_is_kept_with_the_model() -> None:
    config = ModelConfig.model_validate({
        "normaliser": {"kind": "fixed", "length": 3.0},
        "network": {"shape": [1, 4, 4], "hidden": [8], "latent": 2},
        "training": {"steps": 5, "refits": 0},
    })  # fmt: skip
    images = np.random.default_rng(0).random((40, 16), dtype=np.float32)
    fitted = ImageModel.fit(images, config, images[::4])
    net = fitted.net
    again = SpectralNet.restore(16, config, net.state_shape(), net.state_arrays())
    assert again.normaliser.length == 3.0
    np.testing.assert_allclose(fitted.score(images).score, fitted.score(2 * images).score, rtol=1e-4)
