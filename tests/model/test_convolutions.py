"""Networks and likelihoods from configuration: shapes, oracles, and the one function of both terms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy

from specvae.benchmarks.mnist.image_model import ImageModel
from specvae.errors import InputError, UsageError
from specvae.model.config_file import load_config, presets
from specvae.model.convolutions import ConvDecoder, ConvEncoder
from specvae.model.likelihoods import Bernoulli
from specvae.model.network_config import NetworkConfig
from specvae.model.vae import VAE

IMAGES = ("conv-bernoulli", "mlp-gaussian-tanh", "mlp-bernoulli", "deep-autoencoder", "mlp", "binary-mixture")


def widths(module: torch.nn.Module) -> list[tuple[int, ...]]:
    return [tuple(p.shape) for p in module.parameters() if p.ndim > 1 and p.shape[-1] > 1]


@pytest.mark.parametrize("shape", [(1, 28, 28), (4, 16, 16), (3, 7, 9), (2, 5, 4)])
@pytest.mark.parametrize("strides", [(1, 2, 2), (2, 2), (3,), (1, 1)])
@settings(deadline=None, max_examples=3)
@given(n=st.integers(1, 5))
def test_a_decoder_mirrors_its_encoder_whatever_the_size(
    shape: tuple[int, int, int], strides: tuple[int, ...], n: int
) -> None:
    channels = (4, 6, 8)[: len(strides)]
    values = shape[0] * shape[1] * shape[2]
    encoder = ConvEncoder(shape, channels, strides, (10,), 6)
    decoder = ConvDecoder(3, shape, channels, strides, (10,))
    assert encoder(torch.randn(values, n)).shape == (6, n)
    assert decoder(torch.randn(3, n)).shape == (values, n)


def test_an_image_comes_first_row_first_to_the_convolution() -> None:
    encoder = ConvEncoder((1, 4, 6), (1,), (1,), (), 24)
    with torch.no_grad():
        encoder.convolutions[0].weight.zero_()
        encoder.convolutions[0].weight[0, 0, 1, 2] = 1.0  # takes the pixel to the right
        encoder.convolutions[0].bias.zero_()
        encoder.dense[0].weight.copy_(torch.eye(24))
        encoder.dense[0].bias.zero_()
        image = torch.arange(24.0).reshape(4, 6)
        out = encoder(image.reshape(24, 1)).reshape(4, 6)
    np.testing.assert_allclose(out[:, :-1], image[:, 1:])
    np.testing.assert_allclose(out[:, -1], 0.0)


@pytest.mark.parametrize("linear", [False, True])
def test_scoring_in_pieces_gives_what_training_sees(linear: bool) -> None:
    encoder = ConvEncoder((2, 8, 8), (4,), (2,), (8,), 4, linear)
    x = torch.randn(128, 600)
    learned = encoder(x).detach()
    with torch.no_grad():
        np.testing.assert_allclose(encoder(x), learned, atol=1e-5)


def test_a_conv_network_with_a_linear_path_begins_as_zero() -> None:
    assert not ConvEncoder((1, 8, 8), (4,), (2,), (8,), 4, True)(torch.randn(64, 3)).any()
    assert not ConvDecoder(4, (1, 8, 8), (4,), (2,), (8,), True)(torch.randn(4, 3)).any()


def test_a_conv_network_refuses_spectra_that_are_no_images() -> None:
    config = NetworkConfig(kind="conv", shape=(1, 8, 8))
    with pytest.raises(InputError, match=r"images of shape \(1, 8, 8\).*63 values"):
        VAE(63, 0, config)


def test_bernoulli_nats_are_torchs_binary_cross_entropy() -> None:
    x, raw = torch.rand(7, 50), 3.0 * torch.randn(7, 50)
    oracle = binary_cross_entropy(raw.double().sigmoid(), x.double(), reduction="none")
    np.testing.assert_allclose(Bernoulli().nats(x, raw), oracle, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(x=st.floats(-80, 80), raw=st.floats(-30, 30))
def test_bernoulli_nats_are_finite_never_negative_and_rank_what_lies_outside(x: float, raw: float) -> None:
    def nats(value: float) -> float:
        return float(Bernoulli().nats(torch.tensor([[value]]), torch.tensor([[raw]])))

    assert np.isfinite(nats(x))
    assert nats(x) >= -1e-5
    if x > 1:
        assert nats(x + 1) > nats(x)
    if x < 0:
        assert nats(x - 1) > nats(x)


@pytest.mark.parametrize("name", [*IMAGES, "spectral-64"])
def test_every_preset_is_there_and_both_terms_move_its_loss(name: str) -> None:
    config = load_config(name)
    assert name in presets()
    assert config.preset == name
    torch.manual_seed(0)
    bands = 784 if name in IMAGES else 64
    vae = VAE(bands, 0, config.network, config.network.components or 0)
    x = torch.rand(bands, 8)
    before = vae.terms(x, None, torch.randn(vae.latent, 8))
    optimiser = torch.optim.Adam(vae.parameters(), 1e-3)
    for _ in range(30):
        terms = vae.terms(x, None, torch.randn(vae.latent, 8))
        optimiser.zero_grad()
        (terms.reconstruction + vae.kl_weight * terms.kl).mean().backward()
        optimiser.step()
    after = vae.terms(x, None, torch.randn(vae.latent, 8))
    assert (after.reconstruction + after.kl).mean().item() < (before.reconstruction + before.kl).mean().item()
    assert (after.reconstruction - before.reconstruction).abs().mean().item() > 1e-3
    moved = (after.kl - before.kl).abs().mean().item()
    assert (moved == 0.0) if name == "deep-autoencoder" else (moved > 1e-3)


def test_the_presets_have_the_published_networks() -> None:
    def vae(name: str) -> VAE:
        return VAE(784 if name in IMAGES else 64, 0, load_config(name).network, 0)

    # Encoders end in means and log variances: twice the latent dimensions.
    assert widths(vae("mlp-gaussian-tanh").encoder) == [(400, 784), (40, 400)]
    assert widths(vae("mlp-bernoulli").encoder) == [(256, 784), (128, 256), (20, 128)]
    assert widths(vae("mlp-bernoulli").decoder) == [(128, 10), (256, 128), (784, 256)]
    assert widths(vae("deep-autoencoder").decoder) == [(12, 3), (64, 12), (128, 64), (784, 128)]
    assert widths(vae("spectral-64").encoder) == [(32, 64), (64, 32)]
    assert widths(vae("conv-bernoulli").encoder) == [
        (32, 1, 3, 3), (64, 32, 3, 3), (128, 64, 3, 3), (256, 128 * 49), (40, 256),
    ]  # fmt: skip
    assert widths(vae("conv-bernoulli").decoder) == [
        (256, 20), (128 * 49, 256), (128, 64, 3, 3), (64, 32, 3, 3), (32, 1, 3, 3),
    ]  # fmt: skip
    training = {name: load_config(name).training for name in presets()}
    assert (training["mlp-bernoulli"].optimiser, training["mlp-bernoulli"].epochs) == ("RMSprop", 50)
    assert (training["deep-autoencoder"].batch, training["spectral-64"].batch) == (64, 32)
    assert all(training[name].batch == 128 for name in IMAGES[:3])


def test_the_gaussian_of_variance_one_half_is_the_squared_error() -> None:
    vae = VAE(784, 0, load_config("mlp-gaussian-tanh").network)
    x = 2 * torch.rand(784, 5) - 1
    with torch.no_grad():
        mean, _ = vae.encode(x, None)
        error = (x - vae.decode(mean, None)).square().sum(dim=0)
        np.testing.assert_allclose(vae.terms(x).reconstruction, error, rtol=1e-4)


def test_a_plain_autoencoder_draws_nothing_and_has_no_kl() -> None:
    vae = VAE(784, 0, load_config("deep-autoencoder").network)
    x = torch.rand(784, 5)
    with torch.no_grad():
        noisy, plain = vae.terms(x, None, torch.randn(3, 5)), vae.terms(x)
    np.testing.assert_array_equal(noisy.reconstruction, plain.reconstruction)
    assert not plain.kl.any()


def test_importance_weights_bound_a_linear_models_true_likelihood() -> None:
    """For a linear Gaussian VAE log p(x) is known: N(x; 0, D D^T + s2 I)."""
    torch.manual_seed(1)
    config = NetworkConfig(hidden=(3,), latent=2, linear=True, noise=0.1)
    from specvae.training.closed_form import start_linear

    model = VAE(4, 0, config)
    x = torch.randn(4, 2) @ torch.randn(2, 4000) + 0.3 * torch.randn(4, 4000)
    start_linear(model, x, None)
    with torch.no_grad():
        some = x[:, :20]
        weights = model.log_weights(some, torch.randn(4000, 2, 20))
        bound = (torch.logsumexp(weights, 0) - np.log(4000)).double().numpy() - 2.0 * np.log(2 * np.pi)
        d = (model.decode(torch.eye(2), None) - model.decode(torch.zeros(2, 1), None)).double().numpy()
        centre = model.decode(torch.zeros(2, 1), None)[:, 0].double().numpy()
        covariance = d @ d.T + float(model.sigma()[0]) ** 2 * np.eye(4)
        elbo = -(lambda t: t.reconstruction + t.kl)(model.terms(some, None, torch.randn(2, 20))).mean()
    from scipy.stats import multivariate_normal

    true = multivariate_normal(centre, covariance).logpdf(some.double().numpy().T)
    np.testing.assert_allclose(bound, true, atol=0.05)
    assert float(elbo) - float(model.log_volume()) - 2.0 * np.log(2 * np.pi) < true.mean()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("network.likelihood=bernoulli", "bernoulli likelihood goes with"),
        ("network.output=tanh", "linear paths go with"),
        ("network.strides=[2]", "as many"),
        ("network.deviation=0.5", "linear paths go with"),
        ("training.schedule=sawtooth", "schedule"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_in_one_line(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        load_config(settings=[setting])
    assert "\n" not in str(refused.value)


def optimisers() -> list[str]:
    """Every one of torch that takes dense gradients."""
    kinds = {name: kind for name, kind in vars(torch.optim).items() if isinstance(kind, type)}
    real = {name for name, kind in kinds.items() if issubclass(kind, torch.optim.Optimizer)}
    return sorted(real - {"Optimizer", "SparseAdam"})


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n == "LBFGS" else n for n in optimisers()])
def test_any_optimiser_of_torch_lowers_the_loss(name: str) -> None:
    rng = np.random.default_rng(0)
    images = np.clip(0.3 + 0.25 * np.outer(rng.normal(size=256), np.sin(np.arange(16))), 0, 1).astype(np.float32)
    rate = {"SGD": 0.1, "ASGD": 0.1, "Adadelta": 5.0}.get(name, 0.01)
    options = {"training.optimiser": name, "training.epochs": 8, "training.learning_rate": rate}
    model = ImageModel.fit(images, load_config("spectral-64", overrides=options))
    assert model.losses[-1] < model.losses[0] - 0.01
    assert np.isfinite(model.score(images).score).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [("Optimizer", "is not an optimiser"), ("lr_scheduler", "is not an optimiser"), ("Adams", "is not an optimiser"),
     ("SparseAdam", "takes sparse gradients")],
)  # fmt: skip
def test_what_is_no_optimiser_for_it_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ImageModel.fit(
            np.full((40, 8), 0.5, np.float32), load_config("spectral-64", overrides={"training.optimiser": name})
        )


SHAPES = [
    ("gaussian", "linear", True), ("gaussian", "linear", False), ("gaussian", "sigmoid", False),
    ("gaussian", "tanh", False), ("bernoulli", "sigmoid", False),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize(("likelihood", "output", "linear"), SHAPES)
@pytest.mark.parametrize("variance", ["fixed", "learned"])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_every_network_goes_with_every_likelihood_output_variance_and_kl_weight(
    kind: str, likelihood: str, output: str, linear: bool, variance: str, weight: float
) -> None:
    """One function makes both terms of them all; without KL the second is 0."""
    options = {
        "network.kind": kind, "network.likelihood": likelihood, "network.output": output, "network.linear": linear,
        "network.variance": variance, "network.kl_weight": weight, "network.shape": [1, 8, 8], "network.latent": 4,
        "network.prior": "normal", "normaliser.kind": "fixed", "training.epochs": 3, "training.refits": 0,
        "training.batch": 32, "training.keep": "last",
    }  # fmt: skip
    if likelihood == "bernoulli" and variance == "learned":
        with pytest.raises(UsageError, match="network: a bernoulli likelihood goes with"):
            load_config(overrides=options)
        return
    rng = np.random.default_rng(0)
    images = np.clip(0.5 + 0.2 * rng.normal(size=(300, 3)) @ rng.normal(size=(3, 64)), 0, 1).astype(np.float32)
    model = ImageModel.fit(images, load_config(overrides=options))
    parts = model.score(images)
    np.testing.assert_allclose(parts.score, parts.reconstruction + parts.kl, rtol=1e-6)
    assert np.isfinite(parts.score).all()
    assert (parts.kl == 0).all() if weight == 0 else (parts.kl > 0).all()
    assert model.has_elbo == (weight > 0)
    if not linear:  # else it starts at the optimum of its linear part
        assert model.losses[-1] < model.losses[0]
    made = model.reconstruct(images)
    if output == "sigmoid":
        assert made.min() >= 0
        assert made.max() <= 1
    sigma = model.net.vae.log_sigma.detach()
    assert float(sigma.abs().max()) > 1e-3 if variance == "learned" else float(sigma.std()) < 1e-6
