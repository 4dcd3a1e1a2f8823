"""The closed-form start against planted linear models, and the bound on contexts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from specvae.model.network_config import NetworkConfig
from specvae.model.sizes import PRIOR_SPREAD
from specvae.model.vae import VAE
from specvae.training.closed_form import start_linear


def planted(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectra ``(6, n)`` that are 3 c1 - 2 c2 in known directions, plus 2 latent dimensions and a little noise."""
    rng = np.random.default_rng(seed)
    c = rng.normal(size=(2, n)) * [[1.0], [0.2]] + [[0.5], [-1.0]]
    slope = rng.normal(size=(6, 2))
    x = slope @ c + rng.normal(size=(6, 2)) @ rng.normal(size=(2, n)) + 0.05 * rng.normal(size=(6, n))
    return x.astype(np.float32), c.astype(np.float32), slope


def test_without_context_the_start_scores_like_probabilistic_pca() -> None:
    x, _, _ = planted()
    vae = VAE(6, 0, NetworkConfig(latent=6, noise=0.01))
    start_linear(vae, torch.from_numpy(x), None)
    pca = PCA().fit(x.T)
    s2 = 0.01 * pca.explained_variance_.sum()
    expected = 0.5 * (pca.transform(x.T) ** 2 / (pca.explained_variance_ + s2)).sum(axis=1)
    with torch.no_grad():
        terms = vae.terms(torch.from_numpy(x))
    score = (terms.reconstruction + terms.kl).numpy()
    # What is left is the same for every pixel: the KL's terms in the posterior variance.
    np.testing.assert_allclose(score - score.mean(), expected - expected.mean(), atol=2e-3 * expected.std())


def test_the_context_takes_out_what_it_explains() -> None:
    x, c, _ = planted()
    vae = VAE(6, 2, NetworkConfig(latent=6, noise=0.01))
    start_linear(vae, torch.from_numpy(x), torch.from_numpy(c))
    with torch.no_grad():
        bounded = vae.bounded(torch.from_numpy(c))
        expected = vae.decode(torch.zeros(6, x.shape[1]), bounded).numpy()
    inside = np.linalg.norm(bounded.numpy(), axis=0) < float(vae.context_reach) * 0.99
    one = np.vstack([c, np.ones(c.shape[1])])
    regression = np.linalg.lstsq(one.T, x.T, rcond=None)[0].T @ one
    np.testing.assert_allclose(expected[:, inside], regression[:, inside], atol=0.15)


def test_a_context_stranger_than_any_normal_one_is_pulled_in_along_its_direction() -> None:
    x, c, _ = planted()
    vae = VAE(6, 2, NetworkConfig())
    start_linear(vae, torch.from_numpy(x), torch.from_numpy(c))
    with torch.no_grad():
        far = vae.bounded(torch.tensor([[1e6], [3.0]]))
        near = vae.bounded(torch.tensor([[0.5], [-1.0]]))
    assert float(far.norm()) == pytest.approx(float(vae.context_reach), rel=1e-4)
    assert float(far[0]) > 0.9 * float(far.norm())
    assert float(near.norm()) < 0.1


def test_trimming_keeps_a_few_anomalies_from_setting_the_axes() -> None:
    x, _, _ = planted()
    dirty = x.copy()
    dirty[:, :40] += 50.0 * np.array([[1, -1, 1, -1, 1, -1]], np.float32).T
    scores = {}
    for trim in (0.0, 0.03):
        vae = VAE(6, 0, NetworkConfig())
        start_linear(vae, torch.from_numpy(dirty), None, trim)
        with torch.no_grad():
            terms = vae.terms(torch.from_numpy(dirty))
        total = (terms.reconstruction + terms.kl).numpy()
        scores[trim] = np.median(total[:40]) / np.median(total[40:])
    assert scores[0.03] > 20 * scores[0.0]


@pytest.mark.parametrize("latent", [2, 6, 9])
def test_any_number_of_latent_dimensions_starts(latent: int) -> None:
    x, c, _ = planted(200)
    vae = VAE(6, 2, NetworkConfig(latent=latent))
    start_linear(vae, torch.from_numpy(x), torch.from_numpy(c), 0.03)
    with torch.no_grad():
        terms = vae.terms(torch.from_numpy(x), torch.from_numpy(c))
    assert bool(torch.isfinite(terms.reconstruction + terms.kl).all())


def test_constant_spectra_and_contexts_start() -> None:
    vae = VAE(3, 2, NetworkConfig())
    start_linear(vae, torch.zeros(3, 50), torch.zeros(2, 50), 0.03)
    with torch.no_grad():
        terms = vae.terms(torch.ones(3, 4), torch.zeros(2, 4))
    assert bool(torch.isfinite(terms.reconstruction + terms.kl).all())


def test_the_priors_width_follows_the_context_that_the_spread_follows() -> None:
    rng = np.random.default_rng(0)
    c = rng.normal(size=(2, 6000))
    width = np.exp(0.5 * c[0])
    mixing = rng.normal(size=(6, 2))
    x = mixing @ (width * rng.normal(size=(2, 6000))) + 0.02 * rng.normal(size=(6, 6000))
    vae = VAE(6, 2, NetworkConfig(latent=6, noise=0.001))
    start_linear(vae, torch.from_numpy(x.astype(np.float32)), torch.from_numpy(c.astype(np.float32)))
    with torch.no_grad():
        bounded = vae.bounded(torch.tensor([[-1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]))
        prior = vae.prior_of(bounded)
        assert prior is not None
        log_variance = prior[1][0].numpy()
        wild = vae.prior_of(torch.full((2, 1), 1e3))
        c_ = vae.bounded(torch.from_numpy(c[:, :500].astype(np.float32)))
        _, spread = vae.encode(torch.from_numpy(x[:, :500].astype(np.float32)), c_)
        around = vae.prior_of(c_)
    # The variance is planted as exp(c1), whatever c2 is.
    np.testing.assert_allclose(log_variance[2] - log_variance[1], 1.0, atol=0.2)
    np.testing.assert_allclose(log_variance[1] - log_variance[0], 1.0, atol=0.2)
    assert abs(log_variance[3] - log_variance[1]) < 0.2
    assert wild is not None
    assert float(wild[1].abs().max()) == PRIOR_SPREAD
    # Dimensions that hold nothing keep a posterior as wide as the prior: they cost next to nothing.
    assert around is not None
    assert float((spread - around[1])[4:].abs().median()) < 0.05
