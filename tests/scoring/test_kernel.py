"""The compiled scorer against the torch reference: nets of all shapes, extremes, windows, and the same bits of all variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from specvae.model.config import ModelConfig
from specvae.model.context import RingContext
from specvae.model.marginals import Marginals
from specvae.model.net_state import NetState
from specvae.model.normaliser import Normaliser
from specvae.model.spectral_net import SpectralNet
from specvae.model.vae import VAE
from specvae.scoring.cells import CellScorer
from specvae.scoring.kernel import library
from specvae.scoring.kernel.library import Variant, variants
from specvae.scoring.kernel.scorer import CompiledScorer, why_not_compiled
from specvae.spectra import Cube, Window

pytestmark = pytest.mark.skipif(not variants(), reason="the install has no compiled scorer")

SOURCES = [path for path in Path(library.__file__).parent.iterdir() if path.suffix in {".c", ".h"}]
FUSED = [variant for variant in variants() if variant.name != "baseline"]


def random_net(seed: int, bands: int, **kind: Any) -> tuple[SpectralNet, ModelConfig]:
    """A net of random weights; ``kind`` has context, marginal, mixture, hidden, latent, linear, activation, kl_weight,
    and ``before``: a context as it was before pixels were weighted and contexts judged."""
    rng, generator = np.random.default_rng(seed), torch.random.fork_rng(devices=[])
    context, marginal, mixture = kind.pop("context", 0), kind.pop("marginal", False), kind.pop("mixture", 0)
    before = kind.pop("before", False)
    network = {"noise": 0.05, **kind} | ({"prior": "mixture"} if mixture else {})
    ring = {"outer": 9, "guard": 3, "components": context} if context else {}
    config = ModelConfig.model_validate({"network": network, "context": ring})
    with generator:
        torch.manual_seed(seed)
        values = rng.normal(size=(bands, 400)) * rng.uniform(1, 300, (bands, 1)) + rng.uniform(-50, 2000, (bands, 1))
        normaliser = Normaliser.fit(values, 1.0 if marginal else None)
        fitted = RingContext(bands, config.context, not before) if context else None
        vae = VAE(bands, fitted.components if fitted else 0, config.network, mixture, None if before else 0.5)
        with torch.no_grad():
            for name, parameter in vae.named_parameters():
                if "mixture" not in name and parameter.requires_grad:
                    parameter.normal_(std=0.25)
            vae.log_sigma.uniform_(-1.5, 0.5)
            if fitted is not None:
                fitted.fit(normaliser(torch.from_numpy(values.astype(np.float32))).numpy())
                vae.context_scale.fill_(2.0)
                if vae.context_prior is not None:
                    vae.context_prior.fit(0.3 * rng.normal(size=(context, 300)))
                vae.context_reach.fill_(1.5)
    return SpectralNet(normaliser, fitted, vae).eval(), config


def cube_for(net: SpectralNet, rows: int, cols: int, seed: int, invalid: float = 0.1) -> Cube:
    rng = np.random.default_rng(seed)
    centre, scale = net.normaliser.centre.numpy()[..., None], net.normaliser.scale.numpy()[..., None]
    values = (centre + scale * rng.normal(size=(len(centre), rows, cols)) * 1.5).astype(np.float32)
    reason = (rng.random((rows, cols)) < invalid).astype(np.uint8)
    values[:, reason != 0] = np.nan
    return Cube(values, reason, Window(40, -3, rows, cols))


def compiled(net: SpectralNet, config: ModelConfig, threads: int = 1, variant: Variant | None = None) -> CompiledScorer:
    state = NetState.of(net, config)
    assert why_not_compiled(state) is None
    return CompiledScorer(state, threads, variant)


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "narrow": {"hidden": (3,), "latent": 2},
    "wide and deep": {"hidden": (33, 18, 7), "latent": 19},
    "relu without linear paths": {"linear": False, "hidden": (24, 9), "latent": 5},
    "silu without linear paths": {"linear": False, "hidden": (10,), "activation": "silu"},
    "linear alone": {"linear": False, "hidden": (), "latent": 3},
    "plain autoencoder": {"kl_weight": 0.0},
    "mixture": {"mixture": 5, "latent": 4},
    "marginals": {"marginal": True, "latent": 3},
    "marginals and mixture": {"marginal": True, "mixture": 16, "latent": 6},
    "sigmoid": {"output": "sigmoid", "linear": False, "hidden": (20,)},
    "tanh": {"output": "tanh", "linear": False, "hidden": (9, 5)},
    "bernoulli": {"likelihood": "bernoulli", "output": "sigmoid", "linear": False, "hidden": (20,)},
    "bernoulli, marginals and mixture": {
        "likelihood": "bernoulli",
        "output": "sigmoid",
        "linear": False,
        "marginal": True,
        "mixture": 3,
        "latent": 4,
    },
    "ring": {"context": 4},
    "ring and marginals": {"context": 3, "marginal": True},
    "ring of before": {"context": 4, "before": True},
    "ring of more components": {"context": 11, "hidden": (20,)},
    "ring and two layers": {"context": 3, "hidden": (12, 8), "latent": 7},
}


@pytest.mark.parametrize("bands", [1, 3, 12, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_net_scores_as_torch_does(kind: str, bands: int) -> None:
    net, config = random_net(bands, bands, **KINDS[kind])
    cube = cube_for(net, 90, 131, seed=bands)
    window = Window(46, 4, 80, 119)
    reference, context = CellScorer(net).score(cube, window)
    parts, own_context = compiled(net, config).score(cube, window)
    np.testing.assert_array_equal(np.isnan(parts.score), np.isnan(reference.score))
    assert (np.isnan(parts.score) == ~cube.crop(window).valid).all()
    within = np.maximum(1.0, np.abs(reference.score))
    for ours, torchs in ((parts.reconstruction, reference.reconstruction), (parts.kl, reference.kl)):
        assert np.nanmax(np.abs(ours - torchs) / within) < 1e-5
    if context is None:
        assert own_context is None
    else:
        np.testing.assert_allclose(own_context, context, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_reasons_are_those_of_torch(kind: str) -> None:
    net, config = random_net(3, 12, **KINDS[kind])
    cube = cube_for(net, 1, 57, seed=1, invalid=0.0)
    values = cube.values[:, 0]
    around = None if net.ring is None else np.random.default_rng(0).normal(size=(net.ring.components, 57)).astype("f4")
    reference = CellScorer(net).explain(values, around)
    ours = compiled(net, config).explain(values, around)
    np.testing.assert_allclose(ours.contribution, reference.contribution, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(ours.deviation, reference.deviation, rtol=2e-4, atol=2e-5)
    scale = net.normaliser.scale.numpy()
    np.testing.assert_allclose(ours.reconstructed / scale, reference.reconstructed / scale, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_all_fused_variants_give_the_same_bits_and_the_baseline_nearly(kind: str) -> None:
    net, config = random_net(7, 13, **KINDS[kind])
    cube = cube_for(net, 70, 75, seed=2)
    window = cube.window
    scored = {v.name: compiled(net, config, 1, v).score(cube, window)[0] for v in variants()}
    first = scored[variants()[0].name]
    for variant in FUSED[1:]:
        np.testing.assert_array_equal(scored[variant.name].score.view(np.uint32), first.score.view(np.uint32))
        np.testing.assert_array_equal(scored[variant.name].kl.view(np.uint32), first.kl.view(np.uint32))
    np.testing.assert_allclose(scored["baseline"].score, first.score, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", ["plain", "ring and marginals"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float64", ">i2"])
def test_values_as_stored_score_to_the_bits_of_the_same_values_as_float32(kind: str, dtype: str) -> None:
    net, config = random_net(9, 5, **KINDS[kind])
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    values = np.random.default_rng(3).normal(100.0, 60.0, (5, 61, 70)).round()
    values[:, 4, 4], values[:, 5, 5] = (limits.min, limits.max) if limits else (-1e9, 1e9)
    stored = np.clip(values, 0 if dtype == "uint8" else -3e4, 255 if dtype == "uint8" else 3e4).astype(dtype)
    reason = (np.random.default_rng(4).random((61, 70)) < 0.1).astype(np.uint8)
    window, scorer = Window(45, 2, 50, 60), compiled(net, config)
    scores = [
        scorer.score(Cube(array, reason, Window(40, -3, 61, 70)), window)[0]
        for array in (stored, stored.astype(np.float32), np.asfortranarray(stored))
    ]
    for other in scores[1:]:
        np.testing.assert_array_equal(scores[0].score.view(np.uint32), other.score.view(np.uint32))
        np.testing.assert_array_equal(scores[0].kl.view(np.uint32), other.kl.view(np.uint32))


def test_the_score_is_exactly_the_sum_of_its_terms() -> None:
    net, config = random_net(9, 5, **KINDS["ring"])
    parts = compiled(net, config).score(cube_for(net, 33, 70, seed=1), Window(44, 4, 25, 60))[0]
    np.testing.assert_array_equal(parts.score, parts.reconstruction + parts.kl)


def test_the_sources_can_be_read_in_one_sitting() -> None:
    lines = [line.strip() for path in SOURCES for line in path.read_text(encoding="utf-8").splitlines()]
    assert len([line for line in lines if line and not line.startswith(("/*", "* ", "*/"))]) < 500


windows = st.builds(
    lambda r, c, h, w: Window(40 + r, -3 + c, min(h, 150 - r), min(w, 1100 - c)),
    st.integers(0, 149),
    st.integers(0, 1099),
    st.integers(1, 150),
    st.integers(1, 1100),
)


@pytest.mark.parametrize("kind", ["plain", "ring", "ring and marginals", "marginals and mixture"])
@settings(max_examples=20, deadline=None)
@given(window=windows, threads=st.integers(1, 3))
def test_any_window_and_any_number_of_threads_give_the_same_bits(kind: str, window: Window, threads: int) -> None:
    net, config = random_net(5, 6, **KINDS[kind])
    scene = cube_for(net, 150, 1100, seed=4)
    whole = compiled(net, config).score(scene, scene.window)[0]
    read = window.grow(net.halo).clip(scene.window)
    part = compiled(net, config, threads).score(scene.crop(read), window)[0]
    inside = window.shift(-40, 3).slices
    np.testing.assert_array_equal(part.score.view(np.uint32), whole.score[inside].view(np.uint32))


@pytest.mark.parametrize("kind", ["plain", "ring", "marginals", "mixture"])
@pytest.mark.parametrize("absurd", [1e30, -1e30, 3.4e38, 1e-42, 0.0])
def test_extremes_are_finite_ranked_and_as_torch_has_them(kind: str, absurd: float) -> None:
    net, config = random_net(11, 9, **KINDS[kind])
    cube = cube_for(net, 40, 44, seed=6)
    cube.values[4, 20, 21] = absurd
    cube.reason[20, 21] = 0
    cube.values[:4, 20, 21] = cube.values[5:, 20, 21] = net.normaliser.centre[0, 0]
    ours = compiled(net, config).score(cube, cube.window)[0].score
    reference = CellScorer(net).score(cube, cube.window)[0].score
    assert np.isfinite(ours[cube.valid]).all()
    assert np.nanmax(np.abs(ours - reference) / np.maximum(1.0, np.abs(reference))) < 3e-5
    if abs(absurd) > 1e20:
        assert ours[20, 21] == np.nanmax(ours)


def test_rows_of_a_table_score_alike_in_any_order_and_company() -> None:
    net, config = random_net(2, 10, marginal=True, mixture=4, latent=5)
    rows = cube_for(net, 90, 101, seed=8, invalid=0.0).values.reshape(10, -1).T
    order = np.random.default_rng(0).permutation(len(rows))
    valid = np.ones(len(rows), bool)
    valid[5] = False
    scorer = compiled(net, config, 2)
    score = scorer.score_rows(rows, valid).score
    assert np.isnan(score).nonzero()[0].tolist() == [5]
    np.testing.assert_array_equal(scorer.score_rows(rows[order], valid[order]).score, score[order])
    assert scorer.score_rows(rows[7:8], valid[7:8]).score[0] == score[7]
    assert scorer.score_rows(rows[:0], valid[:0]).score.shape == (0,)


def test_a_flat_scene_and_a_band_that_never_varied() -> None:
    net, config = random_net(4, 3, context=2)
    net.normaliser.scale[1] = 7.0
    cube = cube_for(net, 64, 64, seed=0, invalid=0.0)
    cube.values[:] = cube.values[:, :1, :1]
    ours = compiled(net, config).score(cube, cube.window)[0].score
    reference = CellScorer(net).score(cube, cube.window)[0].score
    np.testing.assert_allclose(ours, reference, rtol=2e-5)
    assert len(np.unique(ours[4:-4, 4:-4])) == 1, "the same surroundings give the same bits"


def test_a_scene_without_a_valid_pixel_is_all_nan() -> None:
    net, config = random_net(4, 3, context=2)
    cube = cube_for(net, 30, 30, seed=0, invalid=2.0)
    assert np.isnan(compiled(net, config).score(cube, cube.window)[0].score).all()


def test_what_is_not_covered_says_why() -> None:
    for setting, reason in (
        ({"network": {"linear": True, "hidden": ()}}, "linear path"),
        ({"patch": 8}, "patches"),
        ({"network": {"kind": "conv", "shape": (1, 4, 4), "linear": False}}, "images"),
    ):
        state = NetState(16, ModelConfig.model_validate(setting), {"ring": False}, {})
        assert reason in (why_not_compiled(state) or "")


def test_wrong_arrays_are_refused_before_the_library_sees_them() -> None:
    net, config = random_net(4, 3)
    scorer, cube = compiled(net, config), cube_for(net, 20, 20, seed=0)
    with pytest.raises(ValueError, match="bands"):
        scorer.score(Cube(cube.values[:2], cube.reason, cube.window), cube.window)
    with pytest.raises(ValueError, match="beyond"):
        scorer.score(cube, cube.window.grow(1))
    with pytest.raises(ValueError, match="columns"):
        scorer.explain(np.zeros((4, 5), np.float32), None)


def test_marginals_beyond_their_table_cost_as_torch_says() -> None:
    net, config = random_net(6, 4, marginal=True)
    marginals = net.normaliser.marginals
    assert isinstance(marginals, Marginals)
    edge = (marginals.low + 1023 * marginals.step) * net.normaliser.scale + net.normaliser.centre
    values = (edge * torch.tensor([0.5, 0.99, 1.0, 1.01, 3.0])).numpy().astype(np.float32)
    ours = compiled(net, config).score_rows(values.T, np.ones(5, bool)).score
    reference = CellScorer(net).score_rows(values.T, np.ones(5, bool)).score
    np.testing.assert_allclose(ours, reference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["plain", "marginals and mixture", "ring and two layers"])
def test_arrays_of_another_shape_or_name_never_reach_the_library(kind: str) -> None:
    net, config = random_net(1, 5, **KINDS[kind])
    state = NetState.of(net, config)
    for name, array in state.arrays.items():
        short = np.resize(array, (*array.shape[:-1], array.shape[-1] + 1)) if array.ndim else np.zeros(3, np.float32)
        with pytest.raises(ValueError, match=name):
            CompiledScorer(NetState(5, config, state.parts, {**state.arrays, name: short}))
        without = {key: value for key, value in state.arrays.items() if key != name}
        with pytest.raises(KeyError, match=name):
            CompiledScorer(NetState(5, config, state.parts, without))
    with pytest.raises(ValueError, match="stranger"):
        CompiledScorer(NetState(5, config, state.parts, {**state.arrays, "vae.stranger": np.zeros(2, np.float32)}))
    with pytest.raises(ValueError, match="attention"):
        CompiledScorer(NetState(5, config, {**state.parts, "attention": True}, state.arrays))
