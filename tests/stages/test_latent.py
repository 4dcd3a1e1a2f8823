"""``sample``, ``interpolate``, ``encode``, ``reconstruct``: against the net called directly, whatever the window or order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from click.testing import CliRunner
from numpy.typing import NDArray

from specvae.cli.main import cli
from specvae.detector import Detector
from specvae.errors import InputError, ModelError, OutputError, UsageError
from specvae.model.principal import Principal
from specvae.model_file import StoredModel, load_model
from specvae.scoring.compression import compression_curve
from specvae.scoring.latent import draw_spectra, latent_means, nats, reconstructions, spectra_of
from specvae.stages.demo.scenes import write_scene
from specvae.stages.fit import fit
from specvae.stages.latent.encode import encode
from specvae.stages.latent.interpolate import interpolate
from specvae.stages.latent.reconstruct import reconstruct
from specvae.stages.latent.sample import judgement, sample
from specvae.stages.requests import FitRequest

NAMES = ("B1", "B2", "B3", "B4", "B5")
ROWS, COLS = 150, 170
QUICK = ("training.steps=120", "training.refits=0", "sampling.folds=1")


def mixed(n: int, seed: int) -> NDArray[np.float64]:
    """``(5, n)``: two endmembers in all shares, and a little noise."""
    rng = np.random.default_rng(seed)
    ends = np.array([[400.0, 600, 500, 900, 700], [1500, 900, 1200, 700, 1600]])
    share = rng.random(n)
    return np.asarray((np.outer(ends[0], 1 - share) + np.outer(ends[1], share)) + rng.normal(0, 12, (5, n)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene with some nodata, a table of the same kind, and a model of each."""
    folder = tmp_path_factory.mktemp("latent")
    cube = mixed(ROWS * COLS, 0).reshape(5, ROWS, COLS).astype(np.uint16)
    cube[:, :3, :40] = 0
    write_scene(folder / "scene.tif", cube, NAMES)
    frame = pd.DataFrame(mixed(6000, 1).T, columns=NAMES).round(2)
    frame.insert(0, "sample_id", [f"s{i}" for i in range(len(frame))])
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet")
    fit(
        [str(folder / "scene.tif")],
        FitRequest(model=str(folder / "scene.specvae"), device="cpu", set=QUICK, context="ring"),
    )
    fit([str(folder / "rows.csv")], FitRequest(model=str(folder / "rows.specvae"), device="cpu", set=QUICK))
    return folder


def stored(place: Path, name: str) -> StoredModel:
    return load_model(place / f"{name}.specvae")


def read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as raster:
        return np.asarray(raster.read())


def principal_of(detector: Detector) -> Principal:
    assert detector.background.principal is not None
    return detector.background.principal


def test_latent_means_are_the_encoder_s(place: Path) -> None:
    net = stored(place, "rows").detector.net
    values = mixed(50, 2).astype(np.float32)
    with torch.inference_mode():
        latent, _ = net.vae.encode(net.normaliser(torch.from_numpy(values)), None)
    np.testing.assert_allclose(latent_means(net, values), latent.numpy(), atol=1e-4)


def test_reconstructions_and_nats_are_what_score_explains(place: Path) -> None:
    detector = stored(place, "rows").detector
    values = mixed(300, 3).astype(np.float32)
    expected = detector.scorer.explain(values, None).reconstructed
    np.testing.assert_allclose(reconstructions(detector.net, values), expected, rtol=2e-6)
    parts = detector.score_rows(values.T, np.ones(300, bool))
    np.testing.assert_allclose(nats(detector.net, values)[0], parts.score, rtol=1e-5, atol=1e-4)


def test_encode_writes_the_same_latent_raster_whatever_the_memory(place: Path, tmp_path: Path) -> None:
    scene, model = str(place / "scene.tif"), str(place / "scene.specvae")
    for name, memory in (("small", "16M"), ("large", "400M")):
        run = encode([scene], model=model, out=str(tmp_path / name), max_memory=memory, device="cpu")
        assert [o.status for o in run.outcomes] == ["done"]
    small, large = (read(tmp_path / name / "scene" / "latent.tif") for name in ("small", "large"))
    np.testing.assert_array_equal(small, large)
    detector = stored(place, "scene").detector
    assert small.shape == (detector.net.vae.latent, ROWS, COLS)
    assert np.isnan(small[:, :3, :40]).all()
    assert np.isfinite(small[:, 3:, :]).all()
    with rasterio.open(tmp_path / "small" / "scene" / "latent.tif") as raster:
        assert raster.descriptions[0] == "z1"
        assert raster.crs == rasterio.open(scene).crs


def test_a_latent_raster_holds_the_context_model_s_means(place: Path, tmp_path: Path) -> None:
    """Oracle: the whole scene at once through the detector's own context and the net."""
    from specvae.ingest.scene.opening import open_scene
    from specvae.ingest.sources import find_sources

    encode([str(place / "scene.tif")], model=str(place / "scene.specvae"), out=str(tmp_path), device="cpu")
    found = read(tmp_path / "scene" / "latent.tif")
    detector = stored(place, "scene").detector
    assert detector.has_context
    with open_scene(find_sources([str(place / "scene.tif")])[0], match=detector.bands) as scene:
        cube = scene.read(scene.grid.window)
    context = detector.context(cube, cube.window)
    assert context is not None
    at = (np.array([5, 80, 149]), np.array([0, 77, 169]))
    with torch.inference_mode():
        c = detector.net.vae.bounded(torch.from_numpy(context[:, *at]))
        latent, _ = detector.net.vae.encode(detector.net.normaliser(torch.from_numpy(cube.values[:, *at])), c)
    np.testing.assert_allclose(found[:, *at], latent.numpy(), atol=1e-4)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_raster_s_means_as_rows_are_those_of_the_latent_raster(place: Path, tmp_path: Path, format: str) -> None:
    options = {"model": str(place / "scene.specvae"), "device": "cpu"}
    encode([str(place / "scene.tif")], out=str(tmp_path / "tif"), **options)  # type: ignore[arg-type]
    encode([str(place / "scene.tif")], out=str(tmp_path / "rows"), format=format, **options)  # type: ignore[arg-type]
    path = tmp_path / "rows" / "scene" / f"latent.{format}"
    frame = pd.read_csv(path) if format == "csv" else pd.read_parquet(path)
    raster = read(tmp_path / "tif" / "scene" / "latent.tif")
    assert len(frame) == ROWS * COLS - 120
    z = frame[[f"z{i + 1}" for i in range(len(raster))]].to_numpy().T
    np.testing.assert_allclose(z, raster[:, frame["row"], frame["col"]], rtol=1e-6, atol=1e-6)


def test_a_table_s_means_stand_beside_its_other_columns_and_row_order_changes_nothing(
    place: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(place / "rows.csv")
    frame.loc[4, "B2"] = np.nan
    shuffled = frame.sample(frac=1, random_state=0)
    frame.to_csv(tmp_path / "a.csv", index=False)
    shuffled.to_parquet(tmp_path / "b.parquet")
    run = encode(
        [str(tmp_path / "a.csv"), str(tmp_path / "b.parquet")],
        model=str(place / "rows.specvae"),
        out=str(tmp_path / "codes"),
        device="cpu",
    )
    assert run.exit_status == 0
    a = pd.read_csv(tmp_path / "codes" / "a" / "latent.csv").set_index("sample_id")
    b = pd.read_parquet(tmp_path / "codes" / "b" / "latent.parquet").set_index("sample_id")
    assert list(a.columns) == [f"z{i + 1}" for i in range(5)]
    assert a.loc["s4"].isna().all()
    np.testing.assert_allclose(a.to_numpy(), b.loc[a.index][a.columns].to_numpy(), atol=1e-5)


def test_reconstruction_and_residual_add_up_to_the_scene(place: Path, tmp_path: Path) -> None:
    run = reconstruct([str(place / "scene.tif")], model=str(place / "scene.specvae"), out=str(tmp_path), device="cpu")
    assert run.exit_status == 0
    folder = tmp_path / "scene"
    made, left = read(folder / "reconstruction.tif"), read(folder / "residual.tif")
    observed = read(place / "scene.tif").astype(float)
    good = np.isfinite(made[0])
    assert good.sum() == ROWS * COLS - 120
    np.testing.assert_allclose((made + left)[:, good], observed[:, good], rtol=1e-6)
    summary = json.loads((folder / "summary.json").read_text())
    rmse = np.sqrt((left[:, good].astype(float) ** 2).mean(axis=1))
    np.testing.assert_allclose(list(summary["rmse_by_band"].values()), rmse, rtol=1e-4)
    share = 1 - (left[:, good].astype(float) ** 2).sum(axis=1) / (
        (observed[:, good] - observed[:, good].mean(axis=1, keepdims=True)) ** 2
    ).sum(axis=1)
    np.testing.assert_allclose(pd.read_csv(folder / "bands.csv")["explained"], share, atol=1e-4)
    assert summary["explained"] > 0.95
    each = np.sqrt(((left[:, good] / observed[:, good].std(axis=1, keepdims=True)) ** 2).mean(axis=0))
    assert summary["error_median"] == pytest.approx(np.median(each), rel=0.1)
    assert (folder / "compression.png").stat().st_size > 5000


def test_a_table_s_reconstructions_have_its_own_ending_and_columns(place: Path, tmp_path: Path) -> None:
    reconstruct([str(place / "rows.parquet")], model=str(place / "rows.specvae"), out=str(tmp_path), device="cpu")
    frame = pd.read_parquet(place / "rows.parquet")
    made = pd.read_parquet(tmp_path / "rows" / "reconstruction.parquet")
    left = pd.read_parquet(tmp_path / "rows" / "residual.parquet")
    assert list(made.columns) == ["sample_id", *NAMES]
    np.testing.assert_allclose(made[list(NAMES)] + left[list(NAMES)], frame[list(NAMES)], rtol=1e-6)


def test_keeping_more_latent_values_loses_less_and_two_endmembers_need_one(place: Path) -> None:
    """The spectra lie on a line but for noise: one value keeps nearly all, of either kind."""
    detector = stored(place, "rows").detector
    values = mixed(2000, 5).astype(np.float32)
    curve = compression_curve(detector.net, principal_of(detector), values, None)
    assert [p.kept for p in curve] == [1, 2, 3, 4, 5]
    assert curve[0].ratio == 5
    errors = [p.error for p in curve]
    assert errors[-1] == min(errors)
    assert curve[-1].error < 0.12
    assert curve[0].pca_error < 0.15
    assert [p.pca_error for p in curve] == sorted((p.pca_error for p in curve), reverse=True)
    assert curve[-1].pca_error == pytest.approx(0, abs=1e-6)


def test_pca_errors_are_those_of_scikit_learn(place: Path) -> None:
    from sklearn.decomposition import PCA

    detector = stored(place, "rows").detector
    rows = detector.background.reference.astype(float)
    scale = rows.std(axis=0)
    fitted = PCA(2).fit(rows / scale)
    left = rows / scale - fitted.inverse_transform(fitted.transform(rows / scale))
    curve = compression_curve(detector.net, principal_of(detector), rows.T.astype(np.float32), None)
    assert curve[1].pca_error == pytest.approx(np.median(np.sqrt((left**2).mean(axis=1))), rel=0.03)
    plain = PCA(2).fit(rows)
    missed = np.square(rows - plain.inverse_transform(plain.transform(rows))).mean()
    assert curve[1].pca_mse == pytest.approx(missed, rel=0.02)


@pytest.mark.parametrize("name", ["rows", "scene"])
def test_draws_lie_where_the_training_spectra_do(place: Path, tmp_path: Path, name: str) -> None:
    result = sample(model=str(place / f"{name}.specvae"), out=str(tmp_path), count=4000, device="cpu")
    assert 0.8 < result.summary["inside_envelope"] < 0.97
    assert result.summary["inside_expected"] == pytest.approx(0.9)
    drawn = pd.read_csv(tmp_path / "samples.csv")
    assert drawn.shape == (4000, 5)
    normal = stored(place, name).detector.background.reference
    np.testing.assert_allclose(drawn.mean(), normal.mean(axis=0), rtol=0.06)
    np.testing.assert_allclose(drawn.std(), normal.std(axis=0), rtol=0.25)
    envelope = pd.read_csv(tmp_path / "envelope.csv")
    np.testing.assert_allclose(envelope["normal_5"], np.quantile(normal, 0.05, axis=0), rtol=1e-5)
    assert (tmp_path / "envelope.png").stat().st_size > 10_000


def test_draws_are_the_same_with_the_same_seed_and_others_with_another(place: Path) -> None:
    net = stored(place, "rows").detector.net
    first, again, other = (draw_spectra(net, 20, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1


def test_draws_of_a_context_model_need_a_reference(place: Path) -> None:
    with pytest.raises(ModelError, match="surrounds a pixel"):
        draw_spectra(stored(place, "scene").detector.net, 3, 0)


def test_a_path_starts_and_ends_at_the_reconstructions_of_its_rows(place: Path, tmp_path: Path) -> None:
    interpolate(
        str(place / "rows.csv"), start="2", end="9", steps=5, model=str(place / "rows.specvae"), out=str(tmp_path)
    )
    path = pd.read_csv(tmp_path / "path.csv")
    frame = pd.read_csv(place / "rows.csv")
    ends = frame.loc[[2, 9], list(NAMES)].to_numpy(np.float32).T
    net = stored(place, "rows").detector.net
    assert list(path["kind"]) == ["given", "path", "path", "path", "path", "path", "given"]
    np.testing.assert_allclose(path.loc[[0, 6], list(NAMES)].to_numpy().T, ends, rtol=1e-5)
    np.testing.assert_allclose(path.loc[[1, 5], list(NAMES)].to_numpy().T, reconstructions(net, ends), rtol=1e-4)
    half = spectra_of(net, latent_means(net, ends).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(path.loc[[3], list(NAMES)].to_numpy().T, half, rtol=1e-4)


def test_a_path_between_two_given_spectra_needs_no_source(place: Path, tmp_path: Path) -> None:
    given = {"start": "400,600,500,900,700", "end": "1500,900,1200,700,1600"}
    outcome = interpolate(model=str(place / "rows.specvae"), out=str(tmp_path), steps=3, **given)
    middle = pd.read_csv(tmp_path / "path.csv").loc[2, list(NAMES)].to_numpy(float)
    np.testing.assert_allclose(middle, [950, 750, 850, 800, 1150], rtol=0.15)
    assert len(outcome.summary["scores"]) == 3


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("400,600,500,900,700", "1500,900,1200,700,1600", None),
        ("400,600,500,900,700", "9000,1,9000,1,9000", "the end lies above the model's cut"),
        ("9000,1,9000,1,9000", "400,600,500,900,700", "the start lies above the model's cut"),
        ("1,9000,1,9000,1", "9000,1,9000,1,9000", "both ends lie above the model's cut"),
    ],
)
def test_a_path_from_or_to_what_the_model_calls_anomalous_is_warned_of(
    start: str, end: str, said: str | None, place: Path, tmp_path: Path
) -> None:
    words = ["interpolate", "--start", start, "--end", end, "--model", str(place / "rows.specvae")]
    for _ in range(2):  # made, and made already
        result = CliRunner().invoke(
            cli, [*words, "--out", str(tmp_path)], catch_exceptions=False, standalone_mode=False
        )
        assert (said or "steps, scores") in result.output
        assert ("warning" in result.stderr) == (said is not None)
        assert len(result.stderr.splitlines()) <= 1


def test_a_path_between_two_pixels_knows_what_surrounds_them(place: Path, tmp_path: Path) -> None:
    model = str(place / "scene.specvae")
    outcome = interpolate(str(place / "scene.tif"), start="20,30", end="140,160", model=model, out=str(tmp_path))
    detector = stored(place, "scene").detector
    from specvae.stages.score.request import ScoreRequest
    from specvae.stages.score.run import score

    score([str(place / "scene.tif")], ScoreRequest(model=model, out=str(tmp_path / "r"), device="cpu"))
    scores = read(tmp_path / "r" / "scene" / "score.tif")[0]
    assert detector.has_context
    np.testing.assert_allclose(
        outcome.summary["scores_given"], [scores[20, 30], scores[140, 160]], rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize(
    ("source", "start", "end", "message", "error"),
    [
        ("rows.csv", "-1", "3", "no row -1", UsageError),
        ("rows.csv", "3", "6000", "rows 0 to 5999", UsageError),
        ("rows.csv", "three", "4", "row number", UsageError),
        (None, "1,2,3", "1,2,3,4,5", "3 values", UsageError),
        (None, "1,2,3,4,nan", "1,2,3,4,5", "number for each band", UsageError),
        ("scene.tif", "1,1", "20,20", "nodata", InputError),
        ("scene.tif", "20", "20,20", "row,col", UsageError),
        ("scene.tif", "20,20", "150,0", "outside", UsageError),
    ],
)
def test_ends_that_are_none_are_refused_in_one_line(
    place: Path, tmp_path: Path, source: str | None, start: str, end: str, message: str, error: type[Exception]
) -> None:
    name = "scene" if source == "scene.tif" else "rows"
    with pytest.raises(error, match=message):
        interpolate(
            str(place / source) if source else None,
            start=start,
            end=end,
            model=str(place / f"{name}.specvae"),
            out=str(tmp_path / "out"),
        )
    assert not (tmp_path / "out").exists()


def test_a_context_model_refuses_tables_and_bare_spectra(place: Path, tmp_path: Path) -> None:
    model = str(place / "scene.specvae")
    for stage in (encode, reconstruct):
        run = stage([str(place / "rows.csv")], model=model, out=str(tmp_path / "o"), device="cpu")
        assert run.exit_status == 4
        assert "surrounds a pixel" in run.outcomes[0].message
    with pytest.raises(InputError, match="surrounds a pixel"):
        interpolate(start="1,2,3,4,5", end="1,2,3,4,5", model=model, out=str(tmp_path / "p"))


def test_the_same_again_is_nothing_to_do_and_another_needs_overwrite(place: Path, tmp_path: Path) -> None:
    options = {"model": str(place / "rows.specvae"), "out": str(tmp_path / "s"), "count": 50, "device": "cpu"}
    assert not sample(**options).skipped  # type: ignore[arg-type]
    before = (tmp_path / "s" / "samples.csv").stat().st_mtime_ns
    assert sample(**options).skipped  # type: ignore[arg-type]
    assert (tmp_path / "s" / "samples.csv").stat().st_mtime_ns == before
    with pytest.raises(OutputError, match="--overwrite"):
        sample(**options | {"count": 60})  # type: ignore[arg-type]
    assert not sample(**options | {"count": 60, "overwrite": True}).skipped  # type: ignore[arg-type]
    assert len(pd.read_csv(tmp_path / "s" / "samples.csv")) == 60


def test_one_broken_source_does_not_keep_the_others_from_being_done(place: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(b"no raster")
    run = encode(
        [str(tmp_path / "broken.tif"), str(place / "scene.tif")],
        model=str(place / "scene.specvae"), out=str(tmp_path / "o"), device="cpu",
    )  # fmt: skip
    assert sorted(o.status for o in run.outcomes) == ["done", "failed"]
    assert run.exit_status == 3


def test_the_commands_print_what_they_made(place: Path, tmp_path: Path) -> None:
    model, out = ["--model", str(place / "rows.specvae")], ["--out", str(tmp_path)]
    rows = str(place / "rows.csv")
    for words, said in (
        (["sample", "--count", "20", *model, "--out", str(tmp_path / "s")], "20 draws"),
        (["interpolate", rows, "--start", "1", "--end", "2", *model, "--out", str(tmp_path / "i")], "11 steps"),
        (["encode", rows, *model, *out], "6,000 spectra"),
        (["reconstruct", rows, *model, "--out", str(tmp_path / "r")], "% of the variance"),
    ):
        result = CliRunner().invoke(cli, words, catch_exceptions=False, standalone_mode=False)
        assert said in result.output, result.output


def test_right_draws_are_called_right_and_others_narrower_or_wider() -> None:
    rng = np.random.default_rng(0)
    called = {1.0: 0, 0.75: 0, 1.3: 0}
    words = {1.0: "as wide as", 0.75: "narrower than", 1.3: "wider than"}
    for _ in range(40):
        normal = rng.normal(size=(2000, 6))
        low, high = np.quantile(normal, [0.05, 0.95], axis=0)
        for scale in called:
            drawn = scale * rng.normal(size=(1000, 6))
            inside = float(((drawn >= low) & (drawn <= high)).mean())
            called[scale] += judgement(inside, 1000, 2000).startswith(words[scale])
    assert all(count >= 39 for count in called.values()), called
