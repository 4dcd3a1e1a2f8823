"""The rules of the score for models fitted on tables: marginals, a mixture prior, no context."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from rasterio.transform import from_origin

from specvae.scoring.cells import CellScorer
from specvae.scoring.latent import draw_spectra
from specvae.spectra import Cube, Parts, Window
from tests.commands import run
from tests.table_models import CONFIG, NAMES, detector, fitted, rows


def scored(values: np.ndarray) -> Parts:
    return detector().score_rows(values, np.ones(len(values), bool))


def test_tables_get_marginals_and_a_mixture_and_rasters_neither() -> None:
    assert detector().net.normaliser.marginals is not None
    assert detector().net.vae.mixture is not None
    assert detector().config.normaliser.kind == "marginal"
    raster = CONFIG.resolved(table=False, bands=6)
    assert (raster.normaliser.kind, raster.network.prior) == ("zscore", "normal")


def test_the_score_is_exactly_the_sum_of_two_terms_that_are_not_negative() -> None:
    parts = scored(rows())
    assert (parts.score == parts.reconstruction + parts.kl).all()
    assert (parts.reconstruction >= 0).all()
    assert np.isfinite(parts.score).all()


def test_contributions_add_up_to_the_score_and_show_the_cost_of_the_marginals() -> None:
    parts, explanation = scored(rows()), detector().explain(rows().T)
    np.testing.assert_allclose(explanation.contribution.sum(axis=0), parts.score, rtol=1e-5, atol=1e-5)
    cost = detector().net.normaliser.cost(torch.from_numpy(rows().T.copy()))
    assert float(cost.max()) > 1
    np.testing.assert_allclose(explanation.by_itself, cost.numpy(), atol=1e-4)
    residuals = detector().residuals(rows().T)
    np.testing.assert_allclose(residuals.contribution.sum(axis=0), parts.reconstruction, rtol=1e-5, atol=1e-5)
    assert (residuals.contribution >= cost.numpy() - 1e-4).all()


def test_a_row_scores_alike_in_any_order_company_and_thread() -> None:
    expected = scored(rows()).score
    order = np.random.default_rng(1).permutation(9000)
    np.testing.assert_allclose(scored(rows()[order]).score, expected[order], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scored(rows()[:1]).score, expected[:1], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(scored(rows()).score, expected)
    threaded = detector().on("cpu", 3).score_rows(rows(), np.ones(9000, bool))
    np.testing.assert_array_equal(threaded.score, expected)
    by_torch = CellScorer(detector().net, "cpu", 3).score_rows(rows(), np.ones(9000, bool))
    np.testing.assert_allclose(by_torch.score, expected, rtol=1e-5, atol=1e-5)


def test_two_fits_of_one_seed_are_the_same_model_and_another_seed_is_not() -> None:
    again = fitted(rows()).score_rows(rows(), np.ones(9000, bool)).score
    np.testing.assert_array_equal(again, scored(rows()).score)
    other = fitted(rows(), CONFIG.model_copy(update={"seed": 1})).score_rows(rows(), np.ones(9000, bool)).score
    assert not np.array_equal(other, again)


def test_a_raster_of_the_same_rows_scores_the_same() -> None:
    cube = Cube(rows().T.reshape(6, 90, 100).copy(), np.zeros((90, 100), np.uint8), Window(0, 0, 90, 100))
    score = detector().score(cube, cube.window).score
    np.testing.assert_allclose(score.ravel(), scored(rows()).score, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("band", [0, 4, 5], ids=["varied", "skewed", "constant"])
def test_the_absurd_is_finite_and_ranked(band: int) -> None:
    values = np.repeat(rows()[:1], 7, 0)
    values[:, band] = [*rows()[0, band : band + 1], 1e4, 1e6, 1e10, 1e20, 1e30, 3.4e38]
    score = scored(values).score
    assert np.isfinite(score).all()
    assert (np.diff(score) > 0).all()
    assert score[1] > scored(rows()).score.max()
    values[:, band] *= -1
    assert np.isfinite(scored(values).score).all()


def test_an_empty_table_and_invalid_rows_are_handled() -> None:
    assert scored(rows()[:0]).score.shape == (0,)
    bad = rows()[:5].copy()
    bad[2] = np.nan
    score = detector().score_rows(bad, np.isfinite(bad).all(axis=1)).score
    assert np.isnan(score).tolist() == [False, False, True, False, False]
    np.testing.assert_array_equal(score[[0, 1, 3, 4]], scored(rows()).score[[0, 1, 3, 4]])


def test_what_lies_between_clusters_scores_above_what_lies_in_them() -> None:
    fresh = rows(2000, 5)
    between = fresh.copy()
    low, high = fresh[fresh[:, 0] < np.median(fresh[:, 0])], fresh[fresh[:, 0] >= np.median(fresh[:, 0])]
    between[:, :4] = ((low.mean(0) + high.mean(0)) / 2)[:4]
    assert np.median(scored(between).score) > np.quantile(scored(rows()).score, 0.99)


def test_a_table_of_few_rows_is_fitted() -> None:
    few = rows()[:40]
    assert np.isfinite(fitted(few).score_rows(rows(), np.ones(9000, bool)).score).all()


@pytest.mark.parametrize("kind", ["csv", pytest.param("parquet", marks=pytest.mark.slow)])
def test_the_files_of_a_table_and_of_its_raster_hold_the_same_scores(kind: str, tmp_path: Path) -> None:
    values = rows()[:7000]
    frame = pd.DataFrame(values, columns=NAMES)
    frame.to_csv(tmp_path / "fit.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet") if kind == "parquet" else frame.to_csv(
        tmp_path / "rows.csv", index=False
    )
    profile = {"driver": "GTiff", "width": 100, "height": 70, "count": 6, "dtype": "float32", "crs": "EPSG:32633"}
    with rasterio.open(tmp_path / "map.tif", "w", transform=from_origin(0, 0, 10, 10), **profile) as file:
        file.write(values.T.reshape(6, 70, 100))
        file.descriptions = NAMES
    model = tmp_path / "m.specvae"
    assert run("fit", tmp_path / "fit.csv", "--model", model, "--set", "training.steps=50", "--folds", 1) == 0
    assert (
        run("score", tmp_path / f"rows.{kind}", tmp_path / "map.tif", "--model", model, "--out", tmp_path, "--parts")
        == 0
    )
    read = pd.read_parquet if kind == "parquet" else pd.read_csv
    table = read(tmp_path / "rows" / f"scores.{kind}")
    with rasterio.open(tmp_path / "map" / "score.tif") as file:
        parts = file.read([1, 2, 3]).reshape(3, -1)
    for name, part in zip(("score", "reconstruction", "kl"), parts, strict=True):
        np.testing.assert_allclose(table[name], part, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(table["score"], table["reconstruction"] + table["kl"], rtol=1e-5)


def test_the_model_file_brings_the_same_scores_back(tmp_path: Path) -> None:
    from specvae.model_file import load_model, save_model

    detector().calibration.prepare()
    save_model(detector(), tmp_path / "m.specvae", {})
    loaded = load_model(tmp_path / "m.specvae", "cpu", 1).detector
    np.testing.assert_array_equal(loaded.score_rows(rows(), np.ones(9000, bool)).score, scored(rows()).score)


def test_a_table_found_contaminated_has_no_evidence_and_its_model_is_written(tmp_path: Path) -> None:
    from specvae.model_file import load_model

    values = rows()[:3000].copy()
    values[::40] = np.random.default_rng(1).normal(0, 12, (75, 6))
    pd.DataFrame(values, columns=NAMES).to_csv(tmp_path / "fit.csv", index=False)
    assert (
        run("fit", tmp_path / "fit.csv", "--model", tmp_path / "m.specvae", "--set", "training.steps=50", "--folds", 1)
        == 0
    )
    loaded = load_model(tmp_path / "m.specvae").detector
    assert loaded.calibration.contaminated
    assert loaded.evidence is None


def test_drawing_spectra_moves_no_part_of_the_model_between_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = draw_spectra(detector().net, 5, 7)
    monkeypatch.setattr("torch.nn.Module._apply", lambda *given: pytest.fail("a module was moved"))
    assert np.array_equal(draw_spectra(detector().net, 5, 7), expected)
