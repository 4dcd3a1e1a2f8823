"""Principal components beside the latent values: scikit-learn is the oracle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from specvae.api.spectral_vae import SpectralVAE
from specvae.errors import ModelError
from specvae.model.principal import Principal
from specvae.model_file import load_model, save_model
from specvae.stages.latent.reconstruct import reconstruct


def spectra(n: int, seed: int) -> np.ndarray:
    """``(n, 9)``: three sources of very different size, and noise."""
    rng = np.random.default_rng(seed)
    sources = np.random.default_rng(0).normal(size=(3, 9)) * np.array([[500.0], [40.0], [3.0]])
    return 1000 + rng.normal(size=(n, 3)) @ sources + rng.normal(size=(n, 9))


@pytest.mark.parametrize("kept", [1, 2, 4, 9])
def test_what_components_leave_is_what_scikit_learn_s_leave(kept: int) -> None:
    train, test = spectra(400, 1), spectra(150, 2)
    found = Principal.fit(train.T, 9)
    for in_units, scale in ((True, 1.0), (False, train.std(axis=0))):
        pca = PCA(kept).fit(train / scale)
        rest = test / scale - pca.inverse_transform(pca.transform(test / scale))
        residual = found.residual(test.T, in_units)[kept - 1]
        np.testing.assert_allclose(residual, np.square(rest).mean(axis=1), rtol=1e-6, atol=1e-6)


def test_all_pixels_of_a_patch_s_band_have_one_scale() -> None:
    rng = np.random.default_rng(0)
    patches = np.concatenate([rng.normal(0, 2, (16, 300)), rng.normal(50, 7, (16, 300)), np.full((16, 300), 4.0)])
    scale = Principal.fit(patches, 5, side=4).scale.reshape(3, 16)
    np.testing.assert_allclose(scale, np.repeat([[2.0], [7.0], [4.0]], 16, axis=1), rtol=0.03)
    assert (scale == scale[:, :1]).all()


def test_no_more_components_than_spectra_or_values_and_what_is_constant_leaves_nothing() -> None:
    assert len(Principal.fit(spectra(4, 0).T, 9).plain) == 4
    assert len(Principal.fit(spectra(40, 0).T, 32).plain) == 9
    flat = Principal.fit(np.full((3, 30), 5.0), 2)
    assert np.isfinite(flat.plain).all()
    np.testing.assert_allclose(flat.residual(np.full((3, 4), 5.0)), 0.0)


def test_reconstruct_tells_the_mean_squared_error_and_that_of_as_many_components(tmp_path: Path) -> None:
    train, test = spectra(3000, 3), spectra(500, 4)
    SpectralVAE(steps=200, random_state=0).fit(train).save(tmp_path / "m.specvae")
    pd.DataFrame(test, columns=list("abcdefghi")).to_csv(tmp_path / "test.csv", index=False)
    out = tmp_path / "out"
    (outcome,) = reconstruct([str(tmp_path / "test.csv")], model=str(tmp_path / "m.specvae"), out=str(out)).outcomes
    report = outcome.report
    assert report is not None
    assert report["sampled"] == report["valid"] == 500
    left = pd.read_csv(out / "test" / "residual.csv").to_numpy()
    assert report["mse_of_all"] == pytest.approx(np.square(left).mean(), rel=1e-5)
    assert report["ratio"] == 9 / report["active"]
    assert "squared units of the data" in report["mse_unit"]
    kept = report["active"]
    assert 1 <= kept <= 9
    pca = PCA(kept).fit(train)
    theirs = np.square(test - pca.inverse_transform(pca.transform(test))).mean()
    assert report["pca_mse"] == pytest.approx(theirs, rel=0.05)  # a seventh of the rows is held out of training
    curve = pd.read_csv(out / "test" / "compression.csv").set_index("kept")
    assert curve.loc[kept, "mse"] == pytest.approx(report["mse"], rel=1e-6)
    assert curve["mse"].iloc[-1] == pytest.approx(report["mse_of_all"], rel=1e-4)
    assert curve["pca_mse"].is_monotonic_decreasing
    assert report["mse_median"] == pytest.approx(curve.loc[kept, "mse_median"], rel=1e-6)
    assert curve["mse_median"].iloc[-1] == pytest.approx(np.median(np.square(left).mean(axis=1)), rel=1e-4)
    each = np.square(test - pca.inverse_transform(pca.transform(test))).mean(axis=1)
    assert report["pca_mse_median"] == pytest.approx(np.median(each), rel=0.1)
    assert f"mean squared error {report['mse']:.4g} (median {report['mse_median']:.4g})" in outcome.message
    assert f"principal components {report['pca_mse']:.4g} (median {report['pca_mse_median']:.4g})" in outcome.message


def test_a_model_file_keeps_the_components_and_one_without_them_says_what_to_do(tmp_path: Path) -> None:
    model = SpectralVAE(steps=20).fit(spectra(300, 5))
    detector = model.detector_
    model.save(tmp_path / "m.specvae")
    stored = load_model(tmp_path / "m.specvae").detector.background.principal
    assert stored is not None
    assert detector.background.principal is not None
    for name, array in vars(detector.background.principal).items():
        np.testing.assert_array_equal(getattr(stored, name), array)
    detector.background = replace(detector.background, principal=None)
    save_model(detector, tmp_path / "old.specvae", {})
    pd.DataFrame(spectra(50, 6), columns=list("abcdefghi")).to_csv(tmp_path / "rows.csv", index=False)
    run = reconstruct([str(tmp_path / "rows.csv")], model=str(tmp_path / "old.specvae"), out=str(tmp_path / "o"))
    assert run.exit_status == ModelError.exit_status
    assert "made before principal components were kept in it; fit it again" in run.outcomes[0].message
