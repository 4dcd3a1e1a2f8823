"""Likelihoods against torch's distributions and against their own moments."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from specvae.model.likelihoods import LIKELIHOODS, Bernoulli, Gaussian, Likelihood, likelihood_of
from specvae.model.network_config import NetworkConfig

SIGMA = torch.tensor([[0.5], [1.0], [4.0]])


@pytest.mark.parametrize("output", ["linear", "sigmoid", "tanh"])
def test_gaussian_nats_are_torchs_log_density_less_its_constant(output: str) -> None:
    x, raw = torch.randn(3, 50), torch.randn(3, 50)
    mean = {"linear": raw, "sigmoid": torch.sigmoid(raw), "tanh": torch.tanh(raw)}[output]
    oracle = -Normal(mean, SIGMA).log_prob(x) - SIGMA.log() - 0.5 * np.log(2.0 * np.pi)
    gaussian = Gaussian(output, SIGMA)
    np.testing.assert_allclose(gaussian.nats(x, raw), oracle, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gaussian.total(x, raw), oracle.sum(dim=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(gaussian.deviation(x, raw), (x - mean) / SIGMA, rtol=1e-5, atol=1e-6)


def test_gaussian_draws_have_the_mean_and_the_deviation_that_they_are_drawn_with() -> None:
    mean = torch.tensor([[-2.0], [0.0], [7.0]]).expand(3, 40_000)
    draws = Gaussian("linear", SIGMA).draw(mean, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(draws.mean(dim=1), mean[:, 0], atol=0.1)
    np.testing.assert_allclose(draws.std(dim=1), SIGMA[:, 0], rtol=0.03)


def test_a_bernoulli_likelihood_explains_0_to_1_and_is_shown_by_its_mean() -> None:
    bernoulli, raw = Bernoulli(), torch.tensor([[0.0, 2.0]])
    p = 1.0 / (1.0 + np.exp([0.0, -2.0]))
    np.testing.assert_allclose(bernoulli.expected(raw)[0], p, rtol=1e-6)
    np.testing.assert_allclose(bernoulli.draw(bernoulli.expected(raw), torch.Generator())[0], p, rtol=1e-6)
    np.testing.assert_allclose(bernoulli.deviation(torch.ones(1, 2), raw)[0], (1 - p) / np.sqrt(p * (1 - p)), rtol=1e-5)
    np.testing.assert_allclose(bernoulli.variance_of_mean(torch.tensor([0.5, 0.1])), [0.25, 0.09], rtol=1e-6)
    assert bernoulli.support == (0.0, 1.0)


@pytest.mark.parametrize(("name", "kind"), [("gaussian", Gaussian), ("bernoulli", Bernoulli)])
def test_a_configuration_names_its_likelihood(name: str, kind: type[Likelihood]) -> None:
    assert type(likelihood_of(name, "linear", SIGMA)) is kind
    assert kind.name == name


def test_the_configuration_names_every_likelihood_and_no_other() -> None:
    assert set(get_args(NetworkConfig.model_fields["likelihood"].annotation)) == set(LIKELIHOODS)
    assert all(likelihood_of(name, "linear", SIGMA).name == name for name in LIKELIHOODS)
    with pytest.raises(KeyError):
        likelihood_of("poisson", "linear", SIGMA)
