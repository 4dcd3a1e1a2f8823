"""The mixture prior against closed forms and samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import MixtureSameFamily, MultivariateNormal, Normal
from torch.distributions.categorical import Categorical

from specvae.model.mixture_prior import MOST_COMPONENTS, Mixture, default_components


def planted(components: int, latent: int = 3) -> Mixture:
    torch.manual_seed(1)
    mixture = Mixture(components, latent)
    with torch.no_grad():
        mixture.centre.normal_(0, 2)
        mixture.factor.add_(0.3 * torch.randn_like(mixture.factor)).mul_(1.5)
        mixture.logit.normal_()
    return mixture


def oracle(mixture: Mixture) -> MixtureSameFamily:
    factor = mixture.factor.detach().triu()
    each = MultivariateNormal(mixture.centre.detach(), precision_matrix=factor @ factor.mT)
    return MixtureSameFamily(Categorical(logits=mixture.logit.detach()), each)


def posteriors(n: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    return torch.randn(3, n), torch.randn(3, n) - 2


def test_one_component_gives_the_exact_divergence_of_two_gaussians() -> None:
    mixture = planted(1)
    mean, log_variance = posteriors()
    factor = mixture.factor.detach()[0].triu()
    prior = MultivariateNormal(mixture.centre.detach()[0], precision_matrix=factor @ factor.mT)
    for i in range(5):
        q = MultivariateNormal(mean[:, i], torch.diag(log_variance[:, i].exp()))
        exact = float(torch.distributions.kl_divergence(q, prior))
        assert mixture.kl(mean, log_variance)[i].item() == pytest.approx(exact, rel=1e-4)


def test_of_several_components_it_bounds_the_divergence_from_above_and_closely() -> None:
    mixture = planted(6)
    mean, log_variance = posteriors()
    q = Normal(mean.T, (0.5 * log_variance.T).exp())
    z = q.sample((40_000,))
    sampled = (q.log_prob(z).sum(-1) - oracle(mixture).log_prob(z)).mean(0)
    bound = mixture.kl(mean, log_variance).detach()
    assert (bound >= sampled - 0.05).all()
    assert (bound <= sampled + 1.2).all()


def test_clusters_are_found_by_the_start() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[-5.0, 0], [5, 0], [0, 8]])
    points = centres[rng.integers(0, 3, 3000)] + rng.normal(0, 0.5, (3000, 2))
    mixture = Mixture(3, 2)
    mean = torch.from_numpy(points.T).float()
    mixture.start(mean, torch.full_like(mean, -4.0))
    found = mixture.centre.detach().numpy()
    assert all(np.linalg.norm(found - c, axis=1).min() < 0.15 for c in centres)
    at = torch.tensor([[-5.0, 0.0], [0.0, 3.0]])
    inside, between = mixture.kl(at, torch.full((2, 2), -4.0)).tolist()
    assert between > inside + 10


def test_samples_have_the_mixtures_moments() -> None:
    mixture = planted(4)
    drawn = mixture.sample(60_000, torch.Generator().manual_seed(0))
    expected = oracle(mixture)
    assert drawn.shape == (3, 60_000)
    np.testing.assert_allclose(drawn.mean(1), expected.mean, atol=0.05)
    np.testing.assert_allclose(drawn.var(1), expected.variance, rtol=0.08)


@pytest.mark.parametrize(
    ("size", "latent", "components"),
    [(1, 4, 1), (39, 4, 1), (40, 4, 1), (80, 4, 2), (640, 4, 16), (640, 32, 6), (10**6, 32, MOST_COMPONENTS)],
)
def test_components_by_default_follow_the_sample(size: int, latent: int, components: int) -> None:
    assert default_components(size, latent) == components


def test_a_draw_moves_no_part_of_the_prior_between_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model on a GPU that serves several threads must not leave it for a draw."""
    mixture = Mixture(3, 2)
    expected = mixture.sample(10, torch.Generator().manual_seed(4))
    monkeypatch.setattr(Mixture, "_apply", lambda *given: pytest.fail("the module was moved"))
    assert torch.equal(mixture.sample(10, torch.Generator().manual_seed(4)), expected)
