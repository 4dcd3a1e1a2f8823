"""What a fit says of itself: active dimensions, share of KL, collapse, bands that explode; on stderr and in the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from specvae.bands import Band, BandSet
from specvae.detector import Detector
from specvae.model.config_file import load_config
from specvae.training.diagnostics import bernoulli_spread
from specvae.training.sampling import region_of_rows
from tests.commands import run


def factors(n: int = 3000, active: int = 2, bands: int = 8, seed: int = 0) -> np.ndarray:
    """Spectra ``(n, bands)`` that move along ``active`` directions, with a little noise."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(active, bands))
    return rng.normal(size=(n, active)) @ mixing + 1e-3 * rng.normal(size=(n, bands)) + 5.0


def fitted(values: np.ndarray, *settings: str) -> Detector:
    config = load_config(settings=["normaliser.kind=zscore", "network.prior=normal", "training.steps=60", *settings])
    region = region_of_rows(values, np.ones(len(values), bool), config.sampling, 0)
    return Detector.fit([region], BandSet(tuple(Band(f"b{i}") for i in range(values.shape[1]))), config, context=False)


@pytest.mark.parametrize("active", [1, 2, 4])
def test_as_many_dimensions_are_active_as_the_data_have(active: int) -> None:
    diagnostics = fitted(factors(active=active)).provenance["diagnostics"]
    assert diagnostics["active_latent"] == active
    assert diagnostics["latent"] == 8
    assert diagnostics["warnings"] == []


def test_the_share_of_kl_is_that_of_the_scores() -> None:
    detector = fitted(factors())
    diagnostics = detector.provenance["diagnostics"]
    parts = detector.score_rows(factors().astype(np.float32), np.ones(3000, bool))
    assert diagnostics["kl_share"] == pytest.approx(float(parts.kl.sum() / parts.score.sum()), abs=0.02)
    assert diagnostics["mean_kl"] == pytest.approx(float(parts.kl.mean()), rel=0.1)
    assert 0.05 < diagnostics["kl_share"] < 1.0
    other = fitted(factors(), "network.kl_weight=0").provenance["diagnostics"]
    assert other["kl_share"] == 0.0


@pytest.mark.parametrize("weight", [300, 3000])
def test_a_planted_collapse_is_reported(weight: int) -> None:
    settings = (
        f"network.kl_weight={weight}",
        "network.linear=false",
        "training.steps=400",
        "training.learning_rate=0.01",
    )
    diagnostics = fitted(factors(), *settings).provenance["diagnostics"]
    assert diagnostics["active_latent"] == 0
    assert any("collapsed" in warning for warning in diagnostics["warnings"])


def test_an_encoder_that_was_silenced_is_reported() -> None:
    from specvae.training.descent import Sample
    from specvae.training.diagnostics import diagnose

    detector = fitted(factors())
    with torch.no_grad():
        for parameter in detector.net.vae.encoder.parameters():
            parameter.zero_()
    sample = Sample(torch.from_numpy(factors(500).T.astype(np.float32)))
    diagnostics = diagnose(detector.net, sample, "cpu")
    assert diagnostics["active_latent"] == 0
    assert "the latent space collapsed: no dimension varies with the input" in diagnostics["warnings"]


def test_a_band_that_explodes_is_named_and_no_other() -> None:
    values = factors(active=1)
    values[:, 4] = np.random.default_rng(3).normal(size=len(values)) * 50
    diagnostics = fitted(values, "network.latent=1").provenance["diagnostics"]
    assert [w for w in diagnostics["warnings"] if "explode" in w] == [
        "bands that explode, each most of the reconstruction term: 5"
    ]


def test_a_constant_band_is_named() -> None:
    values = factors()
    values[:, 2] = 7.0
    diagnostics = fitted(values).provenance["diagnostics"]
    assert "bands that never varied in training: 3" in diagnostics["warnings"]


def test_fit_prints_them_and_the_report_holds_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = factors(active=1)
    values[:, 4] = np.random.default_rng(3).normal(size=len(values)) * 50
    pd.DataFrame(values, columns=[f"b{i}" for i in range(8)]).to_csv(tmp_path / "t.csv", index=False)
    settings = ("normaliser.kind=zscore", "network.prior=normal", "network.latent=1", "training.steps=60")
    words = [word for setting in settings for word in ("--set", setting)]
    assert run("fit", tmp_path / "t.csv", "--model", tmp_path / "m.specvae", *words) == 0
    said = capsys.readouterr()
    assert "1 of 1 latent dimensions active" in said.out
    assert "% of a normal score is KL" in said.out
    assert "bands that explode" in said.err
    assert run("score", tmp_path / "t.csv", "--model", tmp_path / "m.specvae", "--out", tmp_path / "out") == 0
    report = json.loads((tmp_path / "out" / "t" / "report.json").read_text())
    assert report["diagnostics"]["active_latent"] == 1
    assert any("explode" in warning for warning in report["warnings"])
    page = (tmp_path / "out" / "t" / "report.html").read_text()
    assert "bands that explode" in page
    assert "latent" in page


@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0])
def test_the_spread_of_values_is_in_units_of_a_bernoulli_value_s(spread: float) -> None:
    """Planted: one axis over ten bands of mean .2, whose variance is ``spread`` times .2 (1 - .2)."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.ones(10, 1) / 10**0.5
    x = 0.2 + (0.16 * spread) ** 0.5 * axis * torch.randn(1, 20_000, generator=generator)
    assert bernoulli_spread(x) == pytest.approx(spread, rel=0.05)
